import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import type { Receipt } from './destination.ts'
import type { Lane } from './lane.ts'
import { type Mark, isMark, markNames } from './marks.ts'
import { widestAttempt } from './order-store.ts'
import { hasMember } from './range.ts'

/** Statements on attempts and outcomes for those who ask what became of some records: read-only, found by key. */

export interface TracedAttempt {
  ledger: LedgerName
  destination: string
  first: number
  last: number
  try: number
  target: string
  /** The order that it carries out; null for one of a cut. */
  redelivery: number | null
  openedAt: Micros
  /** SHA-256 over what was sent, as hex. */
  request: string
  steps: TracedStep[]
  /** By seq. */
  has(seq: number): boolean
  /** What the newest step says of a member: `in_doubt` while there is none. */
  stateOf(seq: number): (typeof markNames)[Mark]
}

export interface TracedStep {
  step: number
  at: Micros
  source: string
  reason: string | null
  receipt: Receipt | null
}

type Row = Omit<TracedAttempt, 'steps' | 'has' | 'stateOf'> & {
  leftOut: Buffer | null
  marks: string | null
  steps: TracedStep[] | null
}

const attemptText = `a.ledger, a.destination, a.first_seq as first, a.last_seq as last, a.left_out as "leftOut", a.try, a.target, a.redelivery,
  a.opened_at as "openedAt", encode(a.request, 'hex') as request,
  (select o.marks from outcomes o where o.ledger = a.ledger and o.destination = a.destination and o.month = a.month and o.first_seq = a.first_seq
     and o.try = a.try order by o.step desc limit 1) as marks,
  (select json_agg(json_build_object('step', o.step, 'at', o.at, 'source', o.source, 'reason', o.reason, 'receipt', o.receipt) order by o.step)
     from (select * from outcomes o where o.ledger = a.ledger and o.destination = a.destination and o.month = a.month
             and o.first_seq = a.first_seq and o.try = a.try order by o.step desc limit $6) as o) as steps`

/** Steps of one attempt: the newest. */
const maxSteps = 20
const maxAttempts = 200

/** Where a ledger is sent. Found by skipping along the key: a lane has a row in `cuts` for each second in which something was sent. */
export async function destinationsOf(db: Queryable, ledger: LedgerName): Promise<string[]> {
  const { rows } = await db.query<{ destination: string }>({
    name: 'destinations_of',
    text: `with recursive found (destination) as (
             (select destination from cuts where ledger = $1 order by destination limit 1)
             union all
             select (select destination from cuts where ledger = $1 and destination > found.destination order by destination limit 1)
             from found where found.destination is not null)
           select destination from found where destination is not null`,
    values: [ledger],
  })
  return rows.map(({ destination }) => destination)
}

/** Attempts of a lane that hold one of these records, in the order in which they were opened. `month` as in their rows. */
export async function attemptsHolding(
  db: Queryable,
  { ledger, destination }: Lane,
  places: readonly { seq: number; month: string }[],
): Promise<TracedAttempt[]> {
  const { rows } = await db.query<Row>({
    name: 'attempts_holding',
    text: `select distinct on (a.first_seq, a.try) ${attemptText}
           from unnest($3::bigint[], $4::date[]) as w(seq, month), lateral (
             select * from attempts where ledger = $1 and destination = $2 and month = w.month
               and first_seq > w.seq - $5::bigint and first_seq <= w.seq and last_seq >= w.seq order by first_seq desc, try desc limit ${maxAttempts}) as a
           order by a.first_seq, a.try`,
    values: [ledger, destination, places.map(({ seq }) => seq), places.map(({ month }) => month), widestAttempt, maxSteps], // oxfmt-ignore
  })
  const attempts = rows.map(toTraced).filter((one) => places.some(({ seq }) => one.has(seq)))
  return attempts.toSorted((a, b) => a.openedAt - b.openedAt || a.first - b.first || a.try - b.try)
}

function toTraced({ leftOut, marks, steps, ...row }: Row): TracedAttempt {
  const range = { first: row.first, leftOut: leftOut ?? undefined }
  const has = (seq: number): boolean => seq <= row.last && hasMember(range, seq)
  return {
    ...row,
    steps: steps ?? [],
    has,
    stateOf(seq) {
      if (marks === null) return markNames.i
      let place = 0
      if (marks.length > 1) for (let at = row.first; at < seq; at++) if (has(at)) place += 1
      const letter = marks[place] ?? ''
      if (!isMark(letter)) throw new Error(`${JSON.stringify(marks)} are no marks`)
      return markNames[letter]
    },
  }
}

/** `splunk:main/unit:1024:1`: destination, ledger, the first seq, and which try. */
export function printAttempt({ destination, ledger, first, try: n }: Pick<TracedAttempt, 'destination' | 'ledger' | 'first' | 'try'>): string {
  return `${destination}:${ledger}:${first}:${n}`
} // oxfmt-ignore

/** As `printAttempt` prints it; also with another seq of the attempt, so that a dead letter's name leads to the attempt it came of. */
export function parseAttempt(text: string): { destination: string; ledger: string; seq: number; try: number } | undefined {
  const match = /^(?:parked:)?([^:]+):([^:]+):(0|[1-9]\d{0,15}):([1-9]\d{0,8})$/.exec(text)
  const [, destination = '', ledger = '', seq = '', n = ''] = match ?? []
  return match === null || !Number.isSafeInteger(Number(seq)) ? undefined : { destination, ledger, seq: Number(seq), try: Number(n) }
} // oxfmt-ignore
