import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  compareIds,
  type Expected,
  idsAtOnce,
  nextQuestion,
  rotatingSample,
  type Span,
} from '../../src/watch/compare.ts'

interface Side {
  records: Expected[]
}

const sumOf = ({ records }: Side, { first, last }: Span) => {
  const inside = records.filter(({ seq }) => seq >= first && seq <= last)
  return { count: inside.length, checkSum: inside.reduce((sum, { check }) => sum + check, 0) }
}

/** Follows the questions to their end, as the service does, over two sides in memory. */
function difference(ours: Side, theirs: Side, span: Span): { missing: string[]; foreign: string[]; asked: number } {
  const told = { missing: [] as string[], foreign: [] as string[], asked: 0 }
  const visit = (part: Span): void => {
    told.asked++
    const inside = (side: Side) => side.records.filter(({ seq }) => seq >= part.first && seq <= part.last)
    const next = nextQuestion(part, sumOf(ours, part), sumOf(theirs, part))
    if (next.kind === 'all-missing') told.missing.push(...inside(ours).map(({ id }) => id))
    else if (next.kind === 'halves') next.halves.forEach(visit)
    else if (next.kind === 'ids') {
      const copies = new Map(inside(theirs).map(({ id }) => [id, 1]))
      const found = compareIds(inside(ours), new Set(), copies)
      told.missing.push(...found.missing.map(({ id }) => id))
      told.foreign.push(...found.foreign)
    }
  }
  visit(span)
  return told
}

describe('nextQuestion', () => {
  it('case 42: leads to every missing and foreign id, and to nothing else', () => {
    const size = 4 * idsAtOnce
    const seqs = fc.uniqueArray(fc.integer({ min: 0, max: size - 1 }), { maxLength: 60 })
    fc.assert(
      fc.property(seqs, seqs, fc.integer(), (lost, planted, seed) => {
        const make = (seq: number, mark: string): Expected => ({ id: `${mark}-${seq}`, seq, check: (Math.imul(seq + 1, seed | 1) >>> 0) + 1 }) // oxfmt-ignore
        const ours = { records: Array.from({ length: size }, (_, seq) => make(seq, 'own')) }
        const theirs = { records: [...ours.records.filter(({ seq }) => !lost.includes(seq)), ...planted.map((seq) => make(seq, 'foreign'))] } // oxfmt-ignore
        const told = difference(ours, theirs, { first: 0, last: size - 1 })
        // A foreign record with the check of the lost one of its place hides both: ids are not in a sum. What is found is right all the same.
        const hidden = planted.filter((seq) => lost.includes(seq))
        if (hidden.length > 0) return
        expect(told.missing.toSorted()).toEqual(lost.map((seq) => `own-${seq}`).toSorted())
        expect(told.foreign.toSorted()).toEqual(planted.map((seq) => `foreign-${seq}`).toSorted())
      }),
      { numRuns: 30 },
    )
  })

  it('asks once where both sides are the same, and not for ids where nothing is there', () => {
    const span = { first: 0, last: 65_535 }
    expect(nextQuestion(span, { count: 5, checkSum: 9 }, { count: 5, checkSum: 9 })).toEqual({ kind: 'equal' })
    expect(nextQuestion(span, { count: 5, checkSum: 9 }, { count: 0, checkSum: 0 })).toEqual({ kind: 'all-missing' })
    expect(nextQuestion(span, { count: 5, checkSum: 9 }, { count: 5, checkSum: 8 }).kind).toBe('halves')
    expect(nextQuestion({ first: 7, last: 7 }, { count: 1, checkSum: 9 }, { count: 2, checkSum: 18 }).kind).toBe('ids')
  })
})

describe('compareIds', () => {
  it('tells copies, and parked records that are there after all', () => {
    const ours = [0, 1, 2].map((seq) => ({ id: `r-${seq}`, seq, check: seq }))
    const theirs = new Map([['r-0', 1], ['r-1', 3], ['r-9', 1], ['x', 1]]) // oxfmt-ignore
    expect(compareIds(ours, new Set(['r-9']), theirs)).toEqual({
      missing: [{ id: 'r-2', seq: 2, check: 2 }],
      duplicated: [{ id: 'r-1', seq: 1, copies: 3 }],
      foreign: ['x'],
      found: ['r-9'],
    })
  })
})

describe('rotatingSample', () => {
  it('visits every seq once before any comes again', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        fc.integer({ min: 1, max: 60 }),
        fc.nat(1_000),
        (length, count, start) => {
          const rounds = Math.floor(length / count)
          const seen: number[] = []
          for (let round = 0; round < rounds; round++)
            seen.push(...rotatingSample({ first: 100, last: 99 + length }, count, start + round))
          if (length <= count) expect(seen.length).toBe(length * rounds)
          else expect(new Set(seen).size).toBe(rounds * count)
          expect(seen.every((seq) => seq >= 100 && seq < 100 + length)).toBe(true)
        },
      ),
    )
  })

  it('stays exact for a ledger of years', () => {
    const sample = rotatingSample({ first: 0, last: 9_000_000_000 }, 50, 1_800_000_000)
    expect(new Set(sample).size).toBe(50)
    expect(sample.every(Number.isSafeInteger)).toBe(true)
  })
})
