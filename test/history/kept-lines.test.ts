import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mapLine } from '../../src/history/follow-line.ts'
import { allLines, createKeptLines, joinKept, keptByHunks, moveLines } from '../../src/history/kept-lines.ts'
import { findWrongHunk } from '../../src/record/hunks.ts'
import { fromSorted, printLines } from '../../src/record/lines.ts'

/** Hunks as a diff has them: lines that stay, lines that go, lines that come. */
const someHunks = fc
  .array(fc.tuple(fc.nat(6), fc.nat(3), fc.nat(3)), { maxLength: 5 })
  .map((edits) => {
    const hunks: number[] = []
    let [from, to] = [1, 1]
    for (const [i, [stay, go, come]] of edits.entries()) {
      if (go + come === 0) continue
      const between = stay + (i === 0 ? 0 : 1)
      from += between
      to += between
      hunks.push(go === 0 ? from - 1 : from, go, come === 0 ? to - 1 : to, come)
      from += go
      to += come
    }
    return hunks
  })
  .filter((hunks) => findWrongHunk(hunks) === undefined)
const someLines = fc.uniqueArray(fc.integer({ min: 1, max: 60 })).map((lines) => lines.toSorted((a, b) => a - b))

describe('moveLines', () => {
  it('moves every line as mapLine does, along one map and along two, in both directions', () => {
    fc.assert(
      fc.property(
        someHunks,
        someHunks,
        fc.boolean(),
        fc.boolean(),
        someLines,
        (first, second, back, backThen, lines) => {
          const moved = moveLines(fromSorted(lines), keptByHunks(first, back))
          const expected = lines.map((line) => mapLine(first, line, back)).filter((line) => line > 0)
          expect(printLines(moved)).toBe(printLines(fromSorted(expected)))
          const both = joinKept(keptByHunks(first, back), keptByHunks(second, backThen))
          const then = expected.map((line) => mapLine(second, line, backThen)).filter((line) => line > 0)
          expect(printLines(moveLines(fromSorted(lines), both))).toBe(printLines(fromSorted(then)))
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('createKeptLines', () => {
  const map = (from: string, to: string, ...hunks: number[]) => ({ from, to, hunks })

  it('goes the way of the fewest maps, in either direction, and knows where none leads', () => {
    const maps = [map('a', 'b', 1, 0, 2, 1), map('b', 'c', 5, 1, 4, 0), map('a', 'x', 1, 9, 0, 0), map('x', 'y'), map('y', 'c'), map('z', 'w')] // oxfmt-ignore
    const kept = createKeptLines(maps)
    expect(printLines(moveLines([1, 9], kept.between('a', 'c')!))).toBe('1,3-9')
    expect(printLines(moveLines([1, 9], kept.between('c', 'a')!))).toBe('1-3,5-9')
    expect(createKeptLines(maps.toReversed()).between('a', 'c')).toEqual(kept.between('a', 'c'))
    expect(kept.between('a', 'z')).toBeUndefined()
    expect(kept.between('q', 'q')).toBe(allLines)
    expect([...kept.reach('z')].sort()).toEqual(['w', 'z'])
  })
})
