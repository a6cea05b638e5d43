import { createHash } from 'node:crypto'
import { type HistoryAnswers, createHistoryAnswers } from '../src/answers/history.ts'
import { createDatabase, type Database } from '../src/database/database.ts'
import { createProjection } from '../src/history/projection.ts'
import type { LineCoverage } from '../src/record/coverage.ts'
import type { LineMap } from '../src/record/line-map.ts'
import { fromSorted } from '../src/record/lines.ts'
import type { LedgerName } from '../src/record/record.ts'
import { createMemorySigner, openNode } from '../test/support/ledger.ts'
import { inventorySubmissions, mapSubmissions, runSubmissions } from '../test/support/record-runs.ts'
import { type Check, type Figure, printNumber } from './figure.ts'
import type { BenchService } from './service.ts'

/**
 * A year of one repository, put into ledgers of an org of its own through the real appender: two suites, pull requests beside the main branch,
 * commits that change a few files, runs that differ by a few lines. Then the projection from its beginning, and questions about lines and files as
 * of each month. All in this process: what HTTP adds is not in it, and the clock is that of the bench, so that a month is a twelfth of the runs.
 */

export interface YearSize {
  runs: number
  files: number
  questions: number
}

const repository = 'github.com/acme/year'
const ledgers: LedgerName[] = ['year/unit', 'year/integration']
const goals = { line: 25, file: 60, size: 15 }

interface YearFile {
  path: string
  blob: string
  /** By line, from 1: 0 not instrumented, 1 covered, 2 partial, 3 missed. */
  states: number[]
  coverage: LineCoverage
}

function createRandom(seed: number): (n: number) => number {
  let state = seed
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 4_294_967_296) * n)
  }
}

export async function measureHistory(service: BenchService, size: YearSize, check: Check): Promise<Figure[]> {
  const db = createDatabase({ url: await service.databaseUrl(), maxConnections: 8, queryTimeoutMs: 600_000 })
  try {
    const nodes = await Promise.all(
      ledgers.map(async (ledger) => openNode(db, await createMemorySigner(), 'bench', ledger)),
    )
    const months = await recordYear(
      nodes.map(({ book }) => book),
      size,
    )
    const sizes = await Promise.all(
      nodes.map(async ({ reader }, i) => (await reader.published(ledgers[i]!))?.size ?? 0),
    )
    const records = sizes.reduce((sum, one) => sum + one, 0)
    const began = performance.now()
    for (const [i, { reader }] of nodes.entries())
      await createProjection({ db, reader, readList: async () => undefined }, ledgers[i]!).catchUp(
        sizes[i]!,
        new AbortController().signal,
      )
    const rate = records / ((performance.now() - began) / 1000)
    const bytes = await sizesOf(db)
    const answers = createHistoryAnswers(db, nodes[0]!.reader)
    const { lines, files, curve, cold } = await askYear(answers, months, size, check)
    for (const { book } of nodes) await book.close()
    const of = `${printNumber(size.runs)} runs, ${printNumber(size.files)} files, ${printNumber(records)} records`
    return [
      { what: 'line history, 12 months, p99', unit: 'ms', measured: lines, target: goals.line, better: 'less', runs: [lines], note: `${of}; by month: ${curve.join(', ')}; the first question, which reads the runs: ${printNumber(cold)} ms`, limit: 'round trips to the database, and the pass over the runs' },
      { what: 'file history, 12 months, p99', unit: 'ms', measured: files, target: goals.file, better: 'less', runs: [files], note: of, limit: 'lines times change points' },
      { what: 'history: projection', unit: 'records/s', measured: rate, target: 95_000, better: 'more', runs: [rate], note: `${of}, from the beginning, segments read back from the database`, limit: 'decompression and the check of every record against the log' },
      { what: 'history: size to that of the segments', unit: '%', measured: (100 * bytes.history) / bytes.segments, target: goals.size, better: 'less', runs: [], note: `${printNumber(bytes.history / 1e6)} MB with indexes beside ${printNumber(bytes.segments / 1e6)} MB`, limit: 'rows and indexes' },
    ] // oxfmt-ignore
  } finally {
    await db.end()
  }
}

type Books = Parameters<typeof runSubmissions>[0][]

/** Sizes of both ledgers after each twelfth of the runs, as an as_of. */
async function recordYear(books: Books, { runs, files: count }: YearSize): Promise<string[]> {
  const random = createRandom(20_261_130)
  const files = Array.from({ length: count }, (_, i) => aFile(`src/module${i % 40}/file${i}.ts`, random))
  const months: string[] = []
  const sizes = [0, 0]
  let parents: string[] = []
  for (let commit = 0; commit < runs / 2; commit++) {
    const isPull = random(10) < 3
    const id = createHash('sha1').update(`commit ${commit}`).digest('hex')
    const maps: LineMap[] = []
    const kept = new Map<number, YearFile>()
    for (let changes = commit === 0 ? 0 : 1 + random(4); changes > 0; changes--) {
      const at = random(count)
      const before = files[at]!
      if (kept.has(at)) continue
      kept.set(at, before)
      const { file, hunks } = edit(before, random)
      files[at] = file
      maps.push({ from: { path: file.path, blob: before.blob }, to: { path: file.path, blob: file.blob }, hunks })
    }
    for (const [i, book] of books.entries()) {
      // A few lines of this suite differ from run to run.
      const flipped = new Map<number, YearFile>()
      for (let flips = random(3); flips > 0; flips--) {
        const at = random(count)
        flipped.set(at, withFlip(files[at]!, random))
      }
      const type = i === 0 ? 'unit' : 'integration'
      const run = `bench.${commit}.all.${type}`
      const listed = Object.fromEntries(files.map(({ path, blob }) => [path, blob]))
      const brought = { from: parents[0] ?? id, to: id, run }
      const recorded = await book.appender.submit([
        ...(await inventorySubmissions(book, repository, id, listed)),
        ...(parents.length === 0 ? [] : mapSubmissions(book, repository, brought, maps)),
        ...(await runSubmissions(book, {
          run, repository, suite: 'all', commit: id, ref: isPull ? `refs/pull/${commit}/merge` : 'refs/heads/main',
          parents: parents.slice(0, 40), committedAt: new Date(1_764_000_000_000 + commit * 3_600_000).toISOString(),
          parts: [{ name: 'lcov.info', files: files.map((file, at) => (flipped.get(at) ?? file).coverage) }],
        })),
      ]) // oxfmt-ignore
      sizes[i] = recorded.at(-1)!.lastSeq + 1
    }
    if (isPull) for (const [at, file] of kept) files[at] = file // what a pull request changed is not on the branch
    else parents = [id, ...parents.slice(0, 255)]
    if (Math.floor(((commit + 1) * 24) / runs) > months.length) months.push(`unit:${sizes[0]},integration:${sizes[1]}`)
  }
  return months
}

function aFile(path: string, random: (n: number) => number): YearFile {
  const states = [0]
  const lines = 40 + random(200)
  while (states.length <= lines) {
    const state = [0, 1, 1, 1, 2, 3][random(6)]!
    for (let n = 1 + random(8); n > 0; n--) states.push(state)
  }
  return toFile(path, states)
}

function toFile(path: string, states: number[], blob = createHash('sha1').update(`${path} ${states.join('')}`).digest('hex')): YearFile {
  const of = (state: number) => fromSorted(states.flatMap((one, line) => (line > 0 && one === state ? [line] : [])))
  const coverage: LineCoverage = { path, blob, metric: 'line', definition: 'lcov.da@1', covered: of(1), partial: of(2), missed: of(3) }
  return { path, blob, states, coverage }
} // oxfmt-ignore

/** Some lines come in and one is changed. */
function edit({ path, states }: YearFile, random: (n: number) => number): { file: YearFile; hunks: number[] } {
  const at = 1 + random(states.length - 1)
  const added = 1 + random(4)
  const after = [...states.slice(0, at), ...Array.from({ length: added }, () => random(4)), ...states.slice(at)]
  return { file: toFile(path, after), hunks: [at - 1, 0, at, added] }
}

function withFlip({ path, blob, states }: YearFile, random: (n: number) => number): YearFile {
  const flipped = [...states]
  flipped[1 + random(states.length - 1)] = 1 + random(3)
  return toFile(path, flipped, blob)
}

async function sizesOf(db: Database): Promise<{ history: number; segments: number }> {
  const { rows } = await db.query<{ history: number; segments: number }>({
    text: `select sum(pg_total_relation_size(c.oid)) filter (where c.relname like 'history_%' and n.nspname = 'proofline_derived')::bigint as history,
                  sum(pg_total_relation_size(c.oid)) filter (where c.relname like 'segments_%' and n.nspname = 'proofline')::bigint as segments
           from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r'`,
  })
  return { history: rows[0]?.history ?? 0, segments: rows[0]?.segments ?? 0 }
}

async function askYear(answers: HistoryAnswers, months: readonly string[], { files, questions }: YearSize, check: Check) {
  const random = createRandom(7)
  const ask = async (asOf: string, what: 'lines' | 'files'): Promise<number> => {
    const at = random(files)
    const question = { repository, path: `src/module${at % 40}/file${at}.ts`, ref: 'refs/heads/main', asOf }
    const began = performance.now()
    const answer = what === 'lines' ? await answers.lines(ledgers, { ...question, first: 20, last: 20 }) : await answers.files(ledgers, question)
    const text = JSON.stringify(answer)
    const took = performance.now() - began
    check('a history has runs of both suites', answer.evidence.length === 2 && text.includes('"runs":'), text.slice(0, 200))
    return took
  }
  const last = months.at(-1) ?? ''
  const cold = await ask(last, 'lines')
  const curve: string[] = []
  for (const [i, asOf] of months.entries()) curve.push(`${i + 1}: ${printNumber(await p99(questions / 4, () => ask(asOf, 'lines')))}`)
  const lines = await p99(questions, () => ask(last, 'lines'))
  return { lines, files: await p99(questions / 4, () => ask(last, 'files')), curve, cold }
} // oxfmt-ignore

async function p99(questions: number, ask: () => Promise<number>): Promise<number> {
  const took: number[] = []
  for (let i = 0; i < questions; i++) took.push(await ask())
  took.sort((a, b) => a - b)
  return took[Math.ceil(took.length * 0.99) - 1] ?? Number.NaN
}
