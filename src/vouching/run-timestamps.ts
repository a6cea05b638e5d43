import { setTimeout as sleep } from 'node:timers/promises'
import type { Queryable } from '../database/database.ts'
import { newestCheckpoint } from '../ledger/store.ts'
import { type TimestampRow, insertTimestamp, newestTimestamp } from '../ledger/timestamp-store.ts'
import type { LedgerName } from '../record/record.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type Timestamp, createTimestampRequest, readTimestampReply, verifyTimestamp } from '../verify/timestamp.ts'
import type { Asker } from './ask.ts'
import { keepAsked } from './vouching-store.ts'

/** Lets authorities stamp the newest checkpoint of each ledger that grew since their last stamp. What they give is verified before it is kept. */

export interface TimestampWork {
  db: Queryable
  authorities: readonly Authority[]
  ledgers: readonly LedgerName[]
  everyMs: number
  now: () => Date
  log: Logger
}

export interface Authority {
  url: string
  asker: Asker
  /** PEM; read again each time, so that a renewed root needs no restart. */
  readCa: () => Promise<string>
}

/** A stamp that is so far from our clock is none that we asked for now. */
const maxOffMs = 300_000
/** After a failure it is asked again sooner than at the next turn. */
const maxPauseMs = 60_000

/** For one process at a time, until the signal aborts. Rejects when the database does. */
export async function runTimestamps(work: TimestampWork, signal: AbortSignal): Promise<void> {
  const pauseMs = Math.min(work.everyMs, maxPauseMs)
  while (!signal.aborted) {
    // One authority after the other would let a slow one hold up the rest.
    await Promise.all(work.authorities.map((authority) => stampAll(work, authority, signal)))
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
  }
}

async function stampAll(work: TimestampWork, authority: Authority, signal: AbortSignal): Promise<void> {
  const { db, everyMs, now, log } = work
  for (const ledger of work.ledgers) {
    if (signal.aborted) return
    const last = await newestTimestamp(db, ledger, authority.url)
    const checkpoint = await newestCheckpoint(db, ledger)
    const isDue = last === undefined || now().getTime() - last.time / 1000 >= everyMs
    if (!isDue || checkpoint === undefined || checkpoint.size <= (last?.size ?? -1)) continue
    const stamped = await stamp(work, authority, checkpoint, signal).catch((error: unknown) => {
      signal.throwIfAborted()
      return error instanceof Error ? error.message : String(error)
    })
    const failure = typeof stamped === 'string' ? stamped : undefined
    // A crash before the row leaves a stamp that nobody has: the next turn asks for another.
    if (typeof stamped !== 'string') await insertTimestamp(db, ledger, stamped)
    if (failure !== undefined) log.warn('timestamp.failed', { authority: authority.url, ledger, detail: failure })
    await keepAsked(db, ledger, 'authority', { name: authority.url, at: now().getTime() * 1000, failure })
  }
}

/**
 * A stamp that verifies, or why there is none. Rejects for whatever else is in the way, the packages that verify not being there or a file:
 * then too it is this authority that gives none, and somebody has to be told.
 */
async function stamp(
  { now }: TimestampWork,
  { url, asker, readCa }: Authority,
  { size, note }: { size: number; note: string },
  signal: AbortSignal,
): Promise<TimestampRow | string> {
  const bytes = new TextEncoder().encode(note)
  const { request, nonce } = await createTimestampRequest(bytes)
  const { pathname, search } = new URL(url)
  const headers = { 'content-type': 'application/timestamp-query', accept: 'application/timestamp-reply' }
  const seen = await asker.ask({ method: 'POST', path: pathname + search, headers, body: Buffer.from(request) }, signal)
  if (seen.kind === 'failure') return seen.detail
  if (seen.status !== 200) return `HTTP ${seen.status}`
  const token = await readTimestampReply(seen.body)
  const found = await verifyTimestamp(token, bytes, await readCa())
  const wrong = judgeTimestamp(found, nonce, now())
  return wrong ?? { size, authority: url, time: found.timeMs * 1000, token: Buffer.from(token) }
}

/** What is wrong with a stamp that was asked for just now, though it verifies. Pure. */
export function judgeTimestamp(found: Timestamp, nonce: string, now: Date): string | undefined {
  if (found.nonce !== nonce) return 'the token answers another request: its nonce is another one'
  const offMs = found.timeMs - now.getTime()
  if (Math.abs(offMs) > maxOffMs) return `the token's time is ${Math.round(offMs / 1000)} s from ours`
  return undefined
}
