import { describe, expect, it } from 'vitest'
import { type SideFile, type Step, explainDifference } from '../../src/answers/explain-difference.ts'
import { pairFiles } from '../../src/answers/pair-files.ts'
import { type VersionMap, versionOf } from '../../src/history/follow-line.ts'
import { fromSorted } from '../../src/record/lines.ts'
import { createRandom, hunksBetween } from '../history/random-history.ts'

/**
 * Differences of two random commits must put every line into the step that a look at that line finds. PROOFLINE_DIFFERENCES sets how many pairs
 * (more for a long run), PROOFLINE_SEED where they begin.
 */
const pairs = Number(process.env['PROOFLINE_DIFFERENCES'] ?? 3_000)
const firstSeed = Number(process.env['PROOFLINE_SEED'] ?? 1)

const suites = ['unit api', 'unit web', 'integration e2e']

/** Lines have names, so that the same line is known by its name wherever it stands; `by` says which suites executed it, undefined is no code. */
interface Line {
  name: number
  by: readonly string[] | undefined
}

interface Commit {
  suites: readonly string[]
  files: Map<string, Line[]>
}

/** How a file of a got to b: what the model knows by construction, and the answer has to find out. */
type Fate = { kind: 'same_lines' | 'lost_track'; to: string } | { kind: 'gone' }

interface World {
  a: Commit
  b: Commit
  fates: Map<string, Fate>
  maps: VersionMap[]
}

const blobOf = (lines: readonly Line[]): string => lines.map(({ name }) => name.toString(16).padStart(6, '0')).join('')
const namesOf = (lines: readonly Line[]): number[] => lines.map(({ name }) => name)

function makeWorld(seed: number): World {
  const random = createRandom(seed)
  const chance = (n: number): boolean => random(n) === 0
  let name = 0
  const some = (): string[] => suites.filter(() => !chance(3))
  const [ofA, ofB] = [some(), some()]
  const line = (of: readonly string[]): Line => ({ name: name++, by: judge(of) })
  const judge = (of: readonly string[]) => (chance(4) ? undefined : of.filter(() => chance(3)))
  const text = (of: readonly string[]): Line[] => Array.from({ length: 1 + random(9) }, () => line(of))
  /** Most lines say what they said before. */
  const again = (lines: readonly Line[]): Line[] => lines.map(({ name: own, by }) => ({ name: own, by: chance(4) ? judge(ofB) : by?.filter((suite) => ofB.includes(suite)) })) // oxfmt-ignore
  const edit = (lines: readonly Line[]): Line[] => {
    const kept = lines.filter(() => !chance(4))
    const edited = kept.flatMap((one) => (chance(4) ? [line(ofB), one] : [one]))
    return [...edited, line(ofB)]
  }
  const maps: VersionMap[] = []
  const join = (from: string, was: readonly Line[], to: string, now: readonly Line[]): void => {
    const [old, fresh] = [versionOf(from, blobOf(was)), versionOf(to, blobOf(now))]
    if (chance(4)) maps.push({ from: fresh, to: old, hunks: hunksBetween(namesOf(now), namesOf(was)) })
    else maps.push({ from: old, to: fresh, hunks: hunksBetween(namesOf(was), namesOf(now)) })
  }

  const a: Commit = { suites: ofA, files: new Map() }
  const b: Commit = { suites: ofB, files: new Map() }
  const fates = new Map<string, Fate>()
  for (let i = random(6); i >= 0; i--) {
    const path = `f${i}`
    const was = text(ofA)
    a.files.set(path, was)
    const to = chance(4) ? `g${i}` : path
    const now = again(was)
    const [way, edited] = [random(6), edit(now)]
    if (way === 0) fates.set(path, { kind: 'gone' })
    else if (way === 1) {
      // As it was: the content alone tells where it is.
      b.files.set(to, now)
      fates.set(path, { kind: 'same_lines', to })
    } else if (way === 2) {
      // No map leads there. Under another name it is not even known to be the same file.
      b.files.set(to, edited)
      fates.set(path, to === path ? { kind: 'lost_track', to } : { kind: 'gone' })
    } else if (way === 3) {
      // Through a version between, which itself has lines that come and go.
      const middle = [...edited, line(ofB), line(ofB)]
      join(path, was, `m${i}`, middle)
      join(`m${i}`, middle, to, edited)
      b.files.set(to, edited)
      fates.set(path, { kind: 'same_lines', to })
    } else {
      join(path, was, to, edited)
      b.files.set(to, edited)
      fates.set(path, { kind: 'same_lines', to })
    }
  }
  if (chance(2)) b.files.set('new', text(ofB))
  return { a, b, fates, maps }
}

type Sums = Record<string, { a: number; b: number; found: number; executed: number; files: string[]; by: Record<string, number> }> // oxfmt-ignore

/** Of every line the step, by looking at one line after the other. */
function byLoop({ a, b, fates }: World): Sums {
  const sums: Sums = {}
  const deltas = new Map<string, Map<string, [found: number, executed: number]>>()
  const isExecuted = (line: Line | undefined): boolean => (line?.by ?? []).length > 0
  const add = (key: string, path: string, x: Line | undefined, y: Line | undefined, by: readonly string[] = []): void => {
    const [inA, inB] = [x?.by !== undefined, y?.by !== undefined]
    if (inA || inB) count(key, path, { a: Number(inA), b: Number(inB), executed: Number(isExecuted(y)) - Number(isExecuted(x)) }, by)
  }
  const count = (key: string, path: string, line: { a: number; b: number; executed: number }, by: readonly string[] = []): void => {
    const sum = (sums[key] ??= { a: 0, b: 0, found: 0, executed: 0, files: [], by: {} })
    sum.a += line.a
    sum.b += line.b
    sum.found += line.b - line.a
    sum.executed += line.executed
    for (const suite of by) sum.by[suite] = (sum.by[suite] ?? 0) + 1
    const files = deltas.get(key) ?? new Map<string, [number, number]>()
    const [found, executed] = files.get(path) ?? [0, 0]
    deltas.set(key, files.set(path, [found + line.b - line.a, executed + line.executed]))
    sum.files = [...files].map(([of, [f, e]]) => `${of} ${f} ${e}`).sort()
  }
  /** A file that only one side has is among the files of its step also where none of its lines is code; so is one of which nothing is known. */
  const touch = (key: string, path: string): void => count(key, path, { a: 0, b: 0, executed: 0 })
  const reached = new Set<string>()
  for (const [path, was] of a.files) {
    const fate = fates.get(path)!
    if (fate.kind === 'gone') {
      touch('file_only a not_measured', path)
      for (const line of was) add('file_only a not_measured', path, line, undefined)
      continue
    }
    const now = b.files.get(fate.to)!
    reached.add(fate.to)
    if (fate.kind === 'lost_track') {
      touch('changed_file  ', fate.to)
      for (const line of was) add('changed_file  ', fate.to, line, undefined)
      for (const line of now) add('changed_file  ', fate.to, undefined, line)
      continue
    }
    for (const x of was) {
      const y = now.find(({ name }) => name === x.name)
      if (y === undefined) add('changed_line a ', fate.to, x, undefined)
      else if (x.by === undefined || y.by === undefined) add(`line_only ${x.by === undefined ? 'b' : 'a'} `, fate.to, x, y)
      else if (isExecuted(x) === isExecuted(y)) add('same  ', fate.to, x, y)
      else {
        const [side, by, others] = isExecuted(x) ? ['a', x.by, b.suites] : ['b', y.by, a.suites]
        const kind = by.some((suite) => others.includes(suite)) ? 'executed_only' : 'executed_by_other_suite'
        add(`${kind} ${side} `, fate.to, x, y, by)
      }
    }
    for (const y of now) if (!was.some(({ name }) => name === y.name)) add('changed_line b ', fate.to, undefined, y)
  }
  for (const [path, now] of b.files) {
    if (reached.has(path)) continue
    touch('file_only b not_in_commit', path)
    for (const line of now) add('file_only b not_in_commit', path, undefined, line)
  }
  return Object.fromEntries(Object.entries(sums).filter(([, sum]) => sum.a + sum.b > 0))
} // oxfmt-ignore

function toSide({ files, suites: of }: Commit, commit: string, why: 'not_measured' | 'not_in_commit') {
  const linesWhere = (lines: readonly Line[], holds: (by: readonly string[]) => boolean) =>
    fromSorted(lines.flatMap(({ by }, i) => (by !== undefined && holds(by) ? [i + 1] : [])))
  const toFile = (path: string, lines: readonly Line[]): SideFile => ({
    path,
    found: linesWhere(lines, () => true),
    executed: linesWhere(lines, (by) => by.length > 0),
    by: new Map(of.map((suite) => [suite, linesWhere(lines, (by) => by.includes(suite))])),
  })
  return {
    commit,
    files: new Map([...files].map(([path, lines]) => [path, toFile(path, lines)])),
    suites: new Set(of),
    why: () => why,
    blobOf: (path: string) => files.get(path) && blobOf(files.get(path)!),
  }
}

/** In the form of the model; what explains no line is left out. */
function toSums(steps: readonly Step[]): Sums {
  const told = steps.filter(({ linesA, linesB }) => linesA + linesB > 0)
  return Object.fromEntries(
    told.map(({ kind, side = '', reason = '', linesA, linesB, found, executed, files, by }) => [
      `${kind} ${side} ${reason}`,
      {
        a: linesA, b: linesB, found, executed,
        files: [...files].map(([path, one]) => `${path} ${one.found} ${one.executed}`).sort(),
        by: Object.fromEntries(by),
      }, // oxfmt-ignore
    ]),
  )
}

describe('differences of random commits', () => {
  it('put every line into the step that a look at that line finds, and add up', () => {
    const seen = new Map<string, number>()
    for (let seed = firstSeed; seed < firstSeed + pairs; seed++) {
      const world = makeWorld(seed)
      const [a, b] = [toSide(world.a, 'a', 'not_in_commit'), toSide(world.b, 'b', 'not_measured')]
      const found = toSums(explainDifference(a, b, pairFiles(a, b, world.maps)))
      const expected = byLoop(world)
      expect({ seed, ...found }).toEqual({ seed, ...expected })
      const executed = (files: ReadonlyMap<string, Line[]>) => [...files.values()].flat().filter(({ by }) => (by ?? []).length > 0).length // oxfmt-ignore
      const sum = Object.values(found).reduce((all, step) => all + step.executed, 0)
      expect(sum).toBe(executed(world.b.files) - executed(world.a.files))
      for (const key of Object.keys(expected)) seen.set(key, (seen.get(key) ?? 0) + 1)
      const moved = [...world.fates].some(([path, fate]) => fate.kind === 'same_lines' && fate.to !== path)
      if (moved) seen.set('renamed', (seen.get('renamed') ?? 0) + 1)
    }
    const sided = ['executed_by_other_suite', 'executed_only', 'line_only', 'changed_line'].flatMap((kind) => [`${kind} a `, `${kind} b `]) // oxfmt-ignore
    const cases = [...sided, 'file_only a not_measured', 'file_only b not_in_commit', 'changed_file  ', 'same  ', 'renamed'] // oxfmt-ignore
    // The worlds have what is difficult in them.
    expect(cases.filter((key) => (seen.get(key) ?? 0) < pairs / 20)).toEqual([])
  })
})
