import { readFile, rename, writeFile } from 'node:fs/promises'
import type { Difference } from '../verify/differences.ts'
import { readEnvironment } from '../producer/ci.ts'
import { findDataFolder } from '../producer/find-service.ts'
import { Problem } from '../record/problem.ts'
import { isLedgerName, type LedgerName, ledgerKinds } from '../record/record.ts'
import { connect } from './connect.ts'
import { oneLine, printBar, printTable, type ExitCode, type Terminal } from './terminal.ts'
import { readTrustedKeys } from './trusted-keys.ts'

/** `proofline verify`: a receipt, a running service, or the database behind it. One line per check; 1 when anything differs. */

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
  since?: string
  policy?: string
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
  const ledgers = (options.ledger ?? ledgerKinds).map((name) => readLedger(name, options.org))
  // A policy names whom to believe: then the keys that lie about here are not asked.
  const keys =
    options.policy !== undefined && options.key === undefined
      ? []
      : await readTrustedKeys(
          options.key ?? [],
          options.dataDir ?? (await findDataFolder(readEnvironment().env, process.cwd())),
        )
  if (target !== undefined && !/^https?:\/\//.test(target)) {
    const { isZipFile, verifyPack } = await import('./verify-pack.ts')
    if (await isZipFile(target)) return finish(await verifyPack(target, keys, options), terminal)
    const { verifyReceipt } = await import('./verify-receipt.ts')
    return finish(await verifyReceipt(await readFile(target, 'utf8'), keys), terminal)
  }
  const { verifyLedger } = await import('./verify-service.ts')
  const remembered = options.since === undefined ? {} : await readRemembered(options.since)
  const client = await connect(target)
  const checks: Check[] = []
  try {
    for (const ledger of ledgers) {
      const onProgress = (done: number, of: number): void => terminal.progress(printBar(ledger, done, of))
      const { check, note } = await verifyLedger(client, ledger, keys, (origin) => remembered[origin], {
        onProgress,
        signal,
      })
      checks.push(check)
      if (note !== undefined) remembered[note.slice(0, note.indexOf('\n'))] = note
    }
  } finally {
    client.close()
  }
  // Only what was verified is remembered, and a difference leaves the older checkpoint in place as evidence.
  if (options.since !== undefined) await writeRemembered(options.since, remembered)
  return finish(checks, terminal)
}

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
