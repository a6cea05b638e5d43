import { csvLine } from './csv.ts'
import type { PackRecord } from './pack-account.ts'

/** What became of each run of the period: counted, or why not. */
export interface RunsTable {
  add(ledger: string, record: PackRecord): void
  print(): string
  /** Runs that nothing ended within the period: cells of exceptions.csv. */
  open(): { run: string; cells: readonly unknown[] }[]
  counts(): RunCounts
  /** Runs that ended with a seal, for drawing: in order of ledger, then seq. */
  sealed(): readonly SealedRun[]
}

export interface RunCounts {
  counted: number
  not_counted: number
  abandoned: number
  open: number
  /** By test type and suite, in order of name. */
  suites: { repository: string; suite: string; test_type: string; counted: number; not_counted: number }[]
}

export interface SealedRun {
  ledger: string
  seq: number
  run: string
  /** Of the members that a sample can be stratified by. */
  repository: string
  suite: string
  test_type: string
  ref: string
  outcome: string
}

const header = csvLine(['ledger', 'run', 'state', 'reasons', 'repository', 'commit', 'ref', 'build', 'suite', 'test_type', 'declared_seq', 'declared_at', 'ended_seq', 'ended_at', 'outcome', 'tests', 'parts', 'by', 'totals']) // oxfmt-ignore

export function createRunsTable(): RunsTable {
  const rows: string[] = []
  const open = new Map<string, { ledger: string; record: PackRecord }>()
  const sealed: SealedRun[] = []
  const suites = new Map<string, RunCounts['suites'][number]>()
  const sums = { counted: 0, not_counted: 0, abandoned: 0 }

  const rowOf = (ledger: string, state: string, of: PackRecord, start?: PackRecord, end?: PackRecord): string => {
    const { fields } = of
    const of_ = (name: string): unknown => fields[name]
    const members = ['repository', 'commit', 'ref', 'build', 'suite', 'test_type'].map(of_)
    const places = [start?.seq, start?.recorded_at, end?.seq, end?.recorded_at]
    return csvLine([ledger, of_('run'), state, of_('reasons'), ...members, ...places, ...['outcome', 'tests', 'parts', 'by', 'totals'].map(of_)]) // oxfmt-ignore
  }

  return {
    add(ledger, record) {
      const { kind, fields, seq } = record
      const run = String(fields['run'])
      if (kind === 'run') open.set(run, { ledger, record })
      if (kind !== 'seal' && kind !== 'abandonment') return
      const state = kind === 'abandonment' ? 'abandoned' : fields['admitted'] === true ? 'counted' : 'not counted'
      rows.push(rowOf(ledger, state, record, open.get(run)?.record, record))
      open.delete(run)
      const of = { repository: String(fields['repository']), suite: String(fields['suite']), test_type: String(fields['test_type']) } // oxfmt-ignore
      const key = JSON.stringify([of.repository, of.test_type, of.suite])
      const suite = suites.get(key) ?? { ...of, counted: 0, not_counted: 0 }
      suites.set(key, suite)
      suite[state === 'counted' ? 'counted' : 'not_counted']++
      sums[state === 'abandoned' ? 'abandoned' : state === 'counted' ? 'counted' : 'not_counted']++
      if (kind === 'seal')
        sealed.push({
          ledger,
          seq,
          run,
          ...of,
          ref: typeof fields['ref'] === 'string' ? fields['ref'] : '',
          outcome: String(fields['outcome']),
        })
    },
    print: () =>
      header + rows.join('') + [...open.values()].map(({ ledger, record }) => rowOf(ledger, 'open', record, record)).join(''), // oxfmt-ignore
    open: () =>
      [...open.values()].map(({ ledger, record: { seq, recorded_at, id, fields } }) => ({
        run: String(fields['run']),
        cells: ['not ended within the period', ledger, seq, recorded_at, id, fields['run'], ''],
      })),
    counts: () => ({
      ...sums,
      open: open.size,
      suites: [...suites].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, suite]) => suite),
    }),
    sealed: () => sealed,
  }
}
