import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Order } from '../../src/delivery/order-store.ts'
import { toSend } from '../../src/watch/order-missing.ts'
import { noneUnlisted, noteUnlisted, seqsOfRuns } from '../../src/watch/unlisted.ts'

const seqsGiven = fc.uniqueArray(fc.nat(200), { maxLength: 80 }).map((seqs) => seqs.toSorted((a, b) => a - b))

describe('noteUnlisted', () => {
  it('keeps every seq until it is full, and counts those it does not keep', () => {
    fc.assert(
      fc.property(
        seqsGiven,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 60 }),
        (seqs, runs, records) => {
          const unlisted = noneUnlisted()
          for (const seq of seqs) noteUnlisted(unlisted, seq, { runs, records })
          const kept = [...seqsOfRuns(unlisted)]
          expect(kept).toEqual(seqs.slice(0, kept.length))
          expect(unlisted).toMatchObject({ records: kept.length, beyond: seqs.length - kept.length })
          expect(unlisted.runs.length).toBeLessThanOrEqual(runs * 2)
          expect(kept.length).toBeLessThanOrEqual(records)
        },
      ),
    )
  })

  it('needs one run for an index that is gone', () => {
    const unlisted = noneUnlisted()
    for (let seq = 10_000; seq < 900_000; seq++) noteUnlisted(unlisted, seq)
    expect(unlisted).toEqual({ runs: [10_000, 899_999], records: 890_000, beyond: 0 })
  })
})

describe('toSend', () => {
  const found = (seq: number, state: 'found' | 'discarded' = 'found') => ({ kind: 'missing' as const, state, seq, at: 100 }) // oxfmt-ignore
  const unlisted = { at: 100, runs: [5, 7, 9, 9] }
  const order: Order = { n: 1, first: 6, end: 8, leftOut: undefined, why: 'missing', mark: undefined, reason: '', byWhom: '', at: 110, next: 6, endedAt: undefined } // oxfmt-ignore

  it('is what is listed and what is not, each once', () => {
    expect(toSend([found(1), found(5)], [], 100, 50, unlisted)).toEqual([1, 5, 6, 7, 9])
  })

  it('leaves out what a person disposed of, and what was ordered since', () => {
    expect(toSend([found(9, 'discarded')], [order], 100, 50, unlisted)).toEqual([5])
    expect(toSend([], [{ ...order, endedAt: 120 }], 100, 50, unlisted)).toEqual([5, 9])
    expect(toSend([], [{ ...order, endedAt: 40 }], 100, 50, unlisted)).toEqual([5, 6, 7, 9]) // it was seen since, and is not there
  })
})
