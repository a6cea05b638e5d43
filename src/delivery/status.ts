import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import { cutEnds, openAttempts } from './attempts.ts'
import { foundAttempt, monthsBetween, progressOf } from './open-attempt.ts'
import type { Lane } from './lane.ts'
import { type LaneFailure, lastFailure } from './last-failure.ts'
import { currentPause } from './pauses.ts'
import { lanes, latestPosition, latestStanding } from './places.ts'

export interface LaneStatus {
  destination: string
  ledger: LedgerName
  state: 'running' | 'paused' | 'blocked'
  /** Why it is blocked or paused; `weaker_proof` of a running one whose own proof does not come. */
  reason: string | undefined
  detail: string
  since: Micros | null
  /** Where it started, and where its cuts end. */
  start: number
  next: number
  sentTo: number
  provedTo: number
  /** Attempts on their way, whose outcome is not due yet. */
  inFlight: number
  inDoubt: number
  inDoubtSince: Micros | null
  parked: number
  /** Why what is open was not taken when it was tried last; undefined when nothing is open, or nothing failed. */
  failure: LaneFailure | undefined
}

/** Where every destination stands, from the database alone: any node can answer. */
export async function deliveryStatus(db: Queryable, now: Date = new Date()): Promise<LaneStatus[]> {
  const all: LaneStatus[] = []
  for (const lane of await lanes(db)) {
    const ends = await cutEnds(db, lane)
    if (ends === undefined) continue
    const position = await latestPosition(db, lane)
    const months = monthsBetween(position?.openMonth ?? ends.firstMonth ?? ends.lastMonth, ends.lastMonth)
    const open = (await openAttempts(db, lane, months, position?.openFrom ?? 0)).map(foundAttempt)
    const inFlight = open.filter(({ hand, row }) => hand === 'lost' && row.deadline > now.getTime() * 1000)
    for (const attempt of inFlight) attempt.hand = 'held'
    const { sentTo, provedTo, inDoubt, inDoubtSince } = progressOf(open, ends.next, ends.lastMonth)
    const pause = await currentPause(db, lane)
    const standing =
      pause === undefined
        ? await latestStanding(db, lane)
        : { state: 'paused' as const, reason: `by ${pause.byWhom}`, detail: pause.reason, at: pause.at }
    all.push({
      destination: lane.destination,
      ledger: lane.ledger,
      state: standing?.state ?? 'running',
      reason: standing === undefined || standing.reason === 'none' ? undefined : standing.reason,
      detail: standing?.detail ?? '',
      since: standing?.at ?? null,
      start: ends.start,
      next: ends.next,
      sentTo,
      provedTo,
      inFlight: inFlight.length,
      inDoubt,
      inDoubtSince: inDoubtSince ?? null,
      parked: await countDeadLetters(db, lane),
      failure: await lastFailure(db, lane, open.map(({ row }) => row)), // oxfmt-ignore
    })
  }
  return all
}

export interface DeadLetter {
  ledger: LedgerName
  destination: string
  seq: number
  try: number
  id: string
  kind: 'refused' | 'unresolved' | 'unproved'
  reason: string
  at: Micros
  /** What the destination answered, redacted and cut short. */
  answer: unknown
}

/** Where a page begins: behind this one. */
export type DeadLetterPlace = Pick<DeadLetter, 'at' | 'ledger' | 'seq' | 'try' | 'destination'>

/** What is parked and has not left the list, oldest first. */
export async function listDeadLetters(
  db: Queryable,
  filter: { destination?: string; limit?: number; after?: DeadLetterPlace } = {},
): Promise<DeadLetter[]> {
  const { after } = filter
  const { rows } = await db.query<DeadLetter>({
    name: 'list_dead_letters',
    text: `select p.ledger, p.destination, p.seq, p.try, p.id, p.kind, p.reason, p.at,
             (select o.answer - 'cookie' from outcomes o where o.ledger = p.ledger and o.destination = p.destination and o.month = p.month
                and o.first_seq = p.first_seq and o.try = p.try and o.answer is not null order by o.step desc limit 1) as answer
           from parked p where ($1::text is null or p.destination = $1) and not exists (
             select from parked_ends e where e.ledger = p.ledger and e.destination = p.destination and e.seq = p.seq and e.try = p.try)
             and ($3::bigint is null or (p.at, p.ledger, p.seq, p.try, p.destination) > ($3::bigint, $4::text, $5::bigint, $6::integer, $7::text))
           order by p.at, p.ledger, p.seq, p.try, p.destination limit $2`,
    values: [filter.destination ?? null, filter.limit ?? 1_000, after?.at ?? null, after?.ledger ?? null, after?.seq ?? null, after?.try ?? null, after?.destination ?? null], // oxfmt-ignore
  })
  return rows
}

export async function countDeadLetters(db: Queryable, lane: Lane): Promise<number> {
  const { rows } = await db.query<{ n: number }>({
    name: 'count_dead_letters',
    text: `select count(*) as n from parked p where p.ledger = $1 and p.destination = $2 and not exists (
             select from parked_ends e where e.ledger = p.ledger and e.destination = p.destination and e.seq = p.seq and e.try = p.try)`,
    values: [lane.ledger, lane.destination],
  })
  return rows[0]?.n ?? 0
}
