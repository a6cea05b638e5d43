import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toWrittenPath } from '../../src/formats/paths.ts'
import type { Tally } from '../../src/formats/tally.ts'
import { createTally, maxLine } from '../../src/formats/tally.ts'
import type { LineCoverage } from '../../src/record/coverage.ts'
import type { UnitKind } from '../../src/record/run.ts'
import { unitKinds } from '../../src/record/run.ts'
import { fromSorted } from '../../src/record/lines.ts'
import { printFile } from './read.ts'

interface Section {
  path: string
  lines: [line: number, executed: boolean][]
  branches: [line: number, block: number, branch: number, taken: boolean][]
  functions: [a: number, b: number, called: boolean][]
  ways?: [line: number, way: number, taken: boolean][]
  units?: [kind: UnitKind, name: number, number: number, covered: boolean][]
}

const create = (limits = { maxFiles: 100, maxLinesPerFile: 1_000_000, maxLines: 10_000_000 }): Tally =>
  createTally(limits, () => undefined, { count: 0, first: [] })

/** Its files by path. */
const numbers = new WeakMap<Tally, Map<string, number>>()

function observe(tally: Tally, { path, lines, branches, functions, ways = [], units = [] }: Section): void {
  const known = numbers.get(tally) ?? new Map<string, number>()
  numbers.set(tally, known)
  const file = known.get(path)
  if (file === undefined) known.set(path, tally.add(toWrittenPath(path)))
  else tally.open(file)
  for (const [line, executed] of lines) tally.line(line, executed)
  for (const [line, block, branch, taken] of branches) tally.branch(line, block, branch, taken)
  for (const [a, b, called] of functions) tally.callable(a, b, called ? 1 : 0)
  for (const [line, way, taken] of ways) tally.ways(line, way >>> 5, 1 << way, taken ? 1 << way : 0)
  for (const [kind, name, number, covered] of units)
    tally.units(kind, name, number >>> 5, 1 << number, covered ? 1 << number : 0)
}

const print = (file: LineCoverage): string =>
  [printFile(file), ...unitKinds.map((kind) => file[kind] && `${kind} ${file[kind].covered}/${file[kind].found}`)]
    .filter((part) => part !== undefined)
    .join(' ')

/** Every file in one line, as `resolve` names them. */
function filesOf(tally: Tally, resolve = (path: string): string => path): string[] {
  const resolved = tally.written().map(({ text }) => ({ path: resolve(text), unresolved: false, blob: undefined }))
  const files = tally.files(resolved, 'd')
  expect([...files]).toEqual([...files])
  return [...files].map(print)
}

/** The same with a map entry for everything. */
function modelOf(sections: readonly Section[], resolve = (path: string): string => path): string[] {
  const paths = [...new Set(sections.map(({ path }) => resolve(path)))].sort()
  return paths.map((path) => {
    const lines = new Map<number, boolean>()
    const [branches, functions, ways] = [new Map<string, boolean>(), new Map<string, boolean>(), new Map<string, boolean>()] // oxfmt-ignore
    const units = new Map<UnitKind, Map<string, boolean>>(unitKinds.map((kind) => [kind, new Map()]))
    const or = <K>(map: Map<K, boolean>, key: K, value: boolean): unknown =>
      map.set(key, value || map.get(key) === true)
    for (const section of sections) {
      if (resolve(section.path) !== path) continue
      for (const [line, executed] of section.lines) or(lines, line, executed)
      for (const [line, block, branch, taken] of section.branches) or(branches, `${line} ${block} ${branch}`, taken)
      for (const [a, b, called] of section.functions) or(functions, `${a} ${b}`, called)
      for (const [line, way, taken] of section.ways ?? []) or(ways, `${line} ${way}`, taken)
      for (const [kind, unit, number, covered] of section.units ?? [])
        or(units.get(kind) ?? new Map(), `${unit} ${number}`, covered)
    }
    const untaken = new Set(
      [...branches, ...ways].filter(([, taken]) => !taken).map(([key]) => Number.parseInt(key, 10)),
    )
    const stateOf = (line: number): string =>
      lines.get(line) !== true ? 'missed' : untaken.has(line) ? 'partial' : 'covered'
    const linesThatAre = (state: string): readonly number[] =>
      fromSorted([...lines.keys()].filter((line) => stateOf(line) === state).sort((a, b) => a - b))
    const pair = (map: Map<string, boolean>): { found: number; covered: number } => ({
      found: map.size,
      covered: [...map.values()].filter(Boolean).length,
    })
    return print({
      path,
      metric: 'line',
      definition: 'd',
      covered: linesThatAre('covered'),
      partial: linesThatAre('partial'),
      missed: linesThatAre('missed'),
      ...(branches.size === 0 ? {} : { branches: pair(branches) }),
      ...(functions.size === 0 ? {} : { functions: pair(functions) }),
      ...Object.fromEntries([...units].filter(([, all]) => all.size > 0).map(([kind, all]) => [kind, pair(all)])),
    })
  })
}

/** Mostly near others, so that much meets; also the greatest that there are. */
const line = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 1, max: 100 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 5_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: maxLine - 70, max: maxLine }) },
)
const name = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }))
const section: fc.Arbitrary<Section> = fc.record({
  path: fc.constantFrom('a', 'b', 'b/c', 'ä'),
  lines: fc
    .array(fc.tuple(line, fc.boolean()), { maxLength: 60, size: 'max' })
    .chain((lines) => fc.boolean().map((isSorted) => (isSorted ? lines.sort(([a], [b]) => a - b) : lines))),
  branches: fc.array(fc.tuple(line, name, fc.integer({ min: 0, max: 70 }), fc.boolean()), {
    maxLength: 40,
    size: 'max',
  }),
  functions: fc.array(fc.tuple(name, fc.integer({ min: 0, max: 3 }), fc.boolean()), { maxLength: 20, size: 'max' }),
  ways: fc.array(fc.tuple(line, fc.integer({ min: 0, max: 70 }), fc.boolean()), { maxLength: 10, size: 'max' }),
  units: fc.array(fc.tuple(fc.constantFrom(...unitKinds), name, fc.integer({ min: 0, max: 70 }), fc.boolean()), {
    maxLength: 20,
    size: 'max',
  }),
})
const sections = fc.array(section, { minLength: 1, maxLength: 12, size: 'max' })

describe('a tally', () => {
  it('says of each file what a map of all lines would', () => {
    fc.assert(
      fc.property(sections, (all) => {
        const tally = create()
        for (const each of all) observe(tally, each)
        expect(filesOf(tally)).toEqual(modelOf(all))
      }),
      { numRuns: 300 },
    )
  })

  it('knows nothing of a section that was dropped', () => {
    fc.assert(
      fc.property(sections, section, (all, dropped) => {
        const tally = create()
        for (const each of all) observe(tally, each)
        observe(tally, dropped)
        tally.drop()
        expect(filesOf(tally)).toEqual(modelOf(all))
      }),
    )
  })

  it('joins written paths that are one file', () => {
    const join = (path: string): string => (path === 'b' ? 'a' : path)
    fc.assert(
      fc.property(sections, (all) => {
        const tally = create()
        for (const each of all) observe(tally, each)
        expect(filesOf(tally, join)).toEqual(modelOf(all, join))
      }),
    )
  })

  it('takes pages and words of bits for the same as their lines and branches', () => {
    const tally = create()
    tally.add(toWrittenPath('a'))
    tally.lines(0, 0b1110, 0b0110)
    tally.lines(1, -1, -1)
    tally.branches(2, 0, 1, 0b11, 0b01)
    expect(filesOf(tally)).toEqual(['a 1,32-63|2|3 1/2 -'])
  })

  it('makes a line partial by ways through it that are no branches, and does not count them', () => {
    const tally = create()
    tally.add(toWrittenPath('a'))
    for (const line of [1, 2, 3]) tally.line(line, line < 3)
    tally.ways(1, 0, 0b1, 0b1)
    tally.ways(2, 0, 0b11, 0b01)
    tally.ways(3, 0, 0b1, 0)
    tally.branch(1, -0x8000_0000, 0, true)
    expect(filesOf(tally)).toEqual(['a 1|2|3 1/1 -'])
  })

  it('joins sections from large to small and small to large, for a megabyte and more', () => {
    const all: Section[] = []
    const random = createRandom(20_261_123)
    for (let i = 0; i < 400; i += 1) {
      const size = i % 40 === 7 ? 4_000 : 1 + random(60)
      const range = 1 + random(i % 3 === 0 ? 200_000 : 300)
      const many = <T>(make: () => T): T[] => Array.from({ length: size }, make)
      all.push({
        path: `f${random(4)}`,
        lines: many(() => [1 + random(range), random(2) === 1]),
        branches: many(() => [1 + random(range), random(3), random(40), random(2) === 1]),
        functions: many(() => [random(range), 0, random(2) === 1]),
      })
    }
    // Twice: the second time all is known.
    const tally = create()
    for (const each of [...all, ...all.toReversed(), ...all]) observe(tally, each)
    expect(filesOf(tally)).toEqual(modelOf(all))
  })

  it('takes no longer for a small section of a large file than for one of a small file', () => {
    const tally = create()
    observe(tally, { path: 'a', lines: scattered(500_000), branches: [], functions: [] })
    // Reading the large one each time, 6 ms, would take many times as long as a test may.
    for (let i = 0; i < 20_000; i += 1)
      observe(tally, { path: 'a', lines: [[1 + (i % 9_999) * 97, true]], branches: [], functions: [] })
    expect(filesOf(tally)[0]).toMatch(/^a 1,3,5,7,9/)
  })

  it('limits what a whole report tells exactly, also when most of it is told again and again', () => {
    const limits = { maxFiles: 100, maxLinesPerFile: 1_000, maxLines: 100 }
    const tooMany = expect.objectContaining({ code: 'too_many_lines' }) as Error
    const filled = (): Tally => {
      const tally = create(limits)
      // 9 files of 10 lines and one of 8 with a branch and a function, in sections that say some of it again.
      for (let round = 0; round < 50; round += 1)
        for (let file = 0; file < 10; file += 1) {
          const lines = scattered(file === 9 ? 8 : 10)
          const own = file === 9 ? { branches: [[1, 0, 0, true]], functions: [[1, 1, true]] } : { branches: [], functions: [] } // oxfmt-ignore
          observe(tally, { path: `f${file}`, lines: lines.slice(round % 7), ...own } as Section)
        }
      return tally
    }
    expect(filesOf(filled())).toHaveLength(10)
    for (const more of [
      { path: 'f0', lines: [[999, true]], branches: [], functions: [] },
      { path: 'new', lines: [[1, false]], branches: [], functions: [] },
      { path: 'f0', lines: [], branches: [[1, 7, 0, false]], functions: [] },
      { path: 'f0', lines: [], branches: [], functions: [[9, 9, false]] },
    ] as Section[]) {
      const tally = filled()
      expect(() => {
        observe(tally, more)
        tally.written()
      }).toThrow(tooMany)
    }
  })

  it('does not wait for the end of a report, or of a section, that has none', () => {
    const tooMany = expect.objectContaining({ code: 'too_many_lines' }) as Error
    const endless = (limits: Parameters<typeof create>[0], add: (tally: Tally, i: number) => void): void => {
      const tally = create(limits)
      tally.add(toWrittenPath('a'))
      expect(() => {
        for (let i = 1; i < 1_000_000; i += 1) add(tally, i)
      }).toThrow(tooMany)
    }
    const ofFile = { maxFiles: 1_000_000, maxLinesPerFile: 1_000, maxLines: 10_000_000 }
    endless(ofFile, (tally, i) => tally.line(i, true))
    endless(ofFile, (tally, i) => tally.branch(1, i, 0, true))
    endless(ofFile, (tally, i) => tally.ways(i, 0, 1, 1))
    endless(ofFile, (tally, i) => tally.units('statements', i, 0, 1, 1))
    endless(ofFile, (tally, i) => tally.callable(i, 0, 1))
    endless({ ...ofFile, maxLines: 5_000 }, (tally, i) => {
      tally.add(toWrittenPath(`f${i}`))
      tally.line(1, true)
    })
  })

  it('counts lines exactly where it limits them, also those of a section that is dropped', () => {
    const limits = { maxFiles: 10, maxLinesPerFile: 100, maxLines: 10_000_000 }
    const tooMany = expect.objectContaining({ code: 'too_many_lines' }) as Error
    const twice = (tally: Tally): Tally => {
      for (let i = 0; i < 2; i += 1) observe(tally, { path: 'a', lines: scattered(100), branches: [], functions: [] })
      return tally
    }
    expect(filesOf(twice(create(limits)))).toHaveLength(1)
    const over = twice(create(limits))
    observe(over, { path: 'a', lines: [[2, true]], branches: [], functions: [] })
    expect(() => over.written()).toThrow(tooMany)
    const unfinished = create(limits)
    observe(unfinished, { path: 'a', lines: scattered(101), branches: [], functions: [] })
    expect(() => unfinished.drop()).toThrow(tooMany)
  })

  it('gives up early in a section that says ever more lines', () => {
    const tally = create()
    tally.add(toWrittenPath('a'))
    const attempt = (): void => {
      for (let i = 0; i < 3_000_000; i += 1) tally.line(1 + 32 * i, true)
    }
    expect(attempt).toThrow(expect.objectContaining({ code: 'too_many_lines' }) as Error)
  })
})

function scattered(lines: number): [line: number, executed: boolean][] {
  return Array.from({ length: lines }, (_, i) => [1 + 2 * i, true])
}

/** mulberry32 */
function createRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}
