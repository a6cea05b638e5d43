import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AttemptHistory, nextStep, type Policy } from '../../src/delivery/next-step.ts'
import type { Tally } from '../../src/delivery/marks.ts'

const now = new Date('2026-11-23T05:00:00Z')
const at = (ms: number): Date => new Date(now.getTime() + ms)
const none: Tally = { d: 0, a: 0, r: 0, u: 0, i: 0, e: 0, p: 0, n: 0 }

const policy: Policy = {
  repeatable: false, canLook: true, onUnresolved: 'hold', unresolvedAfterMs: 60_000, unprovedAfterMs: 60_000, lookDelaysMs: [0, 1_000],
  retryDelaysMs: [100, 1_000],
} // oxfmt-ignore

function history(tally: Partial<Tally>, more: Partial<AttemptHistory> = {}): AttemptHistory {
  return {
    try: 1,
    members: 3,
    hand: 'free',
    deadline: at(-1),
    since: at(-5_000),
    tally: { ...none, ...tally },
    looks: 0,
    ...more,
  }
}

describe('nextStep', () => {
  it.each([
    ['everything is delivered', history({ d: 3 }), policy, { kind: 'settle' }],
    ['some is refused, some parked, some handed on', history({ d: 1, r: 1, p: 1, n: 1 }), policy, { kind: 'settle' }],
    [
      'it is in our hands',
      history({ i: 3 }, { hand: 'held', deadline: at(10) }),
      policy,
      { kind: 'wait', until: at(10) },
    ],
    [
      'its opener may still be sending',
      history({ i: 3 }, { hand: 'lost', deadline: at(10) }),
      policy,
      { kind: 'wait', until: at(10) },
    ],
    ['its opener is gone', history({ i: 3 }, { hand: 'lost' }), policy, { kind: 'look' }],
    ['unsent, its pause over', history({ u: 3 }), policy, { kind: 'send', doubtful: false }],
    ['unsent, its pause not over', history({ u: 3 }, { since: at(-40) }), policy, { kind: 'wait', until: at(60) }],
    ['unsent, told when to come back', history({ u: 3 }, { retryAt: at(7) }), policy, { kind: 'wait', until: at(7) }],
    [
      'unsent and blocked',
      history({ u: 3 }, { block: 'credentials' }),
      policy,
      { kind: 'block', reason: 'credentials' },
    ],
    [
      'unsent and too large',
      history({ u: 3 }, { split: 'halve' }),
      policy,
      { kind: 'send', doubtful: false, split: 'halve' },
    ],
    [
      'in doubt, nobody to ask, hold',
      history({ i: 3 }),
      { ...policy, canLook: false },
      { kind: 'park', reason: 'unresolved' },
    ],
    [
      'in doubt, nobody to ask, resend marked',
      history({ i: 3 }),
      { ...policy, canLook: false, onUnresolved: 'resend_marked' as const },
      { kind: 'send', doubtful: true },
    ],
    [
      'in doubt, resend marked, its bytes perhaps still on their way',
      history({ i: 3 }, { deadline: at(9) }),
      { ...policy, canLook: false, onUnresolved: 'resend_marked' as const },
      { kind: 'wait', until: at(9) },
    ],
    [
      'in doubt, looked at a moment ago',
      history({ i: 3 }, { looks: 1, lookedAt: at(-10), lookingSince: at(-10) }),
      policy,
      { kind: 'wait', until: at(990) },
    ],
    [
      'in doubt, its time over since the last look, and another look due',
      history({ i: 3 }, { looks: 9, lookedAt: at(-2_000), lookingSince: at(-61_000) }),
      policy,
      { kind: 'look' },
    ],
    [
      'in doubt, looked for long enough',
      history({ i: 3 }, { looks: 9, lookedAt: at(-10), lookingSince: at(-60_010) }),
      policy,
      { kind: 'park', reason: 'unresolved' },
    ],
    [
      'in doubt for a year, and never looked for by this process',
      history({ i: 3 }, { since: at(-3e10) }),
      policy,
      { kind: 'look' },
    ],
    [
      'in doubt, looked for long enough by several processes',
      history({ i: 3 }, { looks: 9, lookedAt: at(-10), lookingSince: at(-20_010), lookedBeforeMs: 40_000 }),
      policy,
      { kind: 'park', reason: 'unresolved' },
    ],
    [
      'in doubt, looked for long enough by others, and hardly by this process',
      history({ i: 3 }, { looks: 9, lookedAt: at(-2_000), lookingSince: at(-4_999), lookedBeforeMs: 3e10 }),
      policy,
      { kind: 'look' },
    ],
    [
      'in doubt where twice is once',
      history({ i: 3 }),
      { ...policy, repeatable: true },
      { kind: 'send', doubtful: true },
    ],
    ['its id is taken where twice is once', history({ e: 3 }), { ...policy, repeatable: true }, { kind: 'look' }],
    ['accepted, not proved', history({ a: 3 }), policy, { kind: 'look' }],
    [
      'accepted, never proved',
      history({ a: 3 }, { looks: 1, lookedAt: at(-1), lookingSince: at(-60_001) }),
      policy,
      { kind: 'park', reason: 'unproved' },
    ],
  ] as const)('when %s', (_, state, rules, step) => {
    expect(nextStep(state, rules, now)).toEqual(step)
  })

  const tallies = fc.record({
    d: fc.nat(2),
    a: fc.nat(2),
    r: fc.nat(2),
    u: fc.nat(2),
    i: fc.nat(2),
    e: fc.nat(2),
    p: fc.nat(2),
    n: fc.nat(2),
  })
  const times = fc.integer({ min: -200_000, max: 200_000 }).map(at)
  const histories = fc.record(
    {
      try: fc.integer({ min: 1, max: 40 }), members: fc.constant(3), hand: fc.constantFrom('free' as const, 'held' as const, 'lost' as const), deadline: times,
      since: times, tally: tallies, looks: fc.nat(20), lookedAt: times, lookingSince: times, lookedBeforeMs: fc.nat(200_000), retryAt: times,
      block: fc.constantFrom('credentials' as const, 'index' as const), split: fc.constantFrom('halve' as const, 'single' as const),
    },
    { requiredKeys: ['try', 'members', 'hand', 'deadline', 'since', 'tally', 'looks'] },
  ) // oxfmt-ignore
  const policies = fc.record({
    repeatable: fc.boolean(), canLook: fc.boolean(), onUnresolved: fc.constantFrom('hold' as const, 'resend_marked' as const),
    unresolvedAfterMs: fc.nat(100_000), unprovedAfterMs: fc.nat(100_000), lookDelaysMs: fc.constant([0, 10]), retryDelaysMs: fc.constant([1, 10]),
  }) // oxfmt-ignore

  it('has an answer for every state, and never sends what is in doubt unless twice is once or the operator said so', () => {
    fc.assert(
      fc.property(histories, policies, (state, rules) => {
        const step = nextStep(state as AttemptHistory, rules, now)
        if (step.kind === 'wait')
          expect(step.until.getTime()).toBeGreaterThanOrEqual(state.hand === 'held' ? -Infinity : now.getTime())
        if (step.kind === 'send' && step.doubtful)
          expect(rules.repeatable || rules.onUnresolved === 'resend_marked').toBe(true)
        if (step.kind === 'send' && !step.doubtful) expect(state.tally.u).toBeGreaterThan(0)
        if (state.hand === 'held') expect(step.kind).toBe('wait')
        if (step.kind === 'settle') expect(state.tally.u + state.tally.i + state.tally.e + state.tally.a).toBe(0)
      }),
      { numRuns: 3_000 },
    )
  })
})
