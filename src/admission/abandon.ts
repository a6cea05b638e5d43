import { setTimeout as sleep } from 'node:timers/promises'
import type { Queryable } from '../database/database.ts'
import type { Book } from '../ledger/book.ts'
import type { AtHead, Submission } from '../ledger/decide.ts'
import { packSegment } from '../ledger/segments.ts'
import { findOpenRuns } from '../ledger/store.ts'
import type { LedgerName } from '../record/record.ts'
import { identityFields, printPayload } from '../record/run.ts'
import type { Logger } from '../telemetry/logger.ts'
import { fitList } from './fit-list.ts'
import { readRunAtHead } from './run-at-head.ts'
import { digestOf, keys, openParts } from './run.ts'
import type { RunsStore } from './runs-store.ts'
import type { RunFields } from './submissions.ts'

/**
 * A run that nobody ended within a day is ended here: its `abandonment` takes the place of the seal, under the same key, so a run has one
 * or the other, whichever comes first. It never counts, and the record names the parts that were left open.
 */

export interface AbandonDeps {
  db: Queryable
  ledgers: readonly LedgerName[]
  bookOf: (ledger: LedgerName) => Book
  runs: RunsStore
  log: Logger
  /** Since the run was declared, by the database's clock. Default 24 hours. */
  ageMs?: number
  /** Between two looks. Default one hour. */
  intervalMs?: number
}

const hourMs = 3_600_000
const runsAtOnce = 500

/** For one process at a time, though two do no harm. Looks at start and every hour, until the signal aborts; rejects when a look fails. */
export async function runAbandonment(deps: AbandonDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const ledger of deps.ledgers) await abandonIn(ledger, deps, signal)
    await sleep(deps.intervalMs ?? hourMs, undefined, { signal }).catch(() => {})
  }
}

async function abandonIn(
  ledger: LedgerName,
  { db, bookOf, runs, log, ageMs = 24 * hourMs }: AbandonDeps,
  signal: AbortSignal,
): Promise<void> {
  for (let after = ''; !signal.aborted;) {
    const found = await findOpenRuns(db, ledger, ageMs * 1000, after, runsAtOnce)
    for (const run of found) {
      if (signal.aborted) return
      const id = await runs.getRun(ledger, run)
      const [recorded] = await bookOf(ledger).appender.submit([abandonmentSubmission(id, ageMs)])
      log.info('run.abandoned', { run, seq: recorded?.firstSeq })
    }
    const last = found.at(-1)
    if (last === undefined || found.length < runsAtOnce) return
    after = last
  }
}

/** Bytes of JSON for the names of open parts; more of them are counted. */
const maxOpenBytes = 2_048

/** Joins whatever ended the run meanwhile. */
export function abandonmentSubmission(id: RunFields, ageMs: number): Submission {
  return {
    key: keys.end(id.run),
    digest: digestOf('abandoned'),
    run: id.run,
    firstWins: true,
    conflict: 'internal',
    async segments(at: AtHead) {
      const { parts, records, root } = await readRunAtHead(id.run, at)
      const open = openParts(id.run, at.run)
      const payload = printPayload('abandonment', id.ledger, {
        run: id.run,
        ...identityFields(id),
        repository_id: id.repository_id,
        admitted: false,
        reasons: ['abandoned'],
        after_hours: ageMs / hourMs,
        parts: parts.length,
        open_parts: { count: open.length, first: fitList(open, maxOpenBytes).shown },
        records,
        by: id.by,
        url: id.url,
        root,
      })
      return { segments: [packSegment('abandonment', [payload])] }
    },
  }
}
