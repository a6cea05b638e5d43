import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSpread, type DrillMeasure, type DrillState, nextOfDrill, type PausedMeasure, scheduledAt, type Side, verdictOf } from '../../src/watch/drill.ts' // oxfmt-ignore

const lane = { provedTo: 100, inFlight: 0 }
const fresh: DrillState = { measureAt: 1_000, holdUntil: 2_000, measured: undefined, closeWithin: 500 }
const paused: PausedMeasure = { from: 0, boundary: 60, to: 100 }
const measured: DrillState = { ...fresh, measured: { at: 1_100, paused } }

describe('nextOfDrill', () => {
  it('holds, measures when it is time and nothing is on its way, and waits until the lane has caught up', () => {
    expect(nextOfDrill(fresh, lane, 999)).toEqual({ kind: 'wait' })
    expect(nextOfDrill(fresh, { ...lane, inFlight: 1 }, 1_000)).toEqual({ kind: 'wait' })
    expect(nextOfDrill(fresh, lane, 1_000)).toEqual({ kind: 'measure' })
    expect(nextOfDrill(measured, { ...lane, provedTo: 99 }, 1_200)).toEqual({ kind: 'wait' })
    expect(nextOfDrill(measured, lane, 1_200)).toEqual({ kind: 'compare', isLast: false })
    expect(nextOfDrill(measured, { ...lane, provedTo: 99 }, 1_600)).toEqual({ kind: 'compare', isLast: true })
  })

  it('proves nothing where nobody measured while it was held', () => {
    expect(nextOfDrill(fresh, lane, 2_000)).toMatchObject({ kind: 'end', verdict: 'inconclusive' })
  })

  it('comes to an end at any state as time passes', () => {
    const anyState = fc.record({ measured: fc.boolean(), provedTo: fc.nat(200), inFlight: fc.nat(2) })
    fc.assert(
      fc.property(anyState, ({ measured: isMeasured, ...at }) => {
        expect(nextOfDrill(isMeasured ? measured : fresh, at, 10_000).kind).not.toBe('wait')
      }),
    )
  })
})

const side = (expected: number, there = expected, sampled: Partial<Side['sampled']> = { right: there }): Side => ({
  expected: { count: expected, checkSum: expected * 7 },
  there: { count: there, checkSum: there * 7 },
  sampled: { right: 0, altered: 0, absent: 0, ...sampled },
})
const asPaused = (before: Side, meanwhile: Side): PausedMeasure => ({ ...paused, measure: { before, meanwhile } })
const good = asPaused(side(60), side(40, 0, { absent: 25 }))
const closed: DrillMeasure = { before: side(60), meanwhile: side(40) }

describe('verdictOf', () => {
  it('holds when what was missing is there, each once and unchanged', () => {
    expect(verdictOf(good, closed, false)).toEqual({ verdict: 'held', reason: '40 records were missing while it was held, and are there now, each once' }) // oxfmt-ignore
  })

  it.each([
    ['a record is missing', { ...closed, meanwhile: side(40, 39) }, /39 records are there of 40/],
    ['one is there twice', { ...closed, meanwhile: side(40, 41) }, /41 records are there of 40/],
    ['the sums differ', { ...closed, before: { ...side(60), there: { count: 60, checkSum: 1 } } }, /another sum/],
    ['one is altered', { ...closed, meanwhile: side(40, 40, { right: 24, altered: 1 }) }, /1 are altered/],
    ['one cannot be read back', { ...closed, before: side(60, 60, { right: 24, absent: 1 }) }, /1 absent/],
    ['it cannot be asked', { reason: 'HTTP 503' }, /HTTP 503/],
  ])('waits while %s, and does not hold when the time is over', (_, afterwards, reason) => {
    expect(verdictOf(good, afterwards, false)).toBeUndefined()
    expect(verdictOf(good, afterwards, true)).toMatchObject({ verdict: 'not_held', reason: expect.stringMatching(reason) as string }) // oxfmt-ignore
  })

  it.each([
    ['something came although it was held', asPaused(side(60), side(40, 1)), 'not_held', /1 records came there/],
    ['something was missing before', asPaused(side(60, 59), side(40, 0, {})), 'not_held', /59 records are there of 60/],
    ['something was altered before', asPaused(side(60, 60, { altered: 1 }), side(40, 0, {})), 'not_held', /altered/],
    ['nothing was recorded meanwhile', asPaused(side(60), side(0)), 'inconclusive', /nothing was recorded/],
    ['it could not be asked meanwhile', { ...paused, reason: 'HTTP 401' }, 'inconclusive', /HTTP 401/],
  ] as const)('is no success when %s, though it closed', (_, before, verdict, reason) => {
    expect(verdictOf(before, closed, false)).toMatchObject({ verdict, reason: expect.stringMatching(reason) as string })
  })
})

describe('scheduledAt', () => {
  const day = 86_400_000_000
  it('begins a tenth before it is due, and an hour after one that was no success', () => {
    const never = { begunAt: 100 * day, lastHeld: undefined, lastEnded: undefined }
    expect(scheduledAt(30 * day, never)).toBe(127 * day)
    expect(scheduledAt(30 * day, { ...never, lastHeld: 200 * day, lastEnded: 200 * day })).toBe(227 * day)
    expect(scheduledAt(30 * day, { ...never, lastEnded: 130 * day })).toBe(130 * day + 3_600_000_000)
  })
})

describe('createSpread', () => {
  it('picks as many as were wanted or offered, each of what was offered, once, over the whole of it', () => {
    fc.assert(
      fc.property(fc.nat(5_000), fc.integer({ min: 1, max: 40 }), (offered, wanted) => {
        const spread = createSpread(wanted)
        for (let seq = 0; seq < offered; seq++) spread.offer(seq)
        const picked = spread.picked()
        expect(picked.length).toBe(Math.min(wanted, offered))
        expect(new Set(picked).size).toBe(picked.length)
        expect(picked.every((seq) => seq < offered)).toBe(true)
        if (wanted > 3 && offered > wanted * 4) expect(Math.max(...picked)).toBeGreaterThan(offered / 2)
      }),
    )
  })
})
