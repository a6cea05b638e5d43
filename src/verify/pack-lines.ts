import { type LineRanges, noLines, parseLines, printLines, subtract, unite } from '../record/lines.ts'
import { sha256Hex } from '../record/sha256.ts'
import { csvLine } from './csv.ts'
import { type PackQuestion, kindOf } from './pack-format.ts'

/** The history of a file, or of lines of it: what each run of the period says, and where that changes. */

/** One run that ended within the period. */
export interface LineRow {
  ledger: string
  suite: string
  ref: string
  run: string
  commit: string
  counted: boolean
  /** Of the seal or abandonment. */
  ended: number
  /** Ids of the file's coverage records in the parts that count; empty: the run did not measure the file, or does not count. */
  records: string[]
  state: string
}

export interface LineInterval {
  ledger: string
  suite: string
  ref: string
  state: string
  runs: number
  first: { run: string; commit: string; ended: number; records: string[] }
  last: { run: string; commit: string; ended: number; records: string[] }
  /** SHA-256 over the record ids of all its rows, each with a newline. */
  ids_sha256: string
}

export const notMeasured = 'not measured'
/** The run does not count, whatever its reports say. */
export const notCounted = 'not counted'

/**
 * What coverage records of one file say of the lines asked for, of all lines when none are: windows follow one another, and of parts that
 * measure the same file a line is covered when one says so, else partial, else missed. One clause for each definition; mutants say nothing here.
 */
export function stateOfLines(records: readonly Readonly<Record<string, unknown>>[], lines: string | undefined): string {
  const clauses = [...new Set(records.map(({ definition }) => String(definition)))].toSorted().map((definition) => {
    const own = records.filter((record) => String(record['definition']) === definition)
    const [covered, partial, missed] = ['covered', 'partial', 'missed'].map((name) => unionOf(own, name))
    const executed = unite(covered ?? noLines, partial ?? noLines)
    const sets = [
      ['covered', covered ?? noLines],
      ['partial', subtract(partial ?? noLines, covered ?? noLines)],
      ['missed', subtract(missed ?? noLines, executed)],
    ] as const
    const said = sets.map(([name, set]) => [name, lines === undefined ? set : within(set, lines)] as const)
    const named = said.filter(([, set]) => set.length > 0).map(([name, set]) => `${name} ${printLines(set)}`)
    const blobs = [...new Set(own.map(({ blob }) => (typeof blob === 'string' ? blob : 'unknown')))].join(' ')
    return `${named.length === 0 ? 'not instrumented' : named.join('; ')} [${definition}, blob ${blobs}]`
  })
  return clauses.length === 0 ? notMeasured : clauses.join(' | ')
}

const unionOf = (records: readonly Readonly<Record<string, unknown>>[], name: string): LineRanges =>
  records.reduce<LineRanges>((union, { ranges }) => {
    const text = (ranges as Partial<Record<string, unknown>> | undefined)?.[name]
    return typeof text === 'string' ? unite(union, parseLines(text)) : union
  }, noLines)

function within(set: LineRanges, lines: string): number[] {
  const [from = 0, to = from] = lines.split('-').map(Number)
  const found: number[] = []
  for (let i = 0; i < set.length; i += 2) {
    const [a, b] = [Math.max(from, set[i] ?? 0), Math.min(to, set[i + 1] ?? 0)]
    if (a <= b) found.push(a, b)
  }
  return found
}

/** Intervals of equal state, per ledger, suite and ref, in the order in which runs ended. */
export function foldLines(rows: readonly LineRow[]): LineInterval[] {
  const open = new Map<string, { interval: LineInterval; ids: string[] }>()
  const all: { interval: LineInterval; ids: string[] }[] = []
  for (const { ledger, suite, ref, run, commit, ended, records, state } of rows) {
    const key = JSON.stringify([ledger, suite, ref])
    const place = { run, commit, ended, records }
    const last = open.get(key)
    if (last?.interval.state === state) {
      last.interval.runs++
      last.interval.last = place
      last.ids.push(...records)
      continue
    }
    const next = { interval: { ledger, suite, ref, state, runs: 1, first: place, last: place, ids_sha256: '' }, ids: [...records] } // oxfmt-ignore
    open.set(key, next)
    all.push(next)
  }
  const encoder = new TextEncoder()
  for (const { interval, ids } of all) interval.ids_sha256 = sha256Hex(encoder.encode(ids.map((id) => `${id}\n`).join(''))) // oxfmt-ignore
  return all.map(({ interval }) => interval)
}

export const printRow = (row: LineRow): string => `${JSON.stringify(row)}\n`

export function printLineHistory(
  { repository, path, lines }: PackQuestion,
  intervals: readonly LineInterval[],
): string {
  const document = {
    schema: 'proofline.line-history.v1',
    repository,
    path,
    lines: lines ?? null,
    order: 'as runs ended; lines by their number in the blob that is named, maps between blobs lie in lines/maps',
    intervals,
  }
  return `${JSON.stringify(document, undefined, 1)}\n`
}

export function printLineTable(rows: readonly LineRow[]): string {
  const head = ['ledger', 'suite', 'ref', 'run', 'commit', 'counted', 'ended_seq', 'state', 'records']
  const cells = rows.map(({ ledger, suite, ref, run, commit, counted, ended, state, records }) => [ledger, suite, ref, run, commit, counted, ended, state, records.join(' ')]) // oxfmt-ignore
  return [head, ...cells].map(csvLine).join('')
}

/** Where an interval begins and ends: these rows are shown with proofs. */
export function changePoints(
  intervals: readonly LineInterval[],
): { ledger: string; run: string; ended: number; records: string[] }[] {
  const points = new Map<string, { ledger: string; run: string; ended: number; records: string[] }>()
  for (const { ledger, first, last } of intervals)
    for (const { run, ended, records } of [first, last])
      points.set(`${ledger} ${ended} ${records.join()}`, { ledger, run, ended, records })
  return [...points.values()]
}

export const lineNames = {
  rows: 'lines/rows.ndjson',
  table: 'lines/runs.csv',
  history: 'lines/history.json',
  /** Without its ending. */
  point: (ledger: string, seq: number): string => `lines/points/${kindOf(ledger)}-${seq}`,
  map: (ledger: string, seq: number): string => `lines/maps/${kindOf(ledger)}-${seq}`,
} as const
