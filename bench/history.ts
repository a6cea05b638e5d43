import { readFile, writeFile } from 'node:fs/promises'
import { type HistoryAnswers, createHistoryAnswers } from '../src/answers/history.ts'
import { createDatabase, type Database } from '../src/database/database.ts'
import { createProjection } from '../src/history/projection.ts'
import { dropHistory } from '../src/history/projection-store.ts'
import { createReader } from '../src/ledger/read.ts'
import { createWatch } from '../src/ledger/watch.ts'
import type { LedgerName } from '../src/record/record.ts'
import { type Check, type Figure, median, printNumber } from './figure.ts'
import { cpuSecondsBelow, inChild } from './proc.ts'
import type { BenchService } from './service.ts'
import type { YearAnswer, YearInput } from './year-child.ts'
import { type YearSize, createRandom, largeRepository, pathOf, pickFile } from './year.ts'

/**
 * A year of one large repository and small ones beside it, put into ledgers of an org of its own through the real appender, each ledger in a process
 * of its own. Then the projection from its beginning, and questions about lines and files as of each month, more of them about files that change
 * more. What HTTP adds is not in it, and the clock is that of the bench, so that a month is a twelfth of the runs.
 */

export interface YearPlan extends YearSize {
  questions: number
}

const ledgers: LedgerName[] = ['year/unit', 'year/integration']
const goals = { line: 25, file: 60, size: 15 }

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
    const asked = await askYear(createHistoryAnswers(db, createReader(db, createWatch(db))), year.months, { ...year.size, questions: plan.questions }, check)
    const { recording, projection, records } = year
    const of = `${printNumber(year.size.runs)} runs of ${printNumber(year.size.files)} files, ${year.size.small} repositories beside it, ${printNumber(records)} records`
    const perRecord = ({ cpu, postgres }: MadeYear['recording']): string => `CPU us a record: ${printNumber((cpu / records) * 1e6)}, PostgreSQL ${printNumber((postgres / records) * 1e6)}`
    const [rate, recorded] = [records / projection.wall, records / recording.wall]
    return [
      { what: 'line history, 12 months, p99', unit: 'ms', measured: asked.lines.p99, target: goals.line, better: 'less', runs: [asked.lines.p99], note: `${of}; ${printAsked(asked.lines)}; p99 by month: ${asked.curve.lines.join(', ')}; the first question, which reads the runs: ${printNumber(asked.cold)} ms`, limit: 'round trips to the database, and the pass over the runs' },
      { what: 'file history, 12 months, p99', unit: 'ms', measured: asked.files.p99, target: goals.file, better: 'less', runs: [asked.files.p99], note: `${of}; ${printAsked(asked.files)}; p99 by month: ${asked.curve.files.join(', ')}`, limit: 'lines times change points' },
      { what: 'history: projection, against recording', unit: 'records/s', measured: rate, target: recorded, better: 'more', runs: [rate], note: `${of}, from the beginning, segments read back from the database; ${perRecord(projection)}; recording, ledgers side by side: ${perRecord(recording)}`, limit: 'decompression and the check of every record against the log' },
      { what: 'history: size to that of the segments', unit: '%', measured: (100 * bytes.history) / bytes.segments, target: goals.size, better: 'less', runs: [], note: `${printNumber(bytes.history / 1e6)} MB with indexes beside ${printNumber(bytes.segments / 1e6)} MB: ${bytes.tables.join(', ')}`, limit: 'rows and indexes' },
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

interface Asked {
  p50: number
  p99: number
  /** CPU of this process a question, in ms. */
  cpu: number
}

const printAsked = ({ p50, cpu }: Asked): string => `p50 ${printNumber(p50)} ms, CPU ${printNumber(cpu)} ms a question`

async function askYear(answers: HistoryAnswers, months: readonly string[], { files, questions }: YearPlan, check: Check) {
  const random = createRandom(7)
  const ask = async (asOf: string, what: 'lines' | 'files'): Promise<number> => {
    const question = { repository: largeRepository, path: pathOf(pickFile(random, files)), ref: 'refs/heads/main', asOf }
    const began = performance.now()
    const answer = what === 'lines' ? await answers.lines(ledgers, { ...question, first: 20, last: 20 }) : await answers.files(ledgers, question)
    const text = JSON.stringify(answer)
    const took = performance.now() - began
    check('a history has runs of both suites', answer.evidence.length === 2 && text.includes('"runs":'), text.slice(0, 200))
    return took
  }
  const last = months.at(-1) ?? ''
  const cold = await ask(last, 'lines')
  const curve = { lines: [] as string[], files: [] as string[] }
  for (const what of ['lines', 'files'] as const)
    for (const [i, asOf] of months.entries()) curve[what].push(`${i + 1}: ${printNumber((await askMany(questions / 4, () => ask(asOf, what))).p99)}`)
  const lines = await askMany(questions, () => ask(last, 'lines'))
  return { lines, files: await askMany(questions, () => ask(last, 'files')), curve, cold }
} // oxfmt-ignore

async function askMany(questions: number, ask: () => Promise<number>): Promise<Asked> {
  const before = process.cpuUsage()
  const took: number[] = []
  for (let i = 0; i < questions; i++) took.push(await ask())
  const { user, system } = process.cpuUsage(before)
  took.sort((a, b) => a - b)
  return { p50: median(took), p99: took[Math.ceil(took.length * 0.99) - 1] ?? Number.NaN, cpu: (user + system) / 1000 / questions }
} // oxfmt-ignore
