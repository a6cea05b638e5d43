import { join } from 'node:path'
import type { Database } from '../database/database.ts'
import { auditDatabase } from '../ledger/audit-database.ts'
import { openBook } from '../ledger/book.ts'
import { type ClosedLedger, readClosed } from '../ledger/closed-store.ts'
import { createGenerations } from '../ledger/generations.ts'
import { recordLoss } from '../ledger/loss-record.ts'
import { parseTrustedKey } from '../log/trusted-key.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, nextGeneration } from '../record/record.ts'
import { closeLedger } from '../recover/close-ledger.ts'
import type { RecoveredLedger, Recovering } from './recovering.ts'
import type { Signer } from '../signing/signer.ts'
import { silentLogger } from '../telemetry/logger.ts'
import { createCommandRecorder } from '../watch/commands.ts'
import { liveNodes } from '../watch/node-store.ts'

/**
 * What was signed and is nowhere is given up: each ledger of which something is missing is closed, and its next generation opened with a
 * `loss` record. A crash behind a closing leaves the record to the start of the service, which makes it before anything else.
 */
export async function acceptLosses(
  given: Recovering & { acceptLoss: { reason: string } },
  signer: Signer,
  owner: Database,
  results: readonly RecoveredLedger[],
): Promise<ClosedLedger[]> {
  const { config, storage, signal } = given
  const { db, reader } = storage
  const { reason } = given.acceptLoss
  const lost = results.filter(({ verdict }) => verdict === 'incomplete')
  if (lost.length === 0) return []
  // Before anything is closed, so that it is all of them or none that is in the way.
  await demandNoService(given)
  for (const { ledger } of lost) {
    const vkeys = (await signer.keys(ledger)).map(parseTrustedKey)
    const origin = `${config.public_host}/${ledger}`
    const { differences } = await auditDatabase({ db, reader, ledger, origin, vkeys, signal })
    const [first] = differences
    if (signal.aborted) throw new Problem('unavailable', 'stopped before anything was closed')
    if (first !== undefined)
      throw new Problem('integrity', `${ledger} is not closed: what is left of it differs at ${first.seq}: ${first.kind}: expected ${first.expected}, found ${first.found}`) // oxfmt-ignore
  }
  // Made, or found behind a command, before anything is closed: without it nothing could go on.
  for (const { ledger } of lost) await signer.keys(nextGeneration(ledger))
  const folder = join(config.data_dir, 'rollback')
  const closed: ClosedLedger[] = []
  for (const one of lost) closed.push(await closeLedger({ db, owner, folder, reason, byWhom: 'console' }, one))
  for (const row of closed) await openNext(given, signer, row)
  await putOnRecord(given, signer, closed)
  return closed
}

/** A service with a signer of its own holds the guard, and this did not get so far; others on the same database are seen by their signs of life. */
async function demandNoService({ config, storage: { db, generations } }: Recovering): Promise<void> {
  const [seen] = await liveNodes(db, generations.now('operations'), config.watch.alerts_every_ms * 2_500)
  if (seen !== undefined)
    throw new Problem('in_use', `a service was at work a moment ago on ${seen.host} (${seen.node}): stop every service first, and wait ${Math.ceil(config.watch.alerts_every_ms / 400)} s`) // oxfmt-ignore
}

async function openNext({ storage }: Recovering, signer: Signer, closed: ClosedLedger): Promise<void> {
  await withBook(storage, signer, closed.next, async (book, stopped) => {
    // It was opened before, and this database does not know: recover puts back what it has.
    if (stopped === undefined) await recordLoss(book, closed)
  })
}

async function putOnRecord(
  { config, storage }: Recovering & { acceptLoss: { reason: string } },
  signer: Signer,
  closed: readonly ClosedLedger[],
): Promise<void> {
  const { now } = createGenerations(config.org, await readClosed(storage.db, config.org))
  await withBook(storage, signer, now('operations'), async (book, stopped) => {
    if (stopped !== undefined) return
    const detail = { closed: closed.map(({ ledger, next, size, signedSize }) => ({ ledger, next, size, signed_size: signedSize })) } // oxfmt-ignore
    const who = { id: 'console', method: 'local' }
    const [first] = closed
    await createCommandRecorder(book)({ who, command: 'recover.accept_loss', target: config.org, reason: first?.reason, detail }) // oxfmt-ignore
  })
}

async function withBook(
  { db, reader, watch }: Recovering['storage'],
  signer: Signer,
  ledger: LedgerName,
  work: (book: Awaited<ReturnType<typeof openBook>>, stopped: Problem | undefined) => Promise<void>,
): Promise<void> {
  const book = await openBook({ ledger, db, signer, reader, watch, node: 'recover', log: silentLogger })
  try {
    await work(book, book.publisher.stopped())
  } finally {
    await book.close()
  }
}
