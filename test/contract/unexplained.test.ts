import { describe, expect, it } from 'vitest'
import { type Measured, unexplainedChanges } from '../../src/contract/unexplained.ts'

const total = (found: number, covered: number, partial = 0, more: object = {}) => ({
  metric: 'line',
  definition: 'lcov.da@1',
  tool: { name: 'nyc', version: '17.1.0' },
  lines: { found, covered, partial },
  ...more,
})
const before: Measured = { totals: [total(1_000, 790, 10)], configuration: 'c', production_digest: 'p' }
const whatOf = (now: Measured, then = before): string[] => unexplainedChanges(then, now).map(({ what }) => what)

describe('unexplainedChanges', () => {
  it.each<[string, Measured, string[]]>([
    ['the same', before, []],
    ['another found', { ...before, totals: [total(999, 790, 10)] }, ['found']],
    ['one per cent more executed', { ...before, totals: [total(1_000, 808)] }, []],
    ['one line more than that', { ...before, totals: [total(1_000, 809)] }, ['executed']],
    ['one per cent less, and a line', { ...before, totals: [total(1_000, 791)] }, ['executed']],
    ['other partial lines', { ...before, totals: [total(1_000, 700, 100)] }, []],
    ['other figures at other files', { ...before, totals: [total(5, 5)], production_digest: 'q' }, []],
    ['other figures at unknown files', { ...before, totals: [total(5, 5)], production_digest: undefined }, []],
    [
      'another version of the tool',
      { ...before, totals: [total(1_000, 800, 0, { tool: { name: 'nyc', version: '18' } })] },
      ['tool'],
    ],
    ['no tool any more', { ...before, totals: [total(1_000, 800, 0, { tool: undefined })] }, ['tool']],
    ['another definition', { ...before, totals: [total(5, 5, 0, { definition: 'x' })] }, ['definition']],
    ['another configuration', { ...before, configuration: undefined }, ['configuration']],
    [
      'one part by another tool',
      { ...before, totals: [total(500, 400), total(500, 400, 0, { tool: { name: 'c8' } })] },
      ['tool'],
    ],
    [
      'another metric beside it',
      { ...before, totals: [...before.totals, { metric: 'mutation', definition: 'pit@1' }] },
      [],
    ],
    ['only another metric', { ...before, totals: [{ metric: 'mutation', definition: 'pit@1' }] }, []],
    ['other sums of more parts', { ...before, totals: [total(2_000, 1_600, 0, { parts: 2 })] }, []],
    ['other sums of as many parts', { ...before, totals: [total(999, 790, 10, { parts: 1 })] }, ['found']],
  ])('sees %s', (_name, now, what) => {
    expect(whatOf(now)).toEqual(what)
  })

  it('says from what to what, as texts', () => {
    const now = { totals: [total(900, 500, 0, { tool: { name: 'c8' } })], configuration: 'd', production_digest: 'p' }
    expect(unexplainedChanges(before, now)).toEqual([
      { what: 'tool', measure: 'line', from: 'nyc@17.1.0', to: 'c8' },
      { what: 'configuration', from: 'c', to: 'd' },
      { what: 'found', measure: 'line lcov.da@1', from: '1000', to: '900' },
      { what: 'executed', measure: 'line lcov.da@1', from: '800', to: '500' },
    ])
  })

  it('does not know what files are the same when neither run does', () => {
    const unknown = { ...before, production_digest: undefined }
    expect(whatOf({ ...unknown, totals: [total(5, 5)] }, unknown)).toEqual([])
  })
})
