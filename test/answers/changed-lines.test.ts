import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareFiles, reachedOf } from '../../src/answers/changed-lines.ts'
import type { MeasuredFile } from '../../src/answers/union.ts'
import { versionOf } from '../../src/history/follow-line.ts'
import { fromSorted, noLines, parseLines, printLines } from '../../src/record/lines.ts'

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

describe('reachedOf', () => {
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
