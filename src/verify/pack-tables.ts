import { csvLine } from './csv.ts'
import type { PackRecord } from './pack-account.ts'
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

/** A row of exceptions.csv, without the disposition of its subject. */
export interface Exception {
  subject: string
  cells: readonly unknown[]
}

/** One table a kind; columns are members of its records, after seq, recorded_at and id. A kind that has no record yet has an empty table. */
const columns: Readonly<Record<string, readonly string[]>> = {
  build: ['repository', 'build', 'commit', 'ref'],
  contract: ['repository', 'contract_version', 'contract', 'parent', 'mode', 'ref', 'commit', 'by'],
  deployment: ['repository', 'deployment', 'build', 'environment', 'artifact_sha256', 'gate', 'by'],
  gate: ['repository', 'subject', 'verdict', 'as_of', 'contract', 'report', 'by'],
  disposition: ['repository', 'subject', 'reason', 'until', 'by'],
  report: ['repository', 'query', 'sha256', 'by'],
  part: ['run', 'part', 'format', 'definition', 'artifact_sha256', 'bytes', 'files', 'totals', 'records', 'refused', 'unresolved'], // oxfmt-ignore
  rejection: ['run', 'part', 'repository', 'commit', 'reason', 'detail', 'offered', 'first', 'by'],
  alert: ['alert', 'n', 'code', 'subject', 'state', 'severity', 'owner', 'detail', 'by', 'at'],
  command: ['command', 'destination', 'reason', 'by'],
  access: ['access', 'by', 'method', 'route', 'params', 'count'],
  configuration: ['node', 'version', 'configuration_digest'],
  key: ['of', 'origin', 'vkey', 'guard'],
  reconciliation: ['destination', 'of', 'compared_at', 'verdict', 'drill'],
  retention: ['act', 'of', 'month', 'reason', 'by'],
  hold: ['hold', 'repository', 'state', 'reason', 'ticket', 'by'],
  loss: ['of', 'reason', 'by'],
}
const plural = (kind: string): string => (kind === 'loss' ? 'losses' : kind === 'access' ? 'access' : `${kind}s`)

export function createTables(): PackTables {
  const tables = new Map(Object.keys(columns).map((kind) => [kind, [] as string[]]))
  const exceptions: Exception[] = []
  const alerts = new Map<string, Exception & { isOpen: boolean }>()
  /** Whatever comes later may dispose of what came before. */
  const dispositions = new Map<string, string>()
  const runs = createRunsTable()

  const except = (ledger: string, of: PackRecord, what: string, subject: unknown, why: unknown): Exception => ({
    subject: String(subject),
    cells: [what, ledger, of.seq, of.recorded_at, of.id, subject, why],
  })
  const print = ({ subject, cells }: Exception): string => csvLine([...cells, dispositions.get(subject) ?? ''])

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
      if (kind === 'rejection')
        exceptions.push(except(ledger, record, 'refused', fields['run'] ?? fields['repository'], fields['reason']))
      if (kind === 'abandonment')
        exceptions.push(except(ledger, record, 'abandoned', fields['run'], fields['open_parts']))
      if (kind === 'seal' && fields['admitted'] === false)
        exceptions.push(except(ledger, record, 'not counted', fields['run'], fields['reasons']))
      if (kind === 'loss') exceptions.push(except(ledger, record, 'lost', fields['of'], fields['reason']))
      if (kind === 'disposition') dispositions.set(String(fields['subject']), `${id} ${String(fields['reason'])}`)
      if (kind === 'alert') {
        const open = except(ledger, record, 'open alert', fields['alert'], fields['detail'])
        alerts.set(open.subject, { ...open, isOpen: fields['state'] !== 'closed' })
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
      files.set('exceptions.csv', header + [...exceptions, ...open, ...runs.open()].map(print).join(''))
      return files
    },
  }
}
