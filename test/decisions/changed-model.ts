import type { readLines } from '../answers/model-lines.ts'
import type { ModelRecord } from '../history/model.ts'
import { type ModelMap, across, followLine, readMaps } from '../history/model-maps.ts'

/** Changed lines in plain loops, line by line: the rules of docs/gates.md, with the ties of changed-lines.ts. */

type Files = ReadonlyMap<string, string> | undefined

/** By path the lines that are code, and that the commit has and the other one has not; undefined where that is not known. */
export function changedLines(
  records: readonly ModelRecord[],
  { blobs, definitions, linesIn }: ReturnType<typeof readLines>,
  measured: readonly string[],
  unmeasured: readonly string[],
  [now, before]: [now: Files, before: Files] | [] = [],
): Map<string, Set<number>> | undefined {
  if (now === undefined || before === undefined) return undefined
  const maps = readMaps(records)
  const wasThere = [...before].map(([path, blob]) => `${blob} ${path}`).sort()
  const changed = new Map<string, Set<number>>()
  for (const path of measured) {
    const [blob, was] = [now.get(path), before.get(path)]
    if (blob === was) continue
    const told = [...(blobs.get(path) ?? [])]
    if (blob === undefined || told.some((one) => one !== blob)) return undefined
    const lines = definitions.flatMap((definition) =>
      ['unit', 'integration'].flatMap((type) => [...(linesIn(path, definition, type)?.keys() ?? [])]),
    )
    const version = `${blob} ${path}`
    const olds = was === undefined ? wasThere : [`${was} ${path}`]
    const direct = findDirect(maps, version, olds)
    if (direct !== undefined) {
      const gone = lines.filter((line) => across(direct.hunks, direct.to === version, line) === 0)
      changed.set(path, new Set(gone))
      continue
    }
    const old = olds.find((one) => followLine(maps, version, 1).has(one))
    if (old !== undefined)
      changed.set(path, new Set(lines.filter((line) => followLine(maps, version, line).get(old) === 0)))
    else if (was === undefined || lines.length === 0) changed.set(path, new Set(lines))
    else return undefined
  }
  for (const path of unmeasured) {
    const [blob, was] = [now.get(path)!, before.get(path)]
    if ([...before.values()].includes(blob)) continue
    const version = `${blob} ${path}`
    const direct = findDirect(maps, version, was === undefined ? wasThere : [`${was} ${path}`])
    const added = direct?.hunks.reduce((sum, hunk) => sum + hunk[direct.to === version ? 3 : 1]!, 0)
    if (added !== 0) return undefined
  }
  return changed
}

/** Of several the first by its text. */
function findDirect(maps: readonly ModelMap[], version: string, olds: readonly string[]): ModelMap | undefined {
  const keyOf = ({ from, to, hunks }: ModelMap): string => `${from}\n${to}\n${hunks.flat().join()}`
  return maps
    .filter(({ from, to }) => (to === version && olds.includes(from)) || (from === version && olds.includes(to)))
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))[0]
}
