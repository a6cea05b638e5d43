import { setTimeout as sleep } from 'node:timers/promises'
import { hash } from 'node:crypto'
import type { Queryable } from '../database/database.ts'
import type { Book } from '../ledger/book.ts'
import type { Reader } from '../ledger/read.ts'
import { packSegment } from '../ledger/segments.ts'
import { blockSize, type LedgerName, printTime } from '../record/record.ts'
import { printPayload } from '../record/run.ts'
import { createExpected } from './expected.ts'

/**
 * A record in `operations` every interval, with the signed notes of the org's ledgers and count and sum of `check` of each one's last closed
 * block. It goes to every destination, so that a saved search there can check silence and completeness without asking us, and the SIEM
 * holds heads of the log that nobody here can take back.
 */

export interface HeartbeatDeps {
  db: Queryable
  reader: Reader
  ledgers: readonly LedgerName[]
  operations: Book
  /** What ledgers that were closed with a loss had been signed to, all together: the generation goes on from there. */
  generationBefore?: number
  now: () => Date
}

/** Beats now, and at the start of every interval, until the signal aborts. Several processes at once make one record. */
export async function runHeartbeat(deps: HeartbeatDeps, intervalMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await beat(deps, intervalMs)
    const rest = intervalMs - (deps.now().getTime() % intervalMs)
    await sleep(rest, undefined, { signal }).catch(() => undefined)
  }
}

/** One beat. The same interval again is the first record. */
export async function beat(deps: HeartbeatDeps, intervalMs: number): Promise<void> {
  const { operations, now } = deps
  const heads = await Promise.all(deps.ledgers.map((ledger) => headOf(deps, ledger)))
  const generation = heads.reduce((sum, { size }) => sum + size, deps.generationBefore ?? 0)
  const payload = printPayload('heartbeat', operations.ledger, { interval_s: intervalMs / 1000, generation, heads })
  const key = `heartbeat:${Math.floor(now().getTime() / intervalMs)}`
  const segments = [packSegment('heartbeat', [payload])]
  await operations.appender.submit([{ key, digest: hash('sha256', key, 'buffer'), firstWins: true, conflict: 'internal', segments }]) // oxfmt-ignore
}

async function headOf({ db, reader }: HeartbeatDeps, ledger: LedgerName) {
  const published = await reader.published(ledger)
  const size = published?.size ?? 0
  return {
    ledger,
    size,
    last_recorded_at: published === undefined || published.lastTime === 0 ? null : printTime(published.lastTime),
    block: await lastBlock(db, reader, ledger, size),
    note: published?.note ?? null,
  }
}

/** Of the last block that is closed, whatever a destination selects. */
async function lastBlock(db: Queryable, reader: Reader, ledger: LedgerName, size: number) {
  const number = Math.floor(size / blockSize) - 1
  if (number < 0) return null
  const expected = createExpected({ db, reader, ledger, select: {}, parked: new Set() })
  const span = { first: number * blockSize, last: (number + 1) * blockSize - 1 }
  const sum = (await expected.sumBlocks(span)).get(number)
  if (sum?.count !== blockSize) throw new Error(`${ledger}: block ${number} has ${sum?.count ?? 0} records`)
  return { number, records: sum.count, check_sum: sum.checkSum }
}
