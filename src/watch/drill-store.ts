import { ofOrg } from '../ledger/of-org.ts'
import type { Queryable } from '../database/database.ts'
import type { Lane } from '../delivery/lane.ts'
import { type LedgerName, type Micros, orgOf } from '../record/record.ts'
import type { DrillVerdict } from './drill.ts'

/** Every statement on drills and drill_steps but the one that holds a lane (delivery/pauses.ts). Rows are only inserted. */

export interface DrillRow extends Lane {
  n: number
  startedAt: Micros
  measureAt: Micros
  holdUntil: Micros
  reason: string
  byWhom: string
  /** What was measured while it was held; as `PausedMeasure`. */
  measuredAt: Micros | null
  paused: unknown
  endedAt: Micros | null
  verdict: DrillVerdict | null
  result: unknown
}

const selectDrills = `select d.ledger, d.destination, d.n, d.started_at as "startedAt", d.measure_at as "measureAt", d.hold_until as "holdUntil", d.reason,
    d.by_whom as "byWhom", m.at as "measuredAt", m.result as paused, e.at as "endedAt", e.verdict, e.result
  from drills d
  left join drill_steps m on m.ledger = d.ledger and m.destination = d.destination and m.n = d.n and m.step = 'measured'
  left join drill_steps e on e.ledger = d.ledger and e.destination = d.destination and e.n = d.n and e.step = 'ended'`

/**
 * From here on the lane is held, for `forMicros` and however long measuring takes within `graceMicros`. Undefined, and nothing is held, while
 * a person holds it or another drill of it is under way.
 */
export async function insertDrill(
  db: Queryable,
  lane: Lane,
  drill: { forMicros: number; graceMicros: number; reason: string; byWhom: string },
): Promise<DrillRow | undefined> {
  const { rows } = await db.query<{ n: number }>({
    name: 'insert_drill',
    text: `insert into drills (ledger, destination, n, started_at, measure_at, hold_until, reason, by_whom)
           select $1, $2, (select coalesce(max(n), 0) + 1 from drills where ledger = $1 and destination = $2), clock, clock + $3::bigint,
             clock + $3::bigint + $4::bigint, $5, $6
           from (select clock_micros() as clock) as now
           where not coalesce((select paused from pauses where ledger = $1 and destination = $2 order by n desc limit 1), false)
             and not exists (select from drills d where d.ledger = $1 and d.destination = $2 and not exists (
               select from drill_steps s where s.ledger = d.ledger and s.destination = d.destination and s.n = d.n and s.step = 'ended'))
           on conflict do nothing returning n`,
    values: [lane.ledger, lane.destination, drill.forMicros, drill.graceMicros, drill.reason, drill.byWhom],
  })
  const [row] = rows
  return row === undefined ? undefined : findDrill(db, lane, row.n)
}

async function findDrill(db: Queryable, lane: Lane, n: number): Promise<DrillRow | undefined> {
  const { rows } = await db.query<DrillRow>({
    name: 'find_drill',
    text: `${selectDrills} where d.ledger = $1 and d.destination = $2 and d.n = $3`,
    values: [lane.ledger, lane.destination, n],
  })
  return rows[0]
}

/** Of one org, as every list of drills. */
export async function openDrills(db: Queryable, org: string): Promise<DrillRow[]> {
  const { rows } = await db.query<DrillRow>({
    name: 'open_drills',
    text: `${selectDrills} where ${ofOrg('d.ledger', 1)} and e.n is null order by d.started_at, d.ledger, d.destination`,
    values: [org],
  })
  return rows
}

/** Newest first. */
export async function listDrills(
  db: Queryable,
  org: string,
  destination: string | undefined,
  limit: number,
): Promise<DrillRow[]> {
  const { rows } = await db.query<DrillRow>({
    name: 'list_drills',
    text: `${selectDrills} where ${ofOrg('d.ledger', 3)} and ($1::text is null or d.destination = $1) order by d.started_at desc, d.ledger, d.destination limit $2`,
    values: [destination ?? null, limit, org],
  })
  return rows
}

/** False when that step was taken before: by another process, and then its result stands. */
export async function insertDrillStep(
  db: Queryable,
  { ledger, destination, n }: Pick<DrillRow, 'ledger' | 'destination' | 'n'>,
  step: { step: 'measured' | 'ended'; verdict?: DrillVerdict; result: object },
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'insert_drill_step',
    text: `insert into drill_steps (ledger, destination, n, step, at, verdict, result) values ($1, $2, $3, $4, clock_micros(), $5, $6)
           on conflict do nothing returning 1`,
    values: [ledger, destination, n, step.step, step.verdict ?? null, JSON.stringify(step.result)],
  })
  return rowCount === 1
}

export interface DrillStepRow extends Pick<
  DrillRow,
  'ledger' | 'destination' | 'n' | 'startedAt' | 'reason' | 'byWhom'
> {
  step: 'measured' | 'ended'
  at: Micros
  verdict: DrillVerdict | null
  result: Record<string, unknown>
}

/** Steps whose record was not written: it follows the row, so a crash between the two leaves it out. Oldest first. */
export async function unrecordedDrillSteps(db: Queryable, operations: LedgerName): Promise<DrillStepRow[]> {
  const { rows } = await db.query<DrillStepRow>({
    name: 'unrecorded_drill_steps',
    text: `select d.ledger, d.destination, d.n, d.started_at as "startedAt", d.reason, d.by_whom as "byWhom", s.step, s.at, s.verdict, s.result
           from drill_steps s join drills d on d.ledger = s.ledger and d.destination = s.destination and d.n = s.n
           where ${ofOrg('s.ledger', 2)} and not exists (select from submissions r where r.ledger = $1
             and r.key = 'reconciliation:' || s.destination || '/' || s.ledger || '/drill/' || s.n || '/' || s.step)
           order by s.at, s.ledger, s.destination, s.step desc`,
    values: [operations, orgOf(operations)],
  })
  return rows
}

export const drillKey = ({ destination, ledger, n, step }: DrillStepRow): string =>
  `reconciliation:${destination}/${ledger}/drill/${n}/${step}`

/**
 * The newest record before `below` that was ever parked or found to differ; -1 for none. Whether it is there is known by comparisons, if at all,
 * and nothing to hold against a drill.
 */
export async function newestDoubtful(db: Queryable, lane: Lane, below: number): Promise<number> {
  const { rows } = await db.query<{ seq: number }>({
    name: 'newest_doubtful',
    text: `select coalesce(greatest(
             (select max(seq) from parked where ledger = $1 and destination = $2 and seq < $3),
             (select max(seq) from differences where ledger = $1 and destination = $2 and seq < $3)), -1) as seq`,
    values: [lane.ledger, lane.destination, below],
  })
  return rows[0]?.seq ?? -1
}

export interface DrillsOf {
  destination: string
  /** When anything was first delivered there. */
  begunAt: Micros
  lastHeld: Micros | undefined
  lastEnded: Micros | undefined
  isOpen: boolean
}

/** How every destination that was delivered to stands with its drills. */
export async function drillsByDestination(db: Queryable, org: string): Promise<DrillsOf[]> {
  const { rows } = await db.query<{ [K in keyof DrillsOf]: DrillsOf[K] | null }>({
    name: 'drills_by_destination',
    text: `select p.destination, p.begun as "begunAt", d.held as "lastHeld", d.ended as "lastEnded", coalesce(d.open, false) as "isOpen"
           from (select c.destination, min(f.at) as begun from cuts c cross join lateral (
             select at from positions q where q.ledger = c.ledger and q.destination = c.destination order by at limit 1) as f
             where c.base = -1 and ${ofOrg('c.ledger', 1)} group by c.destination) as p
           left join (
             select d.destination, max(s.at) filter (where s.verdict = 'held') as held, max(s.at) as ended, bool_or(s.n is null) as open
             from drills d left join drill_steps s on s.ledger = d.ledger and s.destination = d.destination and s.n = d.n and s.step = 'ended'
             where ${ofOrg('d.ledger', 1)} group by d.destination) as d on d.destination = p.destination
           order by p.destination`,
    values: [org],
  })
  return rows.map(({ destination, begunAt, lastHeld, lastEnded, isOpen }) => ({
    destination: destination ?? '',
    begunAt: begunAt ?? 0,
    lastHeld: lastHeld ?? undefined,
    lastEnded: lastEnded ?? undefined,
    isOpen: isOpen === true,
  }))
}

/** The lanes of a destination, the one whose last drill is the longest ago first, those that had none before all. */
export async function lanesByDrill(db: Queryable, org: string, destination: string): Promise<LedgerName[]> {
  const { rows } = await db.query<{ ledger: LedgerName }>({
    name: 'lanes_by_drill',
    text: `select c.ledger from cuts c left join lateral (
             select max(started_at) as at from drills d where d.ledger = c.ledger and d.destination = c.destination) as d on true
           where c.destination = $1 and c.base = -1 and ${ofOrg('c.ledger', 2)} order by d.at nulls first, c.ledger desc`,
    values: [destination, org],
  })
  return rows.map(({ ledger }) => ledger)
}
