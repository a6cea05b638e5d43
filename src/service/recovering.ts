import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { acceptLosses } from './accepting.ts'
import type { Config } from '../config.ts'
import { openDestination } from '../delivery/open-destination.ts'
import type { ClosedLedger } from '../ledger/closed-store.ts'
import { openBook } from '../ledger/book.ts'
import { auditDatabase } from '../ledger/audit-database.ts'
import { createTree } from '../ledger/tree.ts'
import { parseTrustedKey } from '../log/trusted-key.ts'
import { openShelf } from './publishing.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, ledgerStem } from '../record/record.ts'
import { fromArchive } from '../recover/archive-source.ts'
import { fromDestination } from '../recover/destination-source.ts'
import { type Recovered, recoverLedger } from '../recover/recover.ts'
import { type RecoverySource, fromLog } from '../recover/source.ts'
import { openRecordSpool } from '../recover/spool.ts'
import { openSigner } from './signer.ts'
import type { Signer } from '../signing/signer.ts'
import type { Storage } from './storage.ts'
import { silentLogger } from '../telemetry/logger.ts'
import type { AuditResult } from '../verify/audit.ts'
import type { LogSource } from '../verify/log-source.ts'
import { createCommandRecorder } from '../watch/commands.ts'
import { isAskable } from '../watch/run-reconciliation.ts'

/** Everything that `proofline recover` needs, opened over the configuration; the service must not run on this data folder. */

export interface Recovering {
  config: Config
  storage: Storage
  ledgers: readonly LedgerName[]
  /** `archive`, `destination:<name>`, a folder or an address; empty: all that the configuration names. */
  places: readonly string[]
  openPlace: (place: string) => LogSource & { close(): void }
  dryRun: boolean
  /** Gives up what is nowhere. */
  acceptLoss?: { reason: string } | undefined
  onProgress: (ledger: LedgerName, done: number, of: number) => void
  signal: AbortSignal
}

export interface RecoveredLedger extends Recovered {
  /** Of the whole ledger, after something was put back: what left read-only unseen would be a guess. */
  audit: AuditResult | undefined
  /** Where what is nowhere was given up. */
  closed: ClosedLedger | undefined
}

export async function recoverAll(given: Recovering): Promise<RecoveredLedger[]> {
  const { config, storage, ledgers, dryRun, onProgress, signal } = given
  const { db, reader } = storage
  const originOf = (ledger: LedgerName): string => `${config.public_host}/${ledger}`
  const closing: (() => unknown)[] = []
  try {
    // The guard is one process's: while a service has it, this stops here and says so.
    const signer = await openSigner(config, originOf)
    closing.push(() => signer.close())
    const sources = await openSources(given, closing)
    const owner = storage.openOwner()
    closing.push(() => owner.end())
    const folder = join(config.data_dir, 'recover')
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const results: RecoveredLedger[] = []
    for (const ledger of ledgers) {
      const origin = originOf(ledger)
      const keys = (await signer.keys(ledger)).map(parseTrustedKey)
      const spool = await openRecordSpool(join(folder, `${ledgerStem(ledger)}.spool`))
      try {
        const tree = createTree(db, ledger, reader)
        const last = await signer.last(ledger)
        const done = await recoverLedger({ ledger, origin, keys, db, owner, tree, last, sources, spool, dryRun, onProgress: (at, of) => onProgress(ledger, at, of), signal }) // oxfmt-ignore
        const isChanged = !dryRun && done.size > done.had
        results.push({ ...done, audit: isChanged ? await auditDatabase({ db, reader, ledger, origin, vkeys: keys, signal }) : undefined, closed: undefined }) // oxfmt-ignore
      } finally {
        await spool.remove()
      }
    }
    if (results.some(({ audit }) => audit !== undefined)) await putOnRecord(given, signer, results)
    const { acceptLoss } = given
    if (acceptLoss === undefined || dryRun) return results
    const closed = await acceptLosses({ ...given, acceptLoss }, signer, owner, results)
    return results.map((one) => ({ ...one, closed: closed.find(({ ledger }) => ledger === one.ledger) }))
  } finally {
    for (const close of closing.toReversed()) await close()
  }
}

/** In `operations`, when it can be recorded in: else the start says what is still in the way, and what was put back shows in the heads. */
async function putOnRecord(
  { config, storage }: Recovering,
  signer: Signer,
  results: readonly RecoveredLedger[],
): Promise<void> {
  const { db, reader, watch } = storage
  const ledger = storage.generations.now('operations')
  const book = await openBook({ ledger, db, signer, reader, watch, node: 'recover', log: silentLogger })
  try {
    if (book.publisher.stopped() !== undefined) return
    const put = results.filter(({ audit }) => audit !== undefined)
    const detail = { recovered: put.map(({ ledger: of, had, size, from }) => ({ ledger: of, had, size, from })) }
    await createCommandRecorder(book)({
      who: { id: 'console', method: 'local' },
      command: 'recover',
      target: config.org,
      detail,
    })
  } finally {
    await book.close()
  }
}

async function openSources({ config, storage, places, openPlace, signal }: Recovering, closing: (() => unknown)[]): Promise<RecoverySource[]> {
  const now = (): Date => new Date()
  const archive = (): RecoverySource => fromArchive(storage.objects, 'the archive', now)
  const destination = async (name: string): Promise<RecoverySource> => {
    const settings = config.destinations[name]
    if (settings === undefined) throw new Problem('request_invalid', `--from: there is no destination ${name}`)
    const opened = await openDestination(settings, { publicHost: config.public_host, now })
    closing.push(() => opened.close())
    return fromDestination(name, opened, signal)
  }
  const place = (from: string): RecoverySource => {
    const opened = openPlace(from)
    closing.push(() => opened.close())
    return fromLog(opened)
  }
  const open = async (from: string): Promise<RecoverySource> =>
    from === 'archive' ? archive() : from.startsWith('destination:') ? destination(from.slice('destination:'.length)) : place(from)
  if (places.length > 0) return Promise.all(places.map(open))
  const shelf = await openShelf(config.publish)
  if (shelf !== undefined) closing.push(() => shelf.close())
  const copy = shelf === undefined ? [] : [fromLog({ name: shelf.name, mayBeCached: false, get: shelf.get })]
  const askable = Object.entries(config.destinations).filter(([, settings]) => isAskable(settings))
  return [...copy, archive(), ...(await Promise.all(askable.map(([name]) => destination(name))))]
} // oxfmt-ignore
