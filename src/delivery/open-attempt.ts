import type { LedgerName, Micros } from '../record/record.ts'
import type { AttemptRow, OpenRow } from './attempts.ts'
import type { Attempt, BlockReason, Rendered, Split, Trail } from './destination.ts'
import { type Mark, summarize, unpackMarks } from './marks.ts'
import { type AttemptHistory, ownPart, type Policy } from './next-step.ts'
import { membersOf } from './range.ts'
import { readTrail } from './trail.ts'

/** An attempt that is not settled, as this process knows it: its row, the newest outcome, and what happened in here since. */
export interface OpenAttempt {
  row: AttemptRow
  seqs: readonly number[]
  marks: readonly Mark[]
  /** The step that comes next; 0 while there is no outcome. */
  step: number
  /** When the newest outcome was stored, else when it was opened; microseconds. */
  since: Micros
  hand: AttemptHistory['hand']
  /** Bytes may have left this machine: the next try is marked. */
  left: boolean
  looks: number
  lookedAt: Date | undefined
  lookingSince: Date | undefined
  /** How long others looked for it before this process, and how much of all is stored. */
  lookedBeforeMs: number
  notedMs: number
  retryAt: Micros | undefined
  block: BlockReason | undefined
  split: Split | undefined
  trail: Trail | undefined
  /** Present only until it is sent; later it is read again. */
  rendered: Rendered | undefined
}

/** One that this process has just inserted. */
export function freshAttempt(row: AttemptRow, rendered: Rendered): OpenAttempt {
  const seqs = rendered.records.map(({ seq }) => seq)
  return {
    row, seqs, rendered, marks: seqs.map((): Mark => 'i'), step: 0, since: row.openedAt, hand: 'held', left: false, looks: 0,
    lookedAt: undefined, lookingSince: undefined, retryAt: undefined, block: undefined, split: undefined, trail: undefined,
    lookedBeforeMs: 0, notedMs: 0,
  } // oxfmt-ignore
}

/** One that was found in the database at the start. Without an outcome nobody knows whether it was sent. */
export function foundAttempt(found: OpenRow): OpenAttempt {
  const seqs = membersOf(found)
  const lost = found.marks === null
  return {
    row: found, seqs, rendered: undefined, marks: lost ? seqs.map((): Mark => 'i') : unpackMarks(found.marks ?? 'i', seqs.length),
    step: found.step === null ? 0 : found.step + 1, since: found.at ?? found.openedAt, hand: lost ? 'lost' : 'free', left: lost || found.left,
    looks: 0, lookedAt: undefined, lookingSince: undefined, retryAt: found.retryAt ?? undefined, block: found.block ?? undefined, split: found.split ?? undefined,
    trail: found.answer === null ? undefined : readTrail(found.answer),
    lookedBeforeMs: found.lookedMs ?? 0, notedMs: found.lookedMs ?? 0,
  } // oxfmt-ignore
}

/** Retry-After counts for so long at most (http-answers.ts). */
const longestRetry = 900_000_000

/**
 * A row as it can be believed at a start: its writer's clock may have been ahead. Nothing in it happened later than now, and its opener can
 * be at it no longer than an attempt takes (`longest`); without this a clock that was put right by an hour would hold it for an hour.
 */
export function timely(row: OpenRow, now: Micros, longest: Micros): OpenRow {
  return {
    ...row,
    at: row.at === null ? null : Math.min(row.at, now),
    openedAt: Math.min(row.openedAt, now),
    deadline: Math.min(row.deadline, now + longest),
    retryAt: row.retryAt === null ? null : Math.min(row.retryAt, now + longestRetry),
  }
}

/** How long it was looked for, by this process and those before it; what lies between two of them does not count. */
export function lookedMs({ lookedBeforeMs, lookingSince, lookedAt }: OpenAttempt): number {
  const ownMs = lookingSince === undefined || lookedAt === undefined ? 0 : lookedAt.getTime() - lookingSince.getTime()
  return lookedBeforeMs + Math.max(0, Math.round(ownMs))
}

/** Whether it is time to store how long it was looked for: a process that ends takes no more than this with it. */
export function isNoteDue(open: OpenAttempt, { unresolvedAfterMs, unprovedAfterMs }: Policy): boolean {
  return lookedMs(open) - open.notedMs >= Math.max(1, Math.min(unresolvedAfterMs, unprovedAfterMs) * ownPart)
}

const toDate = (at: Micros): Date => new Date(Math.ceil(at / 1000))

export function historyOf(open: OpenAttempt): AttemptHistory {
  const { row, lookedAt, lookingSince, retryAt, block, split } = open
  return {
    try: row.try,
    members: open.seqs.length,
    hand: open.hand,
    deadline: toDate(row.deadline),
    since: toDate(open.since),
    tally: summarize(open.marks).tally,
    looks: open.looks,
    lookedBeforeMs: open.lookedBeforeMs,
    ...(lookedAt === undefined ? {} : { lookedAt }),
    ...(lookingSince === undefined ? {} : { lookingSince }),
    ...(retryAt === undefined ? {} : { retryAt: toDate(retryAt) }),
    ...(block === undefined ? {} : { block }),
    ...(split === undefined ? {} : { split }),
  }
}

/** Whether something is still to happen to such a member within its attempt. */
export const isOpenMark = (mark: Mark): boolean => mark === 'u' || mark === 'i' || mark === 'e' || mark === 'a'

/** The members with one of these marks, with their places in the attempt. */
export function membersMarked(open: OpenAttempt, wanted: readonly Mark[]): { at: number; seq: number }[] {
  const members: { at: number; seq: number }[] = []
  open.marks.forEach((mark, at) => {
    const seq = open.seqs[at]
    if (seq !== undefined && wanted.includes(mark)) members.push({ at, seq })
  })
  return members
}

/** How the members that are tried again are put together. `at` of isolate is the place the destination named, off by one at times. */
export function splitMembers(members: readonly { at: number; seq: number }[], split: Split | undefined): number[][] {
  const seqs = members.map(({ seq }) => seq)
  if (split === undefined || seqs.length <= 1) return [seqs]
  if (split === 'single') return seqs.map((seq) => [seq])
  if (split === 'halve') {
    const middle = Math.ceil(seqs.length / 2)
    return [seqs.slice(0, middle), seqs.slice(middle)]
  }
  const named = Number(split.slice('isolate:'.length))
  const suspect = members.filter(({ at }) => Math.abs(at - named) <= 1).map(({ seq }) => seq)
  const rest = seqs.filter((seq) => !suspect.includes(seq))
  // A name that fits none of them is no help: one by one, then every answer is definite.
  if (suspect.length === 0) return seqs.map((seq) => [seq])
  return [...suspect.map((seq) => [seq]), ...(rest.length === 0 ? [] : [rest])]
}

export interface Progress {
  /** Everything below was delivered, accepted, refused or parked. */
  sentTo: number
  /** Everything below was delivered, refused or parked. */
  provedTo: number
  /** No open attempt begins below. */
  openFrom: number
  openMonth: string
  inDoubt: number
  /** When the oldest of them was opened. */
  inDoubtSince: Micros | undefined
}

/**
 * Where a lane stands: `next` is the end of its cuts, `month` the month of the newest. What is sent again by an order does not take the
 * positions back: its records were settled once, and a start finds its attempts by the order.
 */
export function progressOf(open: Iterable<OpenAttempt>, next: number, month: string): Progress {
  const progress: Progress = {
    sentTo: next,
    provedTo: next,
    openFrom: next,
    openMonth: month,
    inDoubt: 0,
    inDoubtSince: undefined,
  }
  for (const attempt of open) {
    const { row } = attempt
    const isOrdered = row.redelivery !== undefined
    if (!isOrdered && row.first < progress.openFrom) progress.openFrom = row.first
    if (!isOrdered && row.month < progress.openMonth) progress.openMonth = row.month
    const { tally, firstUnsent, firstUnproved } = summarize(attempt.marks)
    if (!isOrdered && firstUnsent !== undefined)
      progress.sentTo = Math.min(progress.sentTo, attempt.seqs[firstUnsent] ?? next)
    if (!isOrdered && firstUnproved !== undefined)
      progress.provedTo = Math.min(progress.provedTo, attempt.seqs[firstUnproved] ?? next)
    if (attempt.hand === 'held' || tally.i + tally.e === 0) continue
    progress.inDoubt += tally.i + tally.e
    if (row.openedAt < (progress.inDoubtSince ?? Infinity)) progress.inDoubtSince = row.openedAt
  }
  return progress
}

/** An attempt as the connector looks it up. Monotonic limits were those of the process that sent it. */
export function toAttempt(
  { row, trail }: OpenAttempt,
  ledger: LedgerName,
  members: number,
  records: Attempt['records'],
): Attempt {
  const { first, mark, channel } = row
  return {
    id: { ledger, firstSeq: first, try: row.try, mark, channel, sendBeforeMs: 0, deadlineMs: 0 },
    target: row.target,
    members,
    records,
    openedAt: toDate(row.openedAt),
    deadline: toDate(row.deadline),
    ...(trail === undefined ? {} : { trail }),
  }
}

/** First days of the months from `first` to `last`, both included. */
export function monthsBetween(first: string, last: string): string[] {
  const months: string[] = []
  for (let at = first; at <= last;) {
    months.push(at)
    const day = new Date(`${at}T00:00:00Z`)
    at = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 1)).toISOString().slice(0, 10)
  }
  return months.length === 0 ? [last] : months
}
