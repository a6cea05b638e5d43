import { readFile, writeFile } from 'node:fs/promises'
import { createDatabase, type Database } from '../src/database/database.ts'
import { createProjection } from '../src/history/projection.ts'
import { dropHistory } from '../src/history/projection-store.ts'
import { createReader } from '../src/ledger/read.ts'
import { createWatch } from '../src/ledger/watch.ts'
import type { LedgerName } from '../src/record/record.ts'
import { type Asked, askYear } from './ask-year.ts'
import { type Check, type Figure, printNumber } from './figure.ts'
import { cpuSecondsBelow, inChild } from './proc.ts'
import type { BenchService } from './service.ts'
import type { YearAnswer, YearInput } from './year-child.ts'
import type { YearSize } from './year.ts'

/**
 * A year of one large repository and small ones beside it, put into ledgers of an org of its own through the real appender, each ledger in a process
 * of its own. Then the projection from its beginning, and questions about lines and files as of each month, more of them about files that change
 * more. What HTTP adds is not in it, and the clock is that of the bench, so that a month is a twelfth of the runs.
 */

export interface YearPlan extends YearSize {
  questions: number
}

const ledgers: LedgerName[] = ['year/unit', 'year/integration']
const goals = [
  { kind: 'lines', what: 'line history, 12 months, p99', target: 25, limit: 'round trips to the database, and the pass over the runs' },
  { kind: 'files', what: 'file history, 12 months, p99', target: 60, limit: 'lines times change points' },
  { kind: 'report', what: 'report of a commit, p99', target: 150, limit: 'records of four runs, decompressed, checked and read' },
] as const // oxfmt-ignore
const maxSize = 15

/** What was measured while a year was made: kept beside it, so that it is asked again without being made again. */
interface MadeYear {
  size: YearSize
  months: string[]
  runs: number
  records: number
  recording: { wall: number; cpu: number; postgres: number }
  projection: { wall: number; cpu: number; postgres: number }
}

/** Where what was measured of the year is kept, when its database is; `rebuild` measures the projection again. */
export interface KeptYear {
  file: string
  rebuild: boolean
}

export async function measureHistory(service: BenchService, plan: YearPlan, kept: KeptYear | undefined, check: Check): Promise<Figure[]> {
  const url = await service.databaseUrl()
  const db = createDatabase({ url, maxConnections: 8, queryTimeoutMs: 600_000 })
  try {
    const text = kept === undefined ? undefined : await readFile(kept.file, 'utf8').catch(() => undefined)
    const known = text === undefined ? undefined : (JSON.parse(text) as MadeYear) // written below
    const made = known ?? (await makeYear(service, db, plan))
    const year = known === undefined || kept?.rebuild === true ? { ...made, projection: await project(service, db) } : known
    if (kept !== undefined && year !== known) await writeFile(kept.file, `${JSON.stringify(year, undefined, 1)}\n`)
    const bytes = await sizesOf(db)
    const asked = await askYear(db, ledgers, year.months, { ...year.size, questions: plan.questions }, check)
    const { recording, projection, records } = year
    const of = `${printNumber(year.size.runs)} runs of ${printNumber(year.size.files)} files, ${year.size.small} repositories beside it, ${printNumber(records)} records`
    const perRecord = ({ cpu, postgres }: MadeYear['recording']): string => `CPU us a record: ${printNumber((cpu / records) * 1e6)}, PostgreSQL ${printNumber((postgres / records) * 1e6)}`
    const [rate, recorded] = [records / projection.wall, records / recording.wall]
    return [
      ...goals.map((goal) => toFigure(goal, of, asked[goal.kind])),
      { what: 'history: projection, against recording', unit: 'records/s', measured: rate, target: recorded, better: 'more', runs: [rate], note: `${of}, from the beginning, segments read back from the database; ${perRecord(projection)}; recording, ledgers side by side: ${perRecord(recording)}`, limit: 'decompression and the check of every record against the log' },
      { what: 'history: size to that of the segments', unit: '%', measured: (100 * bytes.history) / bytes.segments, target: maxSize, better: 'less', runs: [], note: `${printNumber(bytes.history / 1e6)} MB with indexes beside ${printNumber(bytes.segments / 1e6)} MB: ${bytes.tables.join(', ')}`, limit: 'rows and indexes' },
    ] // oxfmt-ignore
  } finally {
    await db.end()
  }
} // oxfmt-ignore

async function makeYear(
  service: BenchService,
  db: Database,
  { runs, files, small }: YearSize,
): Promise<Omit<MadeYear, 'projection'>> {
  const size = { runs, files, small }
  const databaseUrl = await service.databaseUrl()
  const postgres = cpuSecondsBelow(service.pid)
  const made = await Promise.all(
    ledgers.map((ledger) =>
      inChild<YearAnswer>('./year-child.ts', { databaseUrl, ledger, size } satisfies YearInput, profiling()),
    ),
  )
  const [unit, integration] = made.map(({ months }) => months)
  return {
    size,
    months: (unit ?? []).map((n, i) => `unit:${n},integration:${integration?.[i] ?? 0}`),
    runs: made.reduce((sum, one) => sum + one.runs, 0),
    records: (await publishedSizes(db)).reduce((sum, one) => sum + one, 0),
    recording: {
      wall: Math.max(...made.map(({ wall }) => wall)),
      cpu: made.reduce((sum, one) => sum + one.cpu, 0),
      postgres: cpuSecondsBelow(service.pid) - postgres,
    },
  }
}

const publishedSizes = (db: Database): Promise<number[]> => {
  const reader = createReader(db, createWatch(db))
  return Promise.all(ledgers.map(async (ledger) => (await reader.published(ledger))?.size ?? 0))
}

/** From nothing; both ledgers at once in one process, as a service does. */
async function project(service: BenchService, db: Database): Promise<MadeYear['projection']> {
  for (const ledger of ledgers) await db.transaction((tx) => dropHistory(tx, ledger))
  const sizes = await publishedSizes(db)
  const reader = createReader(db, createWatch(db))
  const postgres = cpuSecondsBelow(service.pid)
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  await Promise.all(
    ledgers.map((ledger, i) =>
      createProjection({ db, reader, readList: async () => undefined }, ledger).catchUp(
        sizes[i] ?? 0,
        new AbortController().signal,
      ),
    ),
  )
  const { user, system } = process.cpuUsage(cpu)
  return {
    wall: (performance.now() - began) / 1000,
    cpu: (user + system) / 1e6,
    postgres: cpuSecondsBelow(service.pid) - postgres,
  }
}

function profiling(): string[] {
  return (process.env['BENCH_NODE_OPTIONS'] ?? '').split(' ').filter(Boolean)
}

async function sizesOf(db: Database): Promise<{ history: number; segments: number; tables: string[] }> {
  const { rows } = await db.query<{ name: string; bytes: number }>({
    text: `select regexp_replace(c.relname, '^segments_.*', 'segments') as name, sum(pg_total_relation_size(c.oid))::bigint as bytes
           from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind = 'r' and (c.relname like 'history_%' and n.nspname = 'proofline_derived' or c.relname like 'segments_%' and n.nspname = 'proofline')
           group by 1 order by 2 desc`,
  })
  const history = rows.filter(({ name }) => name !== 'segments')
  return {
    history: history.reduce((sum, { bytes }) => sum + bytes, 0),
    segments: rows.find(({ name }) => name === 'segments')?.bytes ?? 0,
    tables: history.slice(0, 6).map(({ name, bytes }) => `${name.replace('history_', '')} ${printNumber(bytes / 1e6)}`),
  }
}

function toFigure({ what, target, limit }: (typeof goals)[number], of: string, { p50, p99, cpu, cold, curve }: Asked): Figure {
  const ms = [p50, cold, cpu].map(printNumber) as [string, string, string]
  const note = `${of}; p50 ${ms[0]} ms, the first one ${ms[1]} ms, CPU ${ms[2]} ms a question; p99 by month: ${curve.map(printNumber).join(', ')}`
  return { what, unit: 'ms', measured: p99, target, better: 'less', runs: [p99], note, limit }
} // oxfmt-ignore
