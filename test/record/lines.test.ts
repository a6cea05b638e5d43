import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LineRanges } from '../../src/record/lines.ts'
import { countLines, fromSorted, noLines, parseLines, printLines, subtract, unite } from '../../src/record/lines.ts'

const lineSet = fc.uniqueArray(fc.integer({ min: 1, max: 60 })).map((lines) => lines.sort((a, b) => a - b))

function toArray(ranges: LineRanges): number[] {
  const lines: number[] = []
  for (let i = 0; i < ranges.length; i += 2)
    for (let line = ranges[i]!; line <= ranges[i + 1]!; line += 1) lines.push(line)
  return lines
}

describe('sets of lines', () => {
  it('print as ascending ranges', () => {
    expect(printLines(fromSorted([1, 2, 3, 4, 5, 9, 17, 18, 20]))).toBe('1-5,9,17-18,20')
    expect(printLines(noLines)).toBe('')
  })

  it('are read back exactly', () => {
    fc.assert(
      fc.property(lineSet, (lines) => {
        const ranges = fromSorted(lines)
        expect(toArray(parseLines(printLines(ranges)))).toEqual(lines)
        expect(countLines(ranges)).toBe(lines.length)
      }),
    )
  })

  it.each([
    ',',
    '1,',
    '0',
    '01',
    '1-1',
    '2-1',
    '1,2',
    '1-3,4',
    '3,1',
    '1-5,5-6',
    '1 ',
    '-1',
    '1-',
    '1.5',
    '1e3',
    '9007199254740992',
  ])('have one spelling: %j is refused', (text) => {
    expect(() => parseLines(text)).toThrow(/set of lines/)
  })

  it('unite and subtract as sets do', () => {
    fc.assert(
      fc.property(lineSet, lineSet, (a, b) => {
        const union = unite(fromSorted(a), fromSorted(b))
        const difference = subtract(fromSorted(a), fromSorted(b))
        expect(toArray(union)).toEqual([...new Set([...a, ...b])].sort((x, y) => x - y))
        expect(toArray(difference)).toEqual(a.filter((line) => !b.includes(line)))
        // Canonical, so that equal sets have equal bytes.
        for (const set of [union, difference]) expect(parseLines(printLines(set))).toEqual(set)
      }),
    )
  })

  it('cost nothing for the value of a line number', () => {
    const far = fromSorted([1, 2_147_483_648, Number.MAX_SAFE_INTEGER])
    expect(far).toHaveLength(6)
    const all = parseLines(`1-${Number.MAX_SAFE_INTEGER}`)
    expect(printLines(subtract(all, far))).toBe('2-2147483647,2147483649-9007199254740990')
    expect(unite(far, all)).toEqual(all)
  })
})
