import type { Database } from '../database/database.ts'
import type { Reader, RecordBatch, StoredRecord } from '../ledger/read.ts'
import { checkOf } from '../record/record.ts'
import { sha256Hex } from '../record/sha256.ts'
import { blankOutcome, insertOutcome, type OutcomeRow, type ParkedRow } from './attempts.ts'
import type { Copies, SearchExport } from './export-csv.ts'
import type { Lane } from './lane.ts'
import { endLetters, type ParkedLetter } from './letter-store.ts'
import { packMarks } from './marks.ts'
import type { DeliveryMetrics } from './metrics.ts'
import type { OpenAttempt } from './open-attempt.ts'
import { insertSettlement, type Settlement } from './order-store.ts'
import { readMembers } from './range.ts'
import { retryParked, type Said } from './retry.ts'
import { findUnresolved } from './unresolved.ts'

/**
 * Settles by a person's search what no look of ours could. What is there is delivered. What is not there counts only where the person says
 * that the search was complete and it was started when the last byte must have been visible; then it is sent again, marked.
 */

export interface Settled extends Settlement {
  /** Not in the export, and no proof of anything: still open. */
  open: number
}

export interface SettleDeps {
  db: Database
  reader: Pick<Reader, 'readBatch'>
  now: () => Date
  /** How long after its last byte a record may become visible. */
  lagMs: number
  /** Hears of copies beyond the first, of what is settled by this: a repeat tells none of them again. */
  metrics: Pick<DeliveryMetrics, 'duplicates'>
}

type Verdict = 'present' | 'altered' | 'absent' | 'open'

/** Pure. `check` is of the record as it should be there. */
export function judge(
  found: Copies | undefined,
  record: { id: string; check: number | undefined },
  isAbsent: boolean,
): Verdict {
  if (found?.id !== record.id) return isAbsent ? 'absent' : 'open'
  if (found.checks === undefined || record.check === undefined) return 'present'
  return found.checks.length === 1 && Number(found.checks[0]) === record.check ? 'present' : 'altered'
}

export async function settleLane(
  deps: SettleDeps,
  lane: Lane,
  found: SearchExport,
  complete: boolean,
  by: Said,
): Promise<Settled> {
  const { db, now } = deps
  const total: Settled = { delivered: 0, altered: 0, absent: 0, duplicates: 0, open: 0 }
  const copies = found.copies.get(lane.ledger)
  const copiesOf = (seq: number): Copies | undefined => copies?.get(seq)
  const isAbsent = (seq: number, deadline: number): boolean =>
    complete &&
    found.searched.some(
      ({ ledger, first, last, at }) =>
        ledger === lane.ledger && seq >= first && seq <= last && at >= deadline + deps.lagMs * 1000,
    )
  let confirmed = 0
  const count = (verdict: Verdict, seq: number, isSettled = true): void => {
    total[verdict === 'present' ? 'delivered' : verdict]++
    if (verdict === 'absent' || verdict === 'open') return
    const extra = Math.max(0, (copiesOf(seq)?.count ?? 1) - 1)
    total.duplicates += extra
    if (isSettled) confirmed += extra
  }
  const { letters, attempts } = await findUnresolved(db, lane, now())
  for (const attempt of attempts) await settleAttempt(deps, lane, attempt, { copiesOf, isAbsent, count, by })
  await settleLetters(deps, lane, letters, { copiesOf, isAbsent, count, by })
  // The bell comes last. A crash before it leaves steps that whoever works on the lane meets when it wants to store its own; a repeat
  // rings it though there is nothing left to settle.
  const isAbout = copies !== undefined || found.searched.some(({ ledger }) => ledger === lane.ledger)
  if (isAbout) await insertSettlement(db, lane, { ...total, ...by })
  if (confirmed > 0) deps.metrics.duplicates(lane.destination, lane.ledger, confirmed)
  return total
}

interface Judging {
  copiesOf(seq: number): Copies | undefined
  isAbsent(seq: number, deadline: number): boolean
  /** `isSettled` false: it stays where it is, and is counted again by a repeat. */
  count(verdict: Verdict, seq: number, isSettled?: boolean): void
  by: Said
}

const checkOfRecord = ({ bytes }: StoredRecord): number => checkOf(sha256Hex(bytes))

/** One step of an open attempt, as a look would store it. Whoever works on the attempt loses this step and reads everything anew. */
async function settleAttempt(
  { db, reader }: SettleDeps,
  lane: Lane,
  attempt: OpenAttempt,
  { copiesOf, isAbsent, count, by }: Judging,
): Promise<void> {
  const { row, seqs } = attempt
  const records = await readMembers(reader, lane.ledger, row, seqs)
  const marks = [...attempt.marks]
  const parked: ParkedRow[] = []
  const verdicts: [Verdict, number][] = []
  records.forEach((record, at) => {
    const before = marks[at]
    if (before !== 'i' && before !== 'a') return
    const verdict = judge(
      copiesOf(record.seq),
      { id: record.id, check: checkOfRecord(record) },
      isAbsent(record.seq, row.deadline),
    )
    // What was accepted is never sent again by itself: it is parked when its time is over, and then this settles it.
    const isKept = verdict === 'open' || (verdict === 'absent' && before === 'a')
    verdicts.push([isKept ? 'open' : verdict, record.seq])
    if (!isKept) marks[at] = verdict === 'present' ? 'd' : verdict === 'altered' ? 'r' : 'u'
    if (verdict === 'altered')
      parked.push({
        seq: record.seq,
        id: record.id,
        kind: 'refused',
        reason: 'what is stored under this id has another check',
      })
  })
  if (marks.some((mark, at) => mark !== attempt.marks[at])) {
    const at = by.at
    if (attempt.hand === 'lost') {
      // As its heir would: what is sent again after this may have left before, and says so.
      const loss = { source: 'loss', marks: 'i', reason: 'no outcome was stored before the sender stopped' } as const
      if (!(await insertOutcome(db, lane, row, { ...blankOutcome, ...loss, step: attempt.step, at })))
        return overtaken(verdicts, count)
      attempt.step++
    }
    const outcome: OutcomeRow = {
      ...blankOutcome, step: attempt.step, at, source: 'operator', marks: packMarks(marks), reason: `${by.reason} (${by.byWhom})`,
      split: attempt.split, block: attempt.block, receipt: marks.includes('d') ? { by: 'search', operator: by.byWhom } : undefined,
    } // oxfmt-ignore
    if (!(await insertOutcome(db, lane, row, outcome, [], parked))) return overtaken(verdicts, count)
  }
  for (const [verdict, seq] of verdicts) count(verdict, seq)
}

/** A look or a crash's heir was faster: nothing is settled by us, and the next export will say. */
function overtaken(verdicts: readonly [Verdict, number][], count: Judging['count']): void {
  for (const [, seq] of verdicts) count('open', seq)
}

async function settleLetters(
  deps: SettleDeps,
  lane: Lane,
  letters: readonly ParkedLetter[],
  { copiesOf, isAbsent, count, by }: Judging,
): Promise<void> {
  const { db, reader } = deps
  // Letters come by seq, so neighbours are read together.
  let batch: RecordBatch | undefined
  const recordAt = async (seq: number): Promise<StoredRecord | undefined> => {
    if (batch === undefined || seq < batch.first || seq >= batch.next)
      batch = await reader.readBatch(lane.ledger, seq, { maxRecords: 100 })
    return batch.records.find((record) => record.seq === seq)
  }
  const present: ParkedLetter[] = []
  const absent: ParkedLetter[] = []
  for (const letter of letters) {
    const found = copiesOf(letter.seq)
    const record = found?.id === letter.id ? await recordAt(letter.seq) : undefined
    const check = record === undefined ? undefined : checkOfRecord(record)
    const verdict = judge(found, { id: letter.id, check }, isAbsent(letter.seq, letter.deadline))
    // Other bytes under its id: it stays on the list for a person, who sees it in what is answered.
    if (verdict === 'present') present.push(letter)
    if (verdict === 'absent') absent.push(letter)
    count(verdict, letter.seq, verdict === 'present')
  }
  await endLetters(db, lane, present, { how: 'found', ...by })
  await retryParked(deps.db, lane, absent, by)
}
