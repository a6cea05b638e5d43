import { type LedgerName, parseRecordId } from '../record/record.ts'
import type { PackLedger, PackScope } from '../verify/pack-format.ts'
import { type LineRow, changePoints, foldLines, lineNames, notMeasured, printLineHistory, printLineTable, printRow, stateOfLines } from '../verify/pack-lines.ts' // oxfmt-ignore
import { addProven } from './proofs.ts'
import { isOfRuns } from './question.ts'
import { type PackSources, readOne } from './sources.ts'
import type { Zip } from './zip.ts'

/**
 * The history of a file: a row for each run of the period; where the state changes the records themselves, with proofs, and those of the
 * runs' ends; line maps as recorded. What lies between two change points is named by id.
 */
export async function addLines(
  zip: Zip,
  scope: PackScope,
  notes: ReadonlyMap<string, string>,
  sources: PackSources,
): Promise<void> {
  const { question } = scope
  const { repository, path } = question
  if (repository === undefined || path === undefined) return
  const rows: LineRow[] = []
  for (const of of scope.ledgers) if (isOfRuns(of.ledger)) rows.push(...(await rowsOf(scope, of, repository, path, sources))) // oxfmt-ignore
  const intervals = foldLines(rows)
  await zip.add(lineNames.rows, rows.map(printRow).join(''))
  await zip.add(lineNames.table, printLineTable(rows))
  await zip.add(lineNames.history, printLineHistory(question, intervals))
  for (const of of scope.ledgers) {
    const note = notes.get(of.ledger) ?? ''
    const seqs = new Set<number>()
    for (const { ledger, ended, records } of changePoints(intervals)) {
      if (ledger !== of.ledger) continue
      for (const seq of [...records.map(seqOf), ended]) seqs.add(seq)
    }
    for (const seq of [...seqs].toSorted((a, b) => a - b))
      await addProven(zip, lineNames.point(of.ledger, seq), of, await readOne(sources, of.ledger, seq), note, sources)
    if (!isOfRuns(of.ledger)) continue
    for (const seq of await sources.files.maps(of.ledger, repository, path, of.start, of.end))
      await addProven(zip, lineNames.map(of.ledger, seq), of, await readOne(sources, of.ledger, seq), note, sources)
  }
}

const seqOf = (id: string): number => parseRecordId(id)?.seq ?? -1

async function rowsOf(
  { question }: PackScope,
  { ledger, start, end }: PackLedger,
  repository: string,
  path: string,
  { files, ...sources }: PackSources,
): Promise<LineRow[]> {
  const parts = await files.measured(ledger, repository, path, end)
  const byRun = new Map<string, typeof parts>()
  for (const part of parts) byRun.set(part.run, [...(byRun.get(part.run) ?? []), part])
  const runs = (await files.runs(ledger, repository, start, end)).filter(({ commit, run }) => (question.commit ?? commit) === commit && run !== '') // oxfmt-ignore
  const ids = await files.ids(
    ledger,
    runs.flatMap(({ run }) => (byRun.get(run) ?? []).flatMap(({ records }) => records)),
  )
  const states = new Map<number, string>()
  const stateOf = async (same: number, records: readonly number[]): Promise<string> => {
    const known = states.get(same)
    if (known !== undefined) return known
    const read = await Promise.all(records.map((seq) => readOne({ files, ...sources }, ledger, seq)))
    const state = stateOfLines(
      read.map(({ fields }) => fields),
      question.lines,
    )
    states.set(same, state)
    return state
  }
  const rows: LineRow[] = []
  for (const { seq: ended, run, suite, ref, commit, counted } of runs) {
    const base = { ledger: ledger as LedgerName, suite, ref, run, commit, counted, ended }
    const own = byRun.get(run) ?? []
    if (own.length === 0) rows.push({ ...base, records: [], state: notMeasured })
    for (const { same, records } of own)
      rows.push({ ...base, records: records.map((seq) => ids.get(seq) ?? ''), state: await stateOf(same, records) })
  }
  return rows
}
