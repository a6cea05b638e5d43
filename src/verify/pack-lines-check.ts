import { parseRecordId } from '../record/record.ts'
import type { PackScope } from './pack-format.ts'
import { type LineRow, changePoints, foldLines, lineNames, notCounted, notMeasured, printLineHistory, printLineTable, printRow, stateOfLines } from './pack-lines.ts' // oxfmt-ignore
import { type PackTrust, openProven } from './pack-log-check.ts'
import { type PackCheck, PackFault, type PackSource, attempt, readLines, readText } from './pack-source.ts'

/**
 * The history of a file: where it changes, the records say so under the signed root, and the ends of those runs too. What lies between is
 * the service's word, by ids that anybody may ask for.
 */
export async function checkLines(source: PackSource, scope: PackScope, trust: PackTrust): Promise<PackCheck[]> {
  const { question } = scope
  if (question.path === undefined) return []
  return [
    await attempt('lines', async () => {
      const rows = await readRows(source)
      const intervals = foldLines(rows)
      if ((await readText(source, lineNames.history)) !== printLineHistory(question, intervals))
        throw new Error(`${lineNames.history} is not what its rows give`)
      if ((await readText(source, lineNames.table)) !== printLineTable(rows))
        throw new Error(`${lineNames.table} is not what its rows give`)
      const known = new Map(rows.map((row) => [`${row.ledger} ${row.ended} ${row.records.join()}`, row]))
      for (const { ledger, ended, records } of changePoints(intervals)) {
        const row = known.get(`${ledger} ${ended} ${records.join()}`)
        if (row !== undefined) await checkPoint(source, scope, row, trust)
      }
      const maps = await checkMaps(source, scope, trust)
      return `${rows.length} rows in ${intervals.length} intervals; every change is proved at its first and last record; ${maps} line maps`
    }),
  ]
}

/** What a row at a change point says is what its records say. */
async function checkPoint(source: PackSource, scope: PackScope, row: LineRow, trust: PackTrust): Promise<void> {
  const { question } = scope
  const of = scope.ledgers.find(({ ledger }) => ledger === row.ledger)
  if (of === undefined) throw new Error(`${row.ledger} is not in scope.json`)
  if (row.ended < of.start || row.ended >= of.end) throw new PackFault(`${row.run} did not end within the period`, row.ended) // oxfmt-ignore
  const end = await openProven(source, lineNames.point(row.ledger, row.ended), of, trust)
  const isCounted = end.fields['kind'] === 'seal' && end.fields['admitted'] === true
  const said = [end.fields['run'], end.fields['suite'], end.fields['ref'] ?? '', end.fields['commit'], isCounted]
  if (JSON.stringify(said) !== JSON.stringify([row.run, row.suite, row.ref, row.commit, row.counted]))
    throw new PackFault(`record ${row.ended} is not the end of ${row.run} as lines/ has it`, row.ended)
  const records: Record<string, unknown>[] = []
  for (const id of row.records) {
    const seq = parseRecordId(id)?.seq ?? -1
    const found = await openProven(source, lineNames.point(row.ledger, seq), of, trust)
    const { run, repository, path } = found.fields
    if (found.id !== id || run !== row.run || repository !== question.repository || path !== question.path)
      throw new PackFault(`record ${seq} is not that of ${question.path} in ${row.run}`, seq)
    records.push(found.fields)
  }
  const state = row.counted ? stateOfLines(records, question.lines) : notCounted
  if (state !== row.state) throw new PackFault(`${row.run}: the records say ${state}, lines/ says ${row.state}`, row.ended) // oxfmt-ignore
}

async function checkMaps(source: PackSource, scope: PackScope, trust: PackTrust): Promise<number> {
  let count = 0
  for (const of of scope.ledgers) {
    const prefix = lineNames.map(of.ledger, 0).slice(0, -1)
    for (const name of source.names) {
      if (!name.startsWith(prefix) || !name.endsWith('.json')) continue
      const { fields, seq } = await openProven(source, name.slice(0, -'.json'.length), of, trust)
      const { path: from } = (fields['from'] ?? {}) as { path?: string } // of a record that is proved
      if (fields['kind'] !== 'linemap' || (fields['path'] !== scope.question.path && from !== scope.question.path))
        throw new PackFault(`${name} is no line map of ${scope.question.path}`, seq)
      count++
    }
  }
  return count
}

async function readRows(source: PackSource): Promise<LineRow[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const rows: LineRow[] = []
  for await (const line of readLines(source, lineNames.rows)) {
    const text = decoder.decode(line)
    const { ledger, suite, ref, run, commit, counted, ended, records, state } = JSON.parse(text) as Partial<LineRow> // each is looked at
    const texts = [ledger, suite, ref, run, commit, state]
    const isRow = texts.every((one) => typeof one === 'string') && typeof counted === 'boolean' && Number.isSafeInteger(ended) // oxfmt-ignore
    if (!isRow || !Array.isArray(records) || !records.every((one) => typeof one === 'string')) throw new Error(`${lineNames.rows} holds something that is no row`) // oxfmt-ignore
    const row = { ledger, suite, ref, run, commit, counted, ended, records, state } as LineRow // looked at above
    if (printRow(row) !== `${text}\n`) throw new Error(`${lineNames.rows} is not spelled as it is written`)
    if ((records.length === 0) !== (state === notMeasured || state === notCounted)) throw new Error(`${row.run} is measured and not measured`) // oxfmt-ignore
    rows.push(row)
  }
  return rows
}
