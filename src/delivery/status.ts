import { ofOrg } from '../ledger/of-org.ts'
import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import { foundAttempt, progressOf } from './open-attempt.ts'
import { readLane } from './lane-state.ts'
import type { Lane } from './lane.ts'
import { type LaneFailure, lastFailure } from './last-failure.ts'
import { type Order, ordersSince } from './order-store.ts'
import { currentPause } from './pauses.ts'
import { lanes, latestStanding } from './places.ts'

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
  /** Orders to send again that have not ended, and those that ended within a day. */
  orders: Order[]
  /** Why what is open was not taken when it was tried last; undefined when nothing is open, or nothing failed. */
  failure: LaneFailure | undefined
}

const dayMicros = 86_400_000_000

/** Where every destination of an org stands, from the database alone: any node can answer. */
export async function deliveryStatus(db: Queryable, org: string, now: Date = new Date()): Promise<LaneStatus[]> {
  const all: LaneStatus[] = []
  for (const lane of await lanes(db, org)) {
    const status = await laneStatus(db, lane, now)
    if (status !== undefined) all.push(status)
  }
  return all
}

/** Where one stands; undefined when it has not begun. */
export async function laneStatus(db: Queryable, lane: Lane, now: Date = new Date()): Promise<LaneStatus | undefined> {
  const found = await readLane(db, lane)
  if (found === undefined) return undefined
  const { ends } = found
  const open = found.open.map(foundAttempt)
  const inFlight = open.filter(({ hand, row }) => hand === 'lost' && row.deadline > now.getTime() * 1000)
  for (const attempt of inFlight) attempt.hand = 'held'
  const { sentTo, provedTo, inDoubt, inDoubtSince } = progressOf(open, ends.next, ends.lastMonth)
  const pause = await currentPause(db, lane)
  const standing =
    pause === undefined
      ? await latestStanding(db, lane)
      : { state: 'paused' as const, reason: `by ${pause.byWhom}`, detail: pause.reason, at: pause.at }
  return {
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
    orders: await ordersSince(db, lane, now.getTime() * 1000 - dayMicros),
    failure: await lastFailure(db, lane, open.map(({ row }) => row)), // oxfmt-ignore
  }
}

export const parkedKinds = ['refused', 'unresolved', 'unproved'] as const
export const differenceKinds = ['missing', 'duplicated', 'altered', 'foreign'] as const
export const deadLetterKinds = [...parkedKinds, ...differenceKinds] as const

/** A record that waits for a decision: parked by delivery, or found to differ by a comparison. */
export interface DeadLetter {
  /** Its name in the list. */
  letter: string
  ledger: LedgerName
  destination: string
  /** -1 for an id that is none of ours. */
  seq: number
  /** The try that was parked; null for what a comparison found. */
  try: number | null
  id: string
  kind: (typeof deadLetterKinds)[number]
  reason: string
  at: Micros
  /** What the destination answered, redacted and cut short. */
  answer: unknown
}

/** Where a page begins: behind this one. */
export type DeadLetterPlace = Pick<DeadLetter, 'at' | 'letter'>

export interface DeadLetterFilter {
  org: string
  destination?: string | undefined
  ledger?: LedgerName | undefined
  kind?: DeadLetter['kind'] | undefined
  letters?: readonly string[] | undefined
}

/** What waits for a decision, oldest first. */
export async function listDeadLetters(
  db: Queryable,
  filter: DeadLetterFilter & { limit?: number; after?: DeadLetterPlace },
): Promise<DeadLetter[]> {
  const { org, destination, ledger, kind, letters, after, limit = 1_000 } = filter
  const { rows } = await db.query<DeadLetter>({
    name: 'list_dead_letters',
    text: `with page as (
             select * from (
               select 'parked:' || p.destination || ':' || p.ledger || ':' || p.seq || ':' || p.try as letter, p.ledger, p.destination, p.seq, p.try,
                 p.id, p.kind, p.reason, p.at, p.month, p.first_seq
               from parked p where ${ofOrg('p.ledger', 8)} and ($1::text is null or p.destination = $1) and not exists (
                 select from parked_ends e where e.ledger = p.ledger and e.destination = p.destination and e.seq = p.seq and e.try = p.try)
               union all
               select d.kind || ':' || d.destination || ':' || d.ledger || ':' || d.id, d.ledger, d.destination, d.seq, null, d.id, d.kind, d.detail,
                 d.at, null, null
               from (select distinct on (ledger, destination, kind, id) * from differences where ${ofOrg('ledger', 8)} and ($1::text is null or destination = $1)
                 order by ledger, destination, kind, id, n desc) as d where d.state = 'found') as l
             where ($2::text is null or ledger = $2) and ($3::text is null or kind = $3) and ($4::text[] is null or letter = any($4))
               and ($5::bigint is null or (at, letter collate "C") > ($5::bigint, $6::text))
             order by at, letter collate "C" limit $7)
           select letter, ledger, destination, seq, try, id, kind, reason, at,
             (select o.answer - 'cookie' from outcomes o where o.ledger = page.ledger and o.destination = page.destination and o.month = page.month
                and o.first_seq = page.first_seq and o.try = page.try and o.answer is not null order by o.step desc limit 1) as answer
           from page order by at, letter collate "C"`,
    values: [destination ?? null, ledger ?? null, kind ?? null, letters ?? null, after?.at ?? null, after?.letter ?? null, limit, org], // oxfmt-ignore
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
