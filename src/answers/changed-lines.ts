import type { Reached } from '../contract/decide-gate.ts'
import type { Queryable } from '../database/database.ts'
import { type AsOfLedger, readMaps } from '../history/file-facts.ts'
import { type VersionMap, versionOf } from '../history/follow-line.ts'
import { type JoinedVersions, createJoinedVersions } from '../history/joined-versions.ts'
import type { LineStates } from '../history/states.ts'
import type { Hunks } from '../record/hunks.ts'
import { type LineRanges, appendRange, countLines, intersect, noLines, subtract, unite } from '../record/lines.ts'
import { type TestType, testTypes } from '../record/record.ts'
import type { Inventory } from './inventories.ts'
import { type MeasuredFile, executedOf, foundOf } from './union.ts'

/** Which lines of measured files a commit has and another one has not: by the blobs of both inventories and the line maps between them. */
export interface ChangedLines {
  /** By path; what is not here is as it was. */
  lines: ReadonlyMap<string, LineRanges>
  /** Files that changed in a way that no line map tells. */
  unknown: readonly string[]
}

/** Names that are joined to the changed files beyond these are not followed. */
const maxNames = 256

/**
 * Undefined where the files of one of the commits are not known. `unmeasured`: files of the commit that no run measured: one of them with a line
 * that the other commit does not have is unknown, since which of its lines are code nobody told.
 */
export async function findChangedLines(
  db: Queryable,
  views: readonly AsOfLedger[],
  files: readonly MeasuredFile[],
  unmeasured: readonly string[],
  now: Inventory | undefined,
  base: Inventory | undefined,
): Promise<ChangedLines | undefined> {
  if (now === undefined || base === undefined) return undefined
  const blobs = new Set(base.files.values())
  // What is there by another name has no new line.
  const untold = unmeasured.filter((path) => !blobs.has(now.files.get(path) ?? '')).map(toUnmeasured)
  const changed = [...files, ...untold].filter(({ path }) => now.files.get(path) !== base.files.get(path))
  if (changed.length === 0) return { lines: new Map(), unknown: [] }
  const { maps } = await readMaps(db, views, changed.map(({ path }) => path), changed.length + maxNames) // oxfmt-ignore
  return compareFiles(changed, now.files, base.files, maps)
}

const toUnmeasured = (path: string): MeasuredFile => ({ path, blob: undefined, blobDiffers: false, measures: [] })

/** Pure. A file without measures is one that no run measured. */
export function compareFiles(
  changed: readonly MeasuredFile[],
  now: ReadonlyMap<string, string>,
  base: ReadonlyMap<string, string>,
  maps: readonly VersionMap[],
): ChangedLines {
  const joined = createJoinedVersions(maps)
  const before = new Set([...base].map(([path, blob]) => versionOf(path, blob)))
  const directly = findDirect(maps, before)
  const earlier = firstOfGroups(joined, before)
  const lines = new Map<string, LineRanges>()
  const unknown: string[] = []
  for (const file of changed) {
    const { path, blob: measured, blobDiffers } = file
    const blob = now.get(path)
    // Measured and not in the commit, or in another version than the commit's: of what is there nothing is known.
    if (blob === undefined || blobDiffers || (measured !== undefined && measured !== blob)) {
      unknown.push(path)
      continue
    }
    const version = versionOf(path, blob)
    const was = base.get(path)
    const own = was === undefined ? undefined : versionOf(path, was)
    const direct = directly(version, own)
    const changed = direct && changedBy(direct.hunks, direct.to === version)
    if (file.measures.length === 0) {
      if (changed === undefined || changed.length > 0) unknown.push(path)
      continue
    }
    if (changed !== undefined) {
      lines.set(path, changed)
      continue
    }
    const found = foundIn(file)
    const group = joined.groupOf(version)
    const place = own ?? (group === undefined ? undefined : earlier.get(group))
    const isJoined = group !== undefined && place !== undefined && joined.groupOf(place) === group
    if (isJoined) lines.set(path, subtract(found, joined.linesAt(version, place, found)))
    else if (own !== undefined && found.length > 0) unknown.push(path)
    // A file that the other commit does not have is new: all of it.
    else lines.set(path, found)
  }
  return { lines, unknown }
}

/** Of the versions that the other commit has, by group of joined ones the first by name. */
function firstOfGroups(joined: JoinedVersions, before: ReadonlySet<string>): Map<number, string> {
  const first = new Map<number, string>()
  for (const version of before) {
    const group = joined.groupOf(version)
    if (group !== undefined && !(version > (first.get(group) ?? version))) first.set(group, version)
  }
  return first
}

/** Finds a map between a version and the one of the same path before, else of one before that went by another name; of several the first by its text. */
function findDirect(maps: readonly VersionMap[], before: ReadonlySet<string>): (version: string, own: string | undefined) => VersionMap | undefined {
  const touching = new Map<string, VersionMap[]>()
  for (const map of maps) for (const version of new Set([map.from, map.to])) {
    const list = touching.get(version)
    if (list === undefined) touching.set(version, [map])
    else list.push(map)
  }
  const keyOf = ({ from, to, hunks }: VersionMap): string => `${from}\n${to}\n${hunks.join()}`
  return (version, own) => {
    const joining = (touching.get(version) ?? []).filter(({ from, to }) => {
      const other = to === version ? from : to
      return own === undefined ? before.has(other) : other === own
    })
    return joining.length < 2 ? joining[0] : joining.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))[0]
  }
} // oxfmt-ignore

/** `isTo`: the lines of the version that the map leads to. */
function changedBy(hunks: Hunks, isTo: boolean): LineRanges {
  const ranges: number[] = []
  for (let i = 0; i < hunks.length; i += 4) {
    const [from, count, to, newCount] = hunks.slice(i, i + 4) as [number, number, number, number] // hunks are fours
    const [start, size] = isTo ? [to, newCount] : [from, count]
    if (size > 0) appendRange(ranges, start, start + size - 1)
  }
  return ranges
}

function foundIn({ measures }: MeasuredFile): LineRanges {
  return measures
    .flatMap(({ suites }) => suites.map(({ states }) => foundOf(states)))
    .reduce((all, found) => unite(all, found), noLines)
}

/**
 * What was reached of the changed lines, for each test type, suite and definition by which anything was measured. A changed line that only the
 * other test type measured is one that this one did not execute: otherwise a new file that no unit test loads would be in no unit figure.
 */
export function reachedOf(files: readonly MeasuredFile[], changed: ReadonlyMap<string, LineRanges>): Reached[] {
  const sums = new Map<string, Reached>()
  const add = (test_type: TestType, suite: string | undefined, definition: string, states: LineStates, of: LineRanges): void => {
    const key = keyOf(test_type, suite, definition)
    const sum = sums.get(key) ?? { test_type, suite, definition, executed: 0, found: 0 }
    sum.executed += countLines(intersect(executedOf(states), of))
    sum.found += countLines(intersect(foundOf(states), of))
    sums.set(key, sum)
  }
  for (const { path, measures } of files) {
    const of = changed.get(path) ?? []
    for (const one of measures) {
      for (const type of testTypes) if (one[type] !== undefined) add(type, undefined, one.definition, one[type], of)
      for (const { testType, suite, states } of one.suites) add(testType, suite, one.definition, states, of)
    }
  }
  for (const { path, measures } of files)
    for (const [type, other] of [['unit', 'integration'], ['integration', 'unit']] as const) {
      if (measures.some((one) => one[type] !== undefined)) continue
      for (const { definition, [other]: states } of measures) {
        const sum = sums.get(keyOf(type, undefined, definition))
        if (sum !== undefined) sum.found += countLines(intersect(foundOf(states), changed.get(path) ?? []))
      }
    }
  return [...sums.values()]
} // oxfmt-ignore

const keyOf = (testType: TestType, suite: string | undefined, definition: string): string => JSON.stringify([testType, suite, definition]) // oxfmt-ignore
