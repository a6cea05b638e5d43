import { readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LogError } from '../log/log-error.ts'
import { parseNote } from '../log/note.ts'
import { printKeyId } from '../log/vkey.ts'
import type { Difference } from '../verify/differences.ts'
import type { LogSource } from '../verify/log-source.ts'
import { readEnvironment } from '../producer/ci.ts'
import { findDataFolder } from '../producer/find-service.ts'
import { Problem } from '../record/problem.ts'
import { isLedgerName, type LedgerName, ledgerKinds } from '../record/record.ts'
import { connect } from './connect.ts'
import { fromService, openPublished } from './log-sources.ts'
import { type Trust, readTrust } from './policy-trust.ts'
import { oneLine, printBar, printTable, type ExitCode, type Terminal } from './terminal.ts'
import { readTrustedKeys } from './trusted-keys.ts'

/** `proofline verify`: a receipt, a running service, a published copy, or the database behind it. One line per check; 1 when anything differs. */

export interface Check {
  check: string
  verdict: 'ok' | 'differs' | 'incomplete'
  detail: string
  /** The first bad seq, or the seq of the record. */
  seq?: number
  size?: number
  differences?: Difference[]
}

export interface VerifyCommand {
  key?: string[]
  database?: boolean
  /** A folder or address. */
  published?: string
  since?: string
  policy?: string
  ca?: string
  /** Seconds. */
  maxAge?: number
  org: string
  ledger?: string[]
  config?: string
  dataDir?: string
}

export async function verify(
  target: string | undefined,
  options: VerifyCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  if (options.database === true) {
    if (target !== undefined) throw new Problem('request_invalid', 'say either a receipt or address, or --database')
    const { verifyDatabase } = await import('./maintain.ts')
    return verifyDatabase(options, terminal, signal)
  }
  if (options.published !== undefined && target !== undefined)
    throw new Problem('request_invalid', 'say either a receipt or address, or --published')
  const ledgers = (options.ledger ?? ledgerKinds).map((name) => readLedger(name, options.org))
  if (options.published !== undefined) return verifyPublished(options.published, ledgers, options, terminal, signal)
  const trust = await trustOf(options, terminal)
  const { keys } = trust
  if (target !== undefined && !/^https?:\/\//.test(target)) {
    if ((await stat(target)).isDirectory()) {
      refuse(options, ['policy', 'ca', 'since', 'maxAge', 'ledger'], 'a folder of day files: give --key')
      const { verifyArchive } = await import('./verify-archive.ts')
      const checks = await verifyArchive(target, keys, (ledger, done, of) =>
        terminal.progress(printBar(ledger, done, of)),
      )
      return finish(checks, terminal)
    }
    const { isZipFile, verifyPack } = await import('./verify-pack.ts')
    if (await isZipFile(target)) {
      refuse(options, ['since', 'maxAge', 'ledger'], 'an evidence pack')
      return finish(await verifyPack(target, trust, options.ca), terminal)
    }
    refuse(options, ['policy', 'ca', 'since', 'maxAge', 'ledger'], 'a receipt or report: give --key')
    const text = await readFile(target, 'utf8')
    const { isEnvelope, verifyReport } = await import('./verify-report.ts')
    if (isEnvelope(text)) return finish(await verifyReport(text, keys), terminal)
    const { verifyReceipt } = await import('./verify-receipt.ts')
    return finish(await verifyReceipt(text, keys), terminal)
  }
  const client = await connect(target)
  try {
    return finish(await verifyLogs(fromService(client, signal), ledgers, trust, options, terminal), terminal)
  } finally {
    client.close()
  }
}

/** A copy of the logs as static files, of which nothing is believed but what the keys have signed. */
async function verifyPublished(
  place: string,
  ledgers: readonly LedgerName[],
  options: VerifyCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const source = openPublished(place, signal)
  try {
    const found = await findLogs(source, ledgers)
    if (found.size === 0) throw new Problem('not_found', `there is no ${ledgers[0] ?? ''}/checkpoint in ${source.name}, nor one of another ledger that was asked for`) // oxfmt-ignore
    const trust = await trustOf(options, terminal).catch((error: unknown) => {
      if (!(error instanceof Problem) || options.policy !== undefined) throw error
      const signers = [...found.values()].flatMap(namesOfSigners)
      throw new Problem('request_invalid', `${error.message}. It says to be signed by ${signers.join(', ')}`, { cause: error }) // oxfmt-ignore
    })
    return finish(await verifyLogs(source, ledgers, trust, options, terminal), terminal)
  } finally {
    source.close()
  }
}

async function findLogs(source: LogSource, ledgers: readonly LedgerName[]): Promise<Map<LedgerName, Uint8Array>> {
  const found = new Map<LedgerName, Uint8Array>()
  for (const ledger of ledgers) {
    const note = await source.get(`${ledger}/checkpoint`, false)
    if (note !== undefined) found.set(ledger, note)
  }
  return found
}

/** What a note claims of itself: enough to know which key to ask for. */
function namesOfSigners(note: Uint8Array): string[] {
  try {
    return parseNote(note).signatures.map(({ name, id }) => `${name}+${printKeyId(id)}`)
  } catch (error) {
    if (!(error instanceof LogError)) throw error
    return [`nobody: ${error.message}`]
  }
}

async function verifyLogs(
  source: LogSource,
  ledgers: readonly LedgerName[],
  { keys, isQuorum }: Trust,
  options: VerifyCommand,
  terminal: Terminal,
): Promise<Check[]> {
  const { verifyLedgers } = await import('./verify-logs.ts')
  const remembered = options.since === undefined ? {} : await readRemembered(options.since)
  const maxAge = options.maxAge === undefined ? undefined : { ms: options.maxAge * 1000, now: new Date() }
  const checks: Check[] = []
  const verified = await verifyLedgers(source, ledgers, keys, (ledger, isClosed) => ({
    remembered: (origin) => remembered[origin],
    onProgress: (done, of) => terminal.progress(printBar(ledger, done, of)),
    // Where nothing is recorded any more nothing can be fresh.
    maxAge: isClosed ? undefined : maxAge,
    isQuorum,
  }))
  for (const { check, note } of verified) {
    checks.push(check)
    if (note !== undefined) remembered[note.slice(0, note.indexOf('\n'))] = note
  }
  // Only what was verified is remembered, and a difference leaves the older checkpoint in place as evidence.
  if (options.since !== undefined) await writeRemembered(options.since, remembered)
  return checks
}

/** A policy names whom to believe: then the keys that lie about here are not asked. */
async function trustOf(options: VerifyCommand, terminal: Terminal): Promise<Trust> {
  const isPolicyAlone = options.policy !== undefined && options.key === undefined
  const folder = await dataFolder(options)
  const given = isPolicyAlone ? [] : await readTrustedKeys(options.key ?? [], folder)
  // Not those of another service without a word: whatever that one did not sign differs.
  if (options.policy === undefined && options.key === undefined)
    terminal.say(`believed are the keys in ${join(folder, 'keys')}; others with --key or --policy`)
  return readTrust(given, options.policy)
}

/** What would be asked for and never looked at. */
function refuse(options: VerifyCommand, names: readonly ('policy' | 'ca' | 'since' | 'maxAge' | 'ledger')[], of: string): void {
  const found = names.find((name) => options[name] !== undefined)
  if (found === undefined) return
  throw new Problem('request_invalid', `--${found === 'maxAge' ? 'max-age' : found} says nothing about ${of}`)
} // oxfmt-ignore

const dataFolder = async ({ dataDir }: VerifyCommand): Promise<string> =>
  dataDir ?? (await findDataFolder(readEnvironment().env, process.cwd()))

function readLedger(name: string, org: string): LedgerName {
  const ledger = name.includes('/') ? name : `${org}/${name}`
  if (isLedgerName(ledger)) return ledger
  throw new Problem(
    'request_invalid',
    `--ledger takes ${ledgerKinds.join(', ')}, or one of them behind its org/, not ${name}`,
  )
}

/** Prints the checks and gives the exit code: 1 when one differs, 3 when one could not be made. */
export function finish(checks: readonly Check[], terminal: Terminal): ExitCode {
  const verdict = checks.some((check) => check.verdict === 'differs')
    ? 'differs'
    : checks.some((check) => check.verdict === 'incomplete')
      ? 'incomplete'
      : 'ok'
  const words = { ok: 'ok', differs: 'DIFFERS', incomplete: 'incomplete' }
  terminal.print({ schema: 'proofline.verification.v1', verdict, checks }, () =>
    printTable(checks.map((check) => [words[check.verdict], check.check, oneLine(check.detail)])),
  )
  return verdict === 'ok' ? 0 : verdict === 'differs' ? 1 : 3
}

const format = 'proofline.checkpoints.v1'

/** Signed notes by origin. A file that is not there yet remembers nothing. */
async function readRemembered(file: string): Promise<Record<string, string>> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return {}
  try {
    const stored: unknown = JSON.parse(text)
    if (
      typeof stored === 'object' &&
      stored !== null &&
      'format' in stored &&
      stored.format === format &&
      'checkpoints' in stored
    ) {
      const notes = Object.entries(stored.checkpoints ?? {}).filter(
        (entry): entry is [string, string] => typeof entry[1] === 'string',
      )
      return Object.fromEntries(notes)
    }
  } catch (cause) {
    throw new Problem('request_invalid', `--since ${file} is not JSON`, { cause })
  }
  throw new Problem('request_invalid', `--since ${file} holds no checkpoints of \`proofline verify\``)
}

async function writeRemembered(file: string, checkpoints: Record<string, string>): Promise<void> {
  const unfinished = `${file}.${process.pid}.part`
  await writeFile(unfinished, `${JSON.stringify({ format, checkpoints }, undefined, 2)}\n`, { flush: true })
  await rename(unfinished, file)
}
