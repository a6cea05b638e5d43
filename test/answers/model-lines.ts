import type { ModelRecord } from '../history/model.ts'

/** What the runs of a commit measured, line by line in plain loops: for the models of reports and of gates. */

const text = (record: ModelRecord, field: string): string => record.fields[field] as string
const typeOf = ({ ledger }: ModelRecord): string => ledger.slice('main/'.length)

/** Blobs by path, as the inventory of a commit has them. */
export function readFiles(records: readonly ModelRecord[], commit: string): Map<string, string> | undefined {
  for (const type of ['unit', 'integration']) {
    const listed = records.filter(
      (one) => text(one, 'kind') === 'inventory' && typeOf(one) === type && text(one, 'commit') === commit,
    )
    if (listed.length > 0) return new Map(listed.flatMap((one) => one.fields['files'] as [string, string][]))
  }
  return undefined
}

export function readLines(records: readonly ModelRecord[], counted: readonly ModelRecord[]) {
  // Every line by itself: 3 covered, 2 partial, 1 missed; the highest that a run said stands.
  const states = new Map<string, Map<number, number>>()
  const note = (name: unknown[], line: number, rank: number): void => {
    const key = JSON.stringify(name)
    const lines = states.get(key) ?? new Map<number, number>()
    if (line > 0) lines.set(line, Math.max(lines.get(line) ?? 0, rank))
    states.set(key, lines)
  }
  const blobs = new Map<string, Set<string>>()
  for (const seal of counted)
    for (const part of records) {
      if (text(part, 'kind') !== 'part') continue
      if (text(part, 'run') !== text(seal, 'run') || part.ledger !== seal.ledger) continue
      for (const [first, last] of part.fields['ranges'] as [number, number][])
        for (const one of records) {
          if (one.ledger !== part.ledger || one.seq < first || one.seq > last) continue
          const [path, definition] = [text(one, 'path'), text(one, 'definition')]
          if (typeof one.fields['blob'] === 'string')
            blobs.set(path, (blobs.get(path) ?? new Set()).add(one.fields['blob']))
          for (const [rank, state] of ['missed', 'partial', 'covered'].entries())
            for (const line of linesOf((one.fields['ranges'] as Record<string, string>)[state] ?? '')) {
              note([path, definition, typeOf(seal)], line, rank + 1)
              note([path, definition, typeOf(seal), text(seal, 'suite')], line, rank + 1)
            }
          note([path, definition, typeOf(seal)], 0, 0)
          note([path, definition, typeOf(seal), text(seal, 'suite')], 0, 0)
        }
    }
  const names = [...states.keys()].map((key) => JSON.parse(key) as string[])
  const linesIn = (...name: string[]): Map<number, number> | undefined => states.get(JSON.stringify(name))
  const paths = [...new Set(names.map(([path]) => path!))].sort()
  const definitions = [...new Set(names.map(([, definition]) => definition!))].sort()
  const isMeasuredBy = (path: string, type: string): boolean =>
    definitions.some((definition) => linesIn(path, definition, type) !== undefined)
  return { names, paths, definitions, blobs, linesIn, isMeasuredBy }
}

function linesOf(ranges: string): number[] {
  if (ranges === '') return []
  return ranges.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
}
