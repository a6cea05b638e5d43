import type { Reached } from '../contract/decide-gate.ts'
import type { Queryable } from '../database/database.ts'
import { type AsOfLedger, readMaps } from '../history/file-facts.ts'
import { type VersionMap, createVersions, versionOf } from '../history/follow-line.ts'
import type { LineStates } from '../history/states.ts'
import type { Hunks } from '../record/hunks.ts'
import { type LineRanges, appendRange, countLines, fromSorted, intersect } from '../record/lines.ts'
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

/** Undefined where the files of one of the commits are not known. */
export async function findChangedLines(
  db: Queryable,
  views: readonly AsOfLedger[],
  files: readonly MeasuredFile[],
  now: Inventory | undefined,
  base: Inventory | undefined,
): Promise<ChangedLines | undefined> {
  if (now === undefined || base === undefined) return undefined
  const changed = files.filter(({ path }) => now.files.get(path) !== base.files.get(path))
  if (changed.length === 0) return { lines: new Map(), unknown: [] }
  const { maps } = await readMaps(db, views, changed.map(({ path }) => path), changed.length + maxNames) // oxfmt-ignore
  return compareFiles(changed, now.files, base.files, maps)
}

/** Pure. */
export function compareFiles(
  changed: readonly MeasuredFile[],
  now: ReadonlyMap<string, string>,
  base: ReadonlyMap<string, string>,
  maps: readonly VersionMap[],
): ChangedLines {
  const versions = createVersions(maps)
  const keyOf = ({ from, to, hunks }: VersionMap): string => `${from}\n${to}\n${hunks.join()}`
  const ordered = maps.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  const before = new Set([...base].map(([path, blob]) => versionOf(path, blob)))
  const joinable = [...before].filter((name) => versions.numberOf(name) !== undefined).sort()
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
    const direct = ordered.find(({ from, to }) => joins(from, to, version, own, before))
    if (direct !== undefined) {
      lines.set(path, changedBy(direct.hunks, direct.to === version))
      continue
    }
    const found = foundIn(file)
    const at = versions.numberOf(version)
    const places = (own === undefined ? joinable : [own]).flatMap((name) => versions.numberOf(name) ?? [])
    const follow = (line: number): number | undefined => {
      const there = at === undefined ? undefined : versions.follow(at, line)
      return places.map((place) => there?.[place] ?? -1).find((number) => number >= 0)
    }
    const numbers = linesOf(found).map((line) => [line, follow(line)] as const)
    if (own !== undefined && numbers.some(([, number]) => number === undefined)) unknown.push(path)
    // A file that the other commit does not have is new: all of it.
    else lines.set(path, fromSorted(numbers.filter(([, number]) => number === undefined || number === 0).map(([line]) => line))) // oxfmt-ignore
  }
  return { lines, unknown }
}

/** A map between this version and the one of the same path before, else of one before that went by another name. */
function joins(from: string, to: string, version: string, own: string | undefined, before: ReadonlySet<string>): boolean {
  if (from !== version && to !== version) return false
  const other = to === version ? from : to
  return own === undefined ? before.has(other) : other === own
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
  const all = measures.flatMap(({ suites }) => suites.flatMap(({ states }) => linesOf(foundOf(states))))
  return fromSorted([...new Set(all)].sort((a, b) => a - b))
}

function linesOf(ranges: LineRanges): number[] {
  const lines: number[] = []
  for (let i = 0; i < ranges.length; i += 2)
    for (let line = ranges[i] ?? 0; line <= (ranges[i + 1] ?? 0); line++) lines.push(line)
  return lines
}

/** What was reached of the changed lines, for each test type, suite and definition by which anything was measured. */
export function reachedOf(files: readonly MeasuredFile[], changed: ReadonlyMap<string, LineRanges>): Reached[] {
  const sums = new Map<string, Reached>()
  const add = (test_type: TestType, suite: string | undefined, definition: string, states: LineStates, of: LineRanges): void => {
    const key = JSON.stringify([test_type, suite, definition])
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
  return [...sums.values()]
} // oxfmt-ignore
