import type { StoredRecord } from '../ledger/read.ts'
import { sha256Hex } from '../record/sha256.ts'
import type { OutcomeRow, ParkedRow } from './attempts.ts'
import type { Answer, BlockReason, Finding, Outcome, Split, Trail } from './destination.ts'
import type { GateReport } from './gate.ts'
import { type Mark, markOf, packMarks } from './marks.ts'
import { printTrail, trailOf } from './trail.ts'

/** What answers and findings come to, as rows. Pure. */

export interface Reading {
  marks: Mark[]
  outcome: Pick<OutcomeRow, 'source' | 'marks'> & Partial<OutcomeRow>
  parked: ParkedRow[]
  trail: Trail
  /** The answer asks for fewer requests at once. */
  slow: boolean
}

/** `at` in microseconds. */
export function readAnswer(
  records: readonly StoredRecord[],
  answer: Answer,
  outcomes: readonly Outcome[],
  at: number,
): Reading {
  const marks = outcomes.map(markOf)
  const parked: ParkedRow[] = []
  let worst: { reason: string; retryAfterMs?: number; block?: BlockReason; split?: Split } | undefined
  let receipt: OutcomeRow['receipt']
  let ackId: number | undefined
  let partial: true | undefined
  let slow = false
  outcomes.forEach((outcome, i) => {
    const record = records[i]
    if (record === undefined) throw new Error('an answer has one outcome per record')
    switch (outcome.kind) {
      case 'delivered':
        receipt ??= outcome.receipt
        break
      case 'accepted':
        ackId ??= outcome.ackId
        slow ||= outcome.slow === true
        break
      case 'refused':
        parked.push({ seq: record.seq, id: record.id, kind: 'refused', reason: outcome.reason })
        worst ??= outcome
        break
      case 'unsent':
      case 'in_doubt':
        if (outcome.kind === 'in_doubt') partial ??= outcome.partial
        // What is tried again matters more than what is not: it carries the wait, the block, the split.
        if (worst === undefined || !('split' in worst || 'block' in worst || 'retryAfterMs' in worst)) worst = outcome
        break
    }
  })
  const trail = trailOf(answer, ackId, partial)
  const outcome = {
    source: 'answer' as const,
    marks: packMarks(marks),
    reason: worst?.reason,
    reasons: reasonsOf(outcomes),
    split: worst?.split,
    block: worst?.block,
    retryAt: worst?.retryAfterMs === undefined ? undefined : at + worst.retryAfterMs * 1000,
    receipt,
    answer: worst === undefined && ackId === undefined ? undefined : seen(answer, trail),
  }
  return { marks, outcome, parked, trail, slow }
}

/** What one finding makes of a member that was `before`. */
/** `record` is needed where the finding has a digest. */
export function readFinding(
  finding: Finding,
  record: StoredRecord | undefined,
  before: Mark,
): { mark: Mark; reason: string } {
  if (finding.kind === 'unknown') return { mark: before, reason: finding.reason }
  // An accepted record is never sent again, whatever a search says; it is parked when its time is over.
  if (finding.kind === 'absent') return { mark: before === 'a' ? 'a' : 'u', reason: 'absent' }
  const { digest } = finding
  if (digest === undefined) return { mark: 'd', reason: 'present' }
  if (record === undefined) throw new Error('a digest is compared with a record')
  if (digest !== '' && sha256Hex(record.bytes).startsWith(digest)) return { mark: 'd', reason: 'present' }
  return { mark: 'r', reason: `what is stored under this id has another digest (${digest.slice(0, 64)})` }
}

/** How a send looks to the gate. Answers that only concern some of the members say nothing against the next send. */
export function gateReport(answer: Answer, outcomes: readonly Outcome[]): GateReport {
  if (answer.kind === 'expired') return { kind: 'unused' }
  let failing: GateReport | undefined
  let weaker: string | undefined
  for (const outcome of outcomes) {
    if (outcome.kind === 'accepted' && outcome.weaker !== undefined) {
      weaker ??= outcome.weaker
      if (outcome.block !== undefined) return { kind: 'blocked', reason: outcome.block, detail: weaker }
    }
    if (outcome.kind !== 'unsent' && outcome.kind !== 'in_doubt') continue
    if (outcome.block !== undefined) return { kind: 'blocked', reason: outcome.block, detail: outcome.reason }
    if (outcome.split !== undefined || (outcome.kind === 'in_doubt' && outcome.held === true)) continue
    const retryAfterMs = outcome.kind === 'unsent' ? outcome.retryAfterMs : undefined
    failing ??= { kind: 'failing', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  }
  return failing ?? { kind: 'ok', ...(weaker === undefined ? {} : { weaker }) }
}

/** Reasons of single members; at most fifty, the rest is in the parked list. Undefined where all share one. */
function reasonsOf(outcomes: readonly Outcome[]): Record<string, string> | undefined {
  if (outcomes.every((outcome) => outcome === outcomes[0])) return undefined // nearly always: one for all of them
  const entries = outcomes.flatMap((outcome, at) =>
    'reason' in outcome ? [[String(at), outcome.reason] as const] : [],
  )
  if (
    entries.length === 0 ||
    (entries.length === outcomes.length && entries.every(([, reason]) => reason === entries[0]?.[1]))
  )
    return undefined
  return Object.fromEntries(entries.slice(0, 50))
}

/** What is kept of an answer. A destination does not send our credentials back, but a proxy may echo them. */
function seen(answer: Answer, kept: Trail): Record<string, unknown> {
  if (answer.kind === 'expired') return { kind: 'expired' }
  const { status } = answer
  const trail = printTrail(kept)
  if (answer.kind === 'failure') {
    const { phase, code, message, wrote } = answer
    return { phase, code, message: message.slice(0, 500), wrote, status, ...trail }
  }
  const body = answer.body.slice(0, 1_000).replace(/\b(splunk|basic|bearer|apikey)\s+[\w+/=.~-]{8,}/gi, '$1 [secret]')
  return { status, body, ...trail }
}
