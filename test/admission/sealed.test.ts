import { describe, expect, it } from 'vitest'
import { whatSealLacks } from '../../src/admission/sealed.ts'
import { type RecordedPart, countingShards } from '../../src/admission/shards.ts'
import { fitEarlier } from '../../src/admission/submissions.ts'

const [run, before, other] = ['g.1~2.api.unit', 'g.1.api.unit', 'g.0.api.unit']
const part = (name: string, of: string): RecordedPart => ({
  run: of,
  part: name,
  seq: 1,
  summary: {
    definition: 'lcov.da@1',
    tool: null,
    incomplete: null,
    totals: { recomputed: { files: 0, lines: { found: 0, covered: 0, partial: 0, missed: 0 } }, declared: null },
    shard: { name, parts: 1, outcome: 'completed', tests: null },
  },
})
const own = [part('3', run)]
const many = Array.from({ length: 99 }, (_, i) => part(`shard-${i}`, before))
/** As it comes back from the ledger. */
const sealOf = (...earlier: RecordedPart[][]): Record<string, unknown> => {
  const counting = countingShards(own, earlier)
  const { shown, digest } = fitEarlier(run, counting)
  const fields = {
    kind: 'seal',
    shards: counting.shards.length,
    earlier: shown.length === 0 ? undefined : shown,
    earlier_digest: digest,
  }
  return JSON.parse(JSON.stringify(fields)) as Record<string, unknown>
}

describe('whatSealLacks', () => {
  it('is nothing where nothing is asked for, and where there are as many shards as are asked for', () => {
    expect(whatSealLacks(run, sealOf(), {}, countingShards(own))).toEqual([])
    expect(whatSealLacks(run, { kind: 'seal', shards: 3 }, { parts: 3 }, countingShards(own))).toEqual([])
    expect(whatSealLacks(run, { kind: 'seal', parts: 3 }, { parts: 2 }, countingShards(own))).toEqual([])
  })

  it('names how many shards there are against how many are asked for', () => {
    const said = ['3 shards, not the 5 that are asked for']
    expect(whatSealLacks(run, { kind: 'seal', shards: 3 }, { parts: 5 }, countingShards(own))).toEqual(said)
    expect(whatSealLacks(run, { kind: 'seal', parts: 3 }, { parts: 5 }, countingShards(own))).toEqual(said)
  })

  it.each([
    ['the same parts', [part('1', before)], [part('1', before)]],
    ['an attempt of which nothing is needed', [], [part('3', before)]],
    ['more parts than the record has room for', many, many],
  ])('is nothing for %s', (_what, sealed, asked) => {
    expect(whatSealLacks(run, sealOf(sealed), { earlier: [before] }, countingShards(own, [asked]))).toEqual([])
  })

  it.each([
    [
      'where none count',
      [],
      [part('1', before)],
      before,
      `no earlier attempt, where with ${before} those of ${before}`,
    ],
    [
      'of another',
      [part('1', other)],
      [part('1', before)],
      before,
      `${other}, where with ${before} those of ${before}`,
    ],
    ['that bring none', [part('1', other)], [], before, `${other}, where with ${before} those of no earlier attempt`],
    ['beyond the room', many, many.slice(1), before, `${before}, where with ${before} those of ${before}`],
  ])('names the attempts %s', (_what, sealed, asked, earlier, said) => {
    expect(whatSealLacks(run, sealOf(sealed), { earlier: [earlier] }, countingShards(own, [asked]))).toEqual([
      `parts of ${said} would count`,
    ])
  })
})
