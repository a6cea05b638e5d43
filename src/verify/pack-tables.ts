import { csvLine } from './csv.ts'
import type { PackRecord } from './pack-account.ts'
import { columnsOf } from './pack-columns.ts'
import { exceptionOf, explanationOf, notedAs } from './pack-exceptions.ts'
import type { PackRules } from './pack-format.ts'
import { createRunsTable, type RunsTable } from './pack-runs.ts'

/**
 * The tables of a pack, made from the records that it shows and from nothing else. Whoever checks a pack makes them again from the records
 * that were proved, so a table cannot say more or less than the log.
 */
export interface PackTables {
  /** In order of ledger (unit, integration, changes, operations), then seq. */
  add(ledger: string, record: PackRecord): void
  /** By name within the pack. */
  finish(): Map<string, string>
  runs: RunsTable
  /** Rows of exceptions.csv. */
  exceptions(): number
}

/** A row of exceptions.csv, without its disposition. */
export interface Exception {
  /** How a disposition names it. */
  noted: string
  cells: readonly unknown[]
}

const plural = (kind: string): string => (kind === 'loss' ? 'losses' : kind === 'access' ? 'access' : `${kind}s`)

/** By the rules that scope.json names; `to` is the end of its period. */
export function createTables(rules: PackRules, to: string): PackTables {
  const columns = columnsOf(rules)
  const tables = new Map(Object.keys(columns).map((kind) => [kind, [] as string[]]))
  const exceptions: Exception[] = []
  const alerts = new Map<string, Exception & { isOpen: boolean }>()
  /** Whatever comes later may dispose of what came before. */
  const dispositions = new Map<string, string>()
  const runs = createRunsTable()

  const except = (ledger: string, of: PackRecord, what: string, subject: unknown, why: unknown, noted: string): Exception => ({
    noted,
    cells: [what, ledger, of.seq, of.recorded_at, of.id, subject, why],
  }) // oxfmt-ignore
  const openRuns = (): Exception[] =>
    runs.open().map(({ run, cells }) => ({ noted: notedAs(rules, 'run', run), cells }))
  const print = ({ noted, cells }: Exception): string => csvLine([...cells, dispositions.get(noted) ?? ''])

  return {
    runs,
    exceptions: () =>
      exceptions.length + runs.open().length + [...alerts.values()].filter(({ isOpen }) => isOpen).length,
    add(ledger, record) {
      const { seq, recorded_at, id, kind, fields } = record
      const names = columns[kind]
      if (names !== undefined)
        tables.get(kind)?.push(csvLine([ledger, seq, recorded_at, id, ...names.map((name) => fields[name])]))
      runs.add(ledger, record)
      const found = exceptionOf(rules, record)
      if (found !== undefined) exceptions.push(except(ledger, record, found.what, found.subject, found.why, found.noted)) // oxfmt-ignore
      if (kind === 'disposition') {
        const { noted, text } = explanationOf(rules, record, to)
        dispositions.set(noted, text)
      }
      if (kind === 'alert') {
        const alert = String(fields['alert'])
        const open = except(ledger, record, 'open alert', alert, fields['detail'], notedAs(rules, 'alert', alert))
        alerts.set(alert, { ...open, isOpen: fields['state'] !== 'closed' })
      }
    },
    finish() {
      const files = new Map<string, string>([['population/runs.csv', runs.print()]])
      for (const [kind, rows] of tables)
        files.set(
          `population/${plural(kind)}.csv`,
          csvLine(['ledger', 'seq', 'recorded_at', 'id', ...(columns[kind] ?? [])]) + rows.join(''),
        )
      const open = [...alerts.values()].filter(({ isOpen }) => isOpen)
      const header = csvLine(['what', 'ledger', 'seq', 'recorded_at', 'id', 'subject', 'why', 'disposition'])
      files.set('exceptions.csv', header + [...exceptions, ...open, ...openRuns()].map(print).join(''))
      return files
    },
  }
}
