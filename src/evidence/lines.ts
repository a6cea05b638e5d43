import { parseRecordId } from '../record/record.ts'
import type { PackLedger, PackScope } from '../verify/pack-format.ts'
import { type LineRow, changePoints, foldLines, lineNames, notCounted, notMeasured, printLineHistory, printLineTable, printRow, stateOfLines } from '../verify/pack-lines.ts' // oxfmt-ignore
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
  sources: PackSources,
): Promise<LineRow[]> {
  const { files } = sources
  const runs = (await files.runs(ledger, repository, path, end)).filter(({ seq, commit }) => seq >= start && (question.commit ?? commit) === commit) // oxfmt-ignore
  const ids = await files.ids(
    ledger,
    runs.flatMap(({ records }) => records),
  )
  const states = new Map<number, string>()
  const rows: LineRow[] = []
  for (const { seq: ended, run, suite, ref, commit, counted, records, same } of runs) {
    const read = async (): Promise<string> =>
      stateOfLines(
        await Promise.all(records.map(async (seq) => (await readOne(sources, ledger, seq)).fields)),
        question.lines,
      )
    const state = !counted ? notCounted : records.length === 0 ? notMeasured : (states.get(same) ?? (await read()))
    if (records.length > 0) states.set(same, state)
    rows.push({ ledger, suite, ref, run, commit, counted, ended, records: records.map((seq) => ids.get(seq) ?? ''), state }) // oxfmt-ignore
  }
  return rows
}
