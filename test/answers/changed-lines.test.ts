import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareFiles, reachedOf } from '../../src/answers/changed-lines.ts'
import type { MeasuredFile } from '../../src/answers/union.ts'
import { type VersionMap, createVersions, versionOf } from '../../src/history/follow-line.ts'
import { type LineRanges, fromSorted, noLines, parseLines, printLines } from '../../src/record/lines.ts'
import { createRandom, hunksBetween } from '../history/random-history.ts'

/** Blobs are named by their text here: a line is the same line where it has the same number in the list of unchanged ones. */
const measured = (path: string, covered: string, missed: string, blob?: string): MeasuredFile => {
  const states = { covered: parseLines(covered), partial: noLines, missed: parseLines(missed) }
  return {
    path, blob, blobDiffers: false,
    measures: [{ definition: 'lcov.da@1', unit: states, integration: undefined, suites: [{ testType: 'unit', suite: 'api', states }], comparable: true }],
  } // oxfmt-ignore
}
const map = (from: string, a: string, to: string, b: string, hunks: number[]) => ({ from: versionOf(from, a), to: versionOf(to, b), hunks }) // oxfmt-ignore
const told = ({ lines, unknown }: ReturnType<typeof compareFiles>) => ({ lines: Object.fromEntries([...lines].map(([path, of]) => [path, printLines(of)])), unknown }) // oxfmt-ignore
const a = measured('a', '1-8', '9-10')

describe('compareFiles', () => {
  it('takes the lines of a map between both versions, whichever way it leads', () => {
    const [now, base] = [new Map([['a', 'b2']]), new Map([['a', 'b1']])]
    // Lines 2 and 3 were replaced by 2 to 4, and 8 is gone.
    expect(told(compareFiles([a], now, base, [map('a', 'b1', 'a', 'b2', [2, 2, 2, 3, 8, 1, 8, 0])]))).toEqual({ lines: { a: '2-4' }, unknown: [] }) // oxfmt-ignore
    expect(told(compareFiles([a], now, base, [map('a', 'b2', 'a', 'b1', [2, 3, 2, 2, 8, 0, 8, 1])]))).toEqual({ lines: { a: '2-4' }, unknown: [] }) // oxfmt-ignore
  })

  it('goes through versions between', () => {
    const maps = [map('a', 'b1', 'a', 'b2', [2, 1, 2, 1]), map('a', 'b2', 'a', 'b3', [5, 1, 5, 1])]
    expect(told(compareFiles([a], new Map([['a', 'b3']]), new Map([['a', 'b1']]), maps))).toEqual({ lines: { a: '2,5' }, unknown: [] }) // oxfmt-ignore
  })

  it('follows a renamed file, takes all lines of a new one, and guesses nothing where no map leads', () => {
    const renamed = [map('old', 'b1', 'a', 'b2', [3, 1, 3, 1])]
    expect(told(compareFiles([a], new Map([['a', 'b2']]), new Map([['old', 'b1']]), renamed))).toEqual({ lines: { a: '3' }, unknown: [] }) // oxfmt-ignore
    expect(told(compareFiles([a], new Map([['a', 'b2']]), new Map(), []))).toEqual({ lines: { a: '1-10' }, unknown: [] }) // oxfmt-ignore
    expect(told(compareFiles([a], new Map([['a', 'b2']]), new Map([['a', 'b1']]), []))).toEqual({ lines: {}, unknown: ['a'] }) // oxfmt-ignore
    expect(told(compareFiles([a], new Map([['a', 'b2']]), new Map([['a', 'b1']]), [map('a', 'b0', 'a', 'b2', [])]))).toEqual({ lines: {}, unknown: ['a'] }) // oxfmt-ignore
  })

  it('does not know which new lines are code in a file that no run measured', () => {
    const none: MeasuredFile = { path: 'a', blob: undefined, blobDiffers: false, measures: [] }
    const of = (base: [string, string][], maps: ReturnType<typeof map>[]) => told(compareFiles([none], new Map([['a', 'b2']]), new Map(base), maps)) // oxfmt-ignore
    expect(of([], [])).toEqual({ lines: {}, unknown: ['a'] })
    expect(of([['a', 'b1']], [])).toEqual({ lines: {}, unknown: ['a'] })
    expect(of([['a', 'b1']], [map('a', 'b1', 'a', 'b2', [2, 0, 3, 1])])).toEqual({ lines: {}, unknown: ['a'] })
    // Lines that are gone are none that could be executed.
    expect(of([['a', 'b1']], [map('a', 'b1', 'a', 'b2', [2, 1, 1, 0])])).toEqual({ lines: {}, unknown: [] })
  })

  it('does not know what was measured in another version than the commit has', () => {
    const other = measured('a', '1-8', '9', 'b9')
    expect(told(compareFiles([other], new Map([['a', 'b2']]), new Map([['a', 'b1']]), [map('a', 'b1', 'a', 'b2', [])])).unknown).toEqual(['a']) // oxfmt-ignore
  })

  it('says the same of a chain of maps as a plain loop over the lines, in whatever order they come', () => {
    const steps = fc.array(fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(steps, fc.boolean(), (all, reversed) => {
        // Each step exchanges some of twelve lines for others, one by one.
        const maps = all.map((changed, i) =>
          map('a', `b${i}`, 'a', `b${i + 1}`, changed.flatMap((is, j) => (is ? [j + 1, 1, j + 1, 1] : []))))
        const file = measured('a', '1-12', '')
        const expected = fromSorted(Array.from({ length: 12 }, (_, j) => j).filter((j) => all.some((step) => step[j])).map((j) => j + 1))
        const found = compareFiles([file], new Map([['a', `b${all.length}`]]), new Map([['a', 'b0']]), reversed ? maps.toReversed() : maps)
        expect(printLines(found.lines.get('a') ?? [])).toBe(printLines(expected))
      }),
    )
  }) // oxfmt-ignore
})

describe('compareFiles over random maps', () => {
  /** Line by line, over all versions: what it is to be, however it is found. */
  function byLoop(changed: readonly MeasuredFile[], now: ReadonlyMap<string, string>, base: ReadonlyMap<string, string>, maps: readonly VersionMap[]) {
    const versions = createVersions(maps)
    const before = [...base].map(([path, blob]) => versionOf(path, blob)).sort()
    const ordered = maps.toSorted((x, y) => (`${x.from}\n${x.to}\n${x.hunks.join()}` < `${y.from}\n${y.to}\n${y.hunks.join()}` ? -1 : 1))
    const [lines, unknown] = [new Map<string, LineRanges>(), [] as string[]]
    for (const { path, measures } of changed) {
      const [version, was] = [versionOf(path, now.get(path)!), base.get(path)]
      const others = was === undefined ? before : [versionOf(path, was)]
      const direct = ordered.find(({ from, to }) => (to === version && others.includes(from)) || (from === version && others.includes(to)))
      const found = measures.flatMap(({ suites }) => suites.flatMap(({ states }) => [states.covered, states.partial, states.missed].flatMap(toList)))
      const all = [...new Set(found)].sort((x, y) => x - y)
      if (direct !== undefined) {
        const isTo = direct.to === version
        const numbers = []
        for (let i = 0; i < direct.hunks.length; i += 4) for (let n = 0; n < direct.hunks[i + (isTo ? 3 : 1)]!; n++) numbers.push(direct.hunks[i + (isTo ? 2 : 0)]! + n)
        lines.set(path, fromSorted(numbers))
        continue
      }
      const at = versions.numberOf(version)
      const numbers = all.map((line) => {
        const there = at === undefined ? undefined : versions.follow(at, line)
        return others.map((one) => there?.[versions.numberOf(one) ?? -1] ?? -1).find((number) => number >= 0)
      })
      if (was !== undefined && numbers.includes(undefined)) unknown.push(path)
      else lines.set(path, fromSorted(all.filter((_, i) => numbers[i] === undefined || numbers[i] === 0)))
    }
    return { lines, unknown }
  }

  it('says what following each line says: through versions between, by other names, by several ways', () => {
    const seen = { unchanged: 0, some: 0, unknown: 0 }
    for (let seed = 1; seed <= 3_000; seed++) {
      const random = createRandom(seed)
      const names = ['a', 'b', 'c', 'd']
      const blob = () => `b${random(5)}`
      const someTree = () => new Map(names.filter(() => random(3) > 0).map((path) => [path, blob()]))
      const [now, base] = [someTree(), someTree()]
      const maps = Array.from({ length: random(12) }, () => {
        const was = Array.from({ length: 1 + random(9) }, (_, i) => i)
        const is = was.flatMap((line) => (random(5) === 0 ? [] : random(5) === 0 ? [100 + line, line] : [line]))
        const name = names[random(4)]!
        return { from: versionOf(name, blob()), to: versionOf(random(4) === 0 ? names[random(4)]! : name, blob()), hunks: hunksBetween(was, is) }
      })
      const changed = [...now].filter(([path, own]) => base.get(path) !== own).map(([path, own]) => measured(path, '1-4', random(2) === 0 ? '7-9' : '', own))
      const [found, expected] = [told(compareFiles(changed, now, base, maps)), told(byLoop(changed, now, base, maps))]
      expect({ seed, ...found }).toEqual({ seed, ...expected })
      seen.unknown += expected.unknown.length
      const values = Object.values(expected.lines)
      seen.unchanged += values.filter((of) => of === '').length
      seen.some += values.filter((of) => of !== '' && of !== '1-4' && of !== '1-4,7-9').length
    }
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(100)
  })
}) // oxfmt-ignore

const toList = (ranges: LineRanges): number[] => {
  const lines: number[] = []
  for (let i = 0; i < ranges.length; i += 2)
    for (let line = ranges[i]!; line <= ranges[i + 1]!; line++) lines.push(line)
  return lines
}

describe('reachedOf', () => {
  it('counts changed lines of a file that only the other test type measured as not executed', () => {
    const states = { covered: parseLines('1-3'), partial: noLines, missed: noLines }
    const hidden = (definition: string): MeasuredFile => ({
      path: 'new', blob: 'n', blobDiffers: false,
      measures: [{ definition, unit: undefined, integration: states, suites: [{ testType: 'integration', suite: 'e2e', states }], comparable: true }],
    }) // oxfmt-ignore
    const changed = new Map([['a', parseLines('8-9')], ['new', parseLines('1-3')]]) // oxfmt-ignore
    const unit = (definition: string) => reachedOf([a, hidden(definition)], changed).find((one) => one.test_type === 'unit' && one.suite === undefined) // oxfmt-ignore
    expect(unit('lcov.da@1')).toMatchObject({ executed: 1, found: 5 })
    // What another definition calls a line is added to none.
    expect(unit('jacoco.line@1')).toMatchObject({ executed: 1, found: 2 })
  })

  it('counts changed lines alone, for each test type and suite, also where none changed', () => {
    const of = reachedOf([a, measured('b', '1', '2')], new Map([['a', parseLines('8-9,20')]]))
    expect(of).toEqual([
      { test_type: 'unit', suite: undefined, definition: 'lcov.da@1', executed: 1, found: 2 },
      { test_type: 'unit', suite: 'api', definition: 'lcov.da@1', executed: 1, found: 2 },
    ])
    expect(reachedOf([a], new Map())).toMatchObject([
      { executed: 0, found: 0 },
      { executed: 0, found: 0 },
    ])
  })
})
