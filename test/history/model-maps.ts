import type { ModelRecord } from './model.ts'

/** Line maps in plain loops: for the models of the history and of gates. */

export interface ModelMap {
  /** Blob and path. */
  from: string
  fromPath: string
  to: string
  toPath: string
  /** Old line, old count, new line, new count. */
  hunks: number[][]
}

const text = (record: ModelRecord, field: string): string => record.fields[field] as string

export function readMaps(records: readonly ModelRecord[]): ModelMap[] {
  return records
    .filter((one) => text(one, 'kind') === 'linemap')
    .map((one) => {
      const from = one.fields['from'] as { path: string; blob: string }
      const hunks = text(one, 'hunks')
        .split(' ')
        .filter((hunk) => hunk !== '')
      return {
        from: `${from.blob} ${from.path}`,
        fromPath: from.path,
        to: `${text(one, 'blob')} ${text(one, 'path')}`,
        toPath: text(one, 'path'),
        hunks: hunks.map((hunk) => hunk.match(/\d+/g)!.map(Number)),
      }
    })
}

/** The number on the other side; 0 where the line is not there. */
export function across(hunks: readonly (readonly number[])[], back: boolean, from: number): number {
  // Numbers of lines that stay, one after the other on both sides.
  let [a, b] = [1, 1]
  const edge = [...hunks, [1_000, 0, 1_000, 0]]
  for (const [oldLine = 0, oldCount = 0, newLine = 0, newCount = 0] of edge) {
    const end = oldCount === 0 ? oldLine : oldLine - 1
    while (a <= end) {
      if ((back ? b : a) === from) return back ? a : b
      a += 1
      b += 1
    }
    a = oldCount === 0 ? oldLine + 1 : oldLine + oldCount
    b = newCount === 0 ? newLine + 1 : newLine + newCount
  }
  return 0
}

/** Every version that maps join to this one: nearest first, then by name. */
export function followLine(maps: readonly ModelMap[], version: string, from: number): Map<string, number> {
  const edges = maps.flatMap((map) => [
    { at: map.from, to: map.to, back: false, hunks: map.hunks },
    { at: map.to, to: map.from, back: true, hunks: map.hunks },
  ])
  const found = new Map([[version, from]])
  for (let level = [version]; level.length > 0;) {
    const next: string[] = []
    for (const at of level.sort())
      for (const edge of edges) {
        if (edge.at !== at || found.has(edge.to)) continue
        const number = across(edge.hunks, edge.back, found.get(at)!)
        if (number === 0) continue
        found.set(edge.to, number)
        next.push(edge.to)
      }
    level = next
  }
  for (let more = true; more;) {
    more = false
    for (const { at, to } of edges)
      if (found.has(at) && !found.has(to)) {
        found.set(to, 0)
        more = true
      }
  }
  return found
}
