import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { OpenRow } from '../../src/delivery/attempts.ts'
import { timely } from '../../src/delivery/open-attempt.ts'
import { createSteadyClock } from '../../src/delivery/steady-clock.ts'

const start = Date.UTC(2026, 10, 23, 5)
const hour = 3_600_000

function clocks() {
  let passed = 0
  let off = 0
  const now = createSteadyClock(
    () => new Date(start + passed + off),
    () => passed,
  )
  return {
    now: () => now().getTime() - start,
    pass: (ms: number) => void (passed += ms),
    step: (ms: number) => void (off += ms),
  }
}

describe('createSteadyClock', () => {
  it('is the clock of the machine while that does not jump', () => {
    const { now, pass } = clocks()
    expect(now()).toBe(0)
    pass(5_000)
    expect(now()).toBe(5_000)
  })

  it.each([
    ['an hour back', -hour, 500],
    ['a day ahead', 24 * hour, 2_000],
  ])('case 11: after a step %s a second is not longer than two, nor shorter than half of one', (_, ms, told) => {
    const { now, pass, step } = clocks()
    step(ms)
    expect(now()).toBe(0)
    pass(1_000)
    expect(now()).toBe(told)
  })

  it('case 11: agrees with the machine again, and stays so', () => {
    const { now, pass, step } = clocks()
    step(-hour)
    for (let i = 0; i < 130; i++) {
      pass(60_000)
      now()
    }
    expect(now()).toBe(130 * 60_000 - hour)
    pass(777)
    expect(now()).toBe(130 * 60_000 - hour + 777)
  })

  it('case 11: never goes back, whatever the machine does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(100_000), fc.integer({ min: -hour, max: hour })), { maxLength: 40 }),
        (all) => {
          const { now, pass, step } = clocks()
          for (const [ms, jump] of all) {
            const before = now()
            step(jump)
            pass(ms)
            const after = now() - before
            expect(after).toBeGreaterThanOrEqual(ms / 2 - 1) // whole milliseconds are told
            expect(after).toBeLessThanOrEqual(ms * 2 + 1)
          }
        },
      ),
    )
  })
})

describe('timely', () => {
  it('case 11: holds what was written by a clock that was ahead no longer than an attempt takes', () => {
    const now = start * 1000
    const row = {
      at: now + 3_600e6,
      openedAt: now + 3_600e6,
      deadline: now + 3_670e6,
      retryAt: now + 9_999e6,
    } as OpenRow
    const held = timely(row, now, 70e6)
    expect(held).toMatchObject({ at: now, openedAt: now, deadline: now + 70e6, retryAt: now + 900e6 })
    const past = { ...row, at: now - 5, openedAt: now - 9, deadline: now - 3, retryAt: null }
    expect(timely(past, now, 70e6)).toEqual(past)
  })
})
