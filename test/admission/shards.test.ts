import { describe, expect, it } from 'vitest'
import { type RecordedPart, countingShards, outcomeOf } from '../../src/admission/shards.ts'
import type { Shard } from '../../src/api/runs.ts'

const totals = { recomputed: { files: 1, lines: { found: 3, covered: 1, partial: 1, missed: 1 } }, declared: null }
const tests = (total: number, failed = 0) => ({ total, passed: total - failed, failed, skipped: 0 })
const part = (name: string, shard?: Partial<Shard>, run = 'a'): RecordedPart => ({
  run,
  part: name,
  seq: 1,
  summary: {
    definition: 'lcov.da@1',
    tool: null,
    incomplete: null,
    totals,
    ...(shard === undefined
      ? {}
      : { shard: { name, parts: 1, outcome: 'completed' as const, tests: tests(1), ...shard } }),
  },
})
const names = (parts: readonly RecordedPart[]): string[] => parts.map(({ run, part: of }) => `${run}/${of}`)
const countedOf = (...args: Parameters<typeof countingShards>): string[] =>
  countingShards(...args).shards.flatMap(({ parts }) => names(parts))

describe('countingShards', () => {
  it('takes a part that says nothing of a shard as one by itself, of which the tests are unknown', () => {
    const { shards, outcome, tests: sum } = countingShards([part('x'), part('y')])
    expect(shards.map(({ name, complete }) => [name, complete])).toEqual([
      ['x', true],
      ['y', true],
    ])
    expect({ outcome, sum }).toEqual({ outcome: 'completed', sum: null })
  })

  it('adds up the tests of each shard once, however many parts it has', () => {
    const of = { name: '1', parts: 2, tests: tests(5, 1) }
    const { tests: sum, shards } = countingShards([part('x#1', of), part('y#1', of), part('x#2', { tests: tests(7) })])
    expect(shards).toHaveLength(2)
    expect(sum).toEqual({ total: 12, passed: 11, failed: 1, skipped: 0 })
  })

  it('knows no tests when one shard brings none, or when its parts say different totals', () => {
    expect(countingShards([part('x', {}), part('y', { tests: null })]).tests).toBeNull()
    const differing = [part('x', { name: '1', parts: 2 }), part('y', { name: '1', parts: 2, tests: tests(9) })]
    expect(countingShards(differing).tests).toBeNull()
    expect(countingShards([]).tests).toBeNull()
  })

  it.each([
    [['completed', 'completed'], 'completed'],
    [['completed', 'failed'], 'failed'],
    [['failed', 'aborted'], 'aborted'],
  ] as const)('ends as the worst shard did: %j', (outcomes, worst) => {
    expect(countingShards(outcomes.map((outcome, i) => part(`p${i}`, { outcome }))).outcome).toBe(worst)
  })

  it.each([
    ['completed', tests(3, 1), 'failed'],
    ['completed', tests(3), 'completed'],
    ['completed', undefined, 'completed'],
    ['completed', null, 'completed'],
    ['aborted', tests(3, 1), 'aborted'],
  ] as const)('ends %s shards with the totals of the seal, %j, as %s', (outcome, brought, ended) => {
    expect(outcomeOf(countingShards([part('p', { outcome })]), brought)).toBe(ended)
  })

  it('leaves a shard out of which parts are missing, and names it', () => {
    const { shards, incomplete, leftOut } = countingShards([part('x#1', { name: '1', parts: 2 }), part('x#2', {})])
    expect(shards.map(({ name }) => name)).toEqual(['x#2'])
    expect({ incomplete, leftOut }).toEqual({ incomplete: ['1'], leftOut: ['x#1'] })
  })

  it('counts the highest complete attempt of a shard', () => {
    const [first, second] = [part('x#1', { name: '1' }), part('x#1~2', { name: '1', attempt: 2 })]
    expect(countedOf([first, second])).toEqual(['a/x#1~2'])
    expect(countingShards([first, second]).leftOut).toEqual(['x#1'])
    const third = part('x#1~3', { name: '1', attempt: 3, parts: 2 })
    expect(countedOf([first, third])).toEqual(['a/x#1'])
    expect(countingShards([first, third]).incomplete).toEqual([])
  })

  it('takes from earlier attempts, newest first, only what this one did not bring', () => {
    const own = [part('x#3', { name: '3' }, 'a~3')]
    const before = [part('x#3', { name: '3' }, 'a~2'), part('x#2', { name: '2' }, 'a~2')]
    const first = [1, 2, 3].map((n) => part(`x#${n}`, { name: String(n) }, 'a'))
    expect(countedOf(own, [before, first])).toEqual(['a/x#1', 'a~2/x#2', 'a~3/x#3'])
  })

  it('lets an earlier attempt stand in for a shard that broke off in this one', () => {
    const own = [part('x#1', { name: '1', parts: 2 }, 'a~2')]
    const { incomplete, leftOut, shards } = countingShards(own, [[part('x#1', { name: '1' })]])
    expect(names(shards[0]?.parts ?? [])).toEqual(['a/x#1'])
    expect({ incomplete, leftOut }).toEqual({ incomplete: [], leftOut: ['x#1'] })
  })

  it('does not depend on the order in which parts arrived', () => {
    const parts = [3, 1, 2].map((n) => part(`x#${n}`, { name: String(n) }))
    expect(countingShards(parts)).toEqual(countingShards(parts.toReversed()))
  })
})
