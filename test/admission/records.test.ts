import { hash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { abandonmentSubmission } from '../../src/admission/abandon.ts'
import { fitList, fitText, jsonBytes } from '../../src/admission/fit-list.ts'
import type { ParseSummary } from '../../src/admission/messages.ts'
import { type PartName, partPayload, partSubmission } from '../../src/admission/part-record.ts'
import { runPayload } from '../../src/admission/run-record.ts'
import { type PartSummary, keys } from '../../src/admission/run.ts'
import { type RunFields, rejectionSubmission, sealSubmission } from '../../src/admission/submissions.ts'
import type { Declaration } from '../../src/api/runs.ts'
import { noContract } from './no-contract.ts'
import { type AtHead, type Known, type Submission, viewOf } from '../../src/ledger/decide.ts'
import { type ProblemCode, Problem } from '../../src/record/problem.ts'
import { maxPayloadBytes } from '../../src/record/record.ts'

const by = { method: 'token', subject: 'token:1' }
const run = 'local.a.api.unit'
const id: RunFields = {
  ledger: 'main/unit',
  run,
  repository: 'r',
  commit: 'c'.repeat(40),
  suite: 's',
  test_type: 'unit',
  by,
}
const long = 'x'.repeat(256)
const link = { chain: 1n, index: 0, dictionary: undefined }
const parse = (bytes: Uint8Array): Record<string, unknown> =>
  JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>
const thrown = (work: () => unknown): ProblemCode | undefined => {
  try {
    work()
  } catch (error) {
    if (error instanceof Problem) return error.code
    throw error
  }
  return undefined
}

describe('fitList', () => {
  it('shows all that fits, else the first entries and the digest of the whole', () => {
    expect(fitList([1, 22, 333], 9)).toEqual({ shown: [1, 22, 333], digest: undefined, list: undefined })
    const { shown, digest, list } = fitList([1, 22, 333], 8)
    expect(shown).toEqual([1, 22])
    expect(Buffer.from(list ?? []).toString()).toBe('1\n22\n333\n')
    expect(digest).toEqual({ count: 3, sha256: hash('sha256', list ?? '', 'hex') })
  })
})

describe('fitText', () => {
  it('cuts to the bytes that JSON takes, never within a character', () => {
    expect(fitText('short', 100)).toBe('short')
    for (const text of ['"'.repeat(100), '€'.repeat(100), '😀'.repeat(100), '\0'.repeat(100)]) {
      const fitted = fitText(text, 50)
      expect(jsonBytes(fitted)).toBeLessThanOrEqual(50)
      expect(fitted.isWellFormed()).toBe(true)
      expect(jsonBytes(fitted)).toBeGreaterThan(20)
    }
  })
})

describe('runPayload', () => {
  const body: Declaration = { repository: 'r', test_type: 'unit', suite: 's', commit: 'c'.repeat(40) }

  it('holds the declaration in the order of its schema', () => {
    const { payload, fields, list } = runPayload(
      'main/unit',
      run,
      { ...body, build: 'b', flags: ['--x'], ci: { provider: 'github' } },
      7,
      by,
    )
    expect(Object.keys(parse(payload))).toEqual([
      'schema',
      'kind',
      'ledger',
      'run',
      'repository',
      'commit',
      'build',
      'build_seq',
      'suite',
      'test_type',
      'by',
      'configuration_digest',
      'configuration',
      'ci',
    ])
    expect(fields).toMatchObject({ run, build_seq: 7, configuration_digest: parse(payload)['configuration_digest'] })
    expect(list).toBeUndefined()
  })

  it('names a history that does not fit by its digest, and gives it to be kept', () => {
    const first_parents = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(40, '0'))
    const { payload, list } = runPayload('main/unit', run, { ...body, first_parents }, undefined, by)
    expect(payload.length).toBeLessThanOrEqual(maxPayloadBytes)
    const held = parse(payload)['first_parents'] as { count: number; sha256: string; first: string[] }
    expect(held).toMatchObject({ count: 256, sha256: hash('sha256', list ?? '', 'hex') })
    expect(held.first.length).toBeGreaterThan(50)
    expect(held.first).toEqual(first_parents.slice(0, held.first.length))
    expect(Buffer.from(list ?? []).toString()).toContain(first_parents[255])
  })

  it('answers the fields that a run is judged by', () => {
    const said = { stage: 'test', occurred_at: '2026-11-23T05:00:00Z', backfilled: true, late: true } as const
    expect(runPayload('main/unit', run, { ...body, ...said }, undefined, by).fields).toMatchObject(said)
  })

  it('refuses what does not fit without lists either', () => {
    const ci = { provider: 'x', ...Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, long])) }
    expect(thrown(() => runPayload('main/unit', run, { ...body, ci }, undefined, by))).toBe('record_too_large')
  })
})

const summary: ParseSummary = {
  sha256: 'a'.repeat(64),
  bytes: 1_000,
  format: 'lcov',
  metric: 'line',
  definition: 'lcov.da@1',
  tool: null,
  incomplete: null,
  filesDigest: undefined,
  totals: { recomputed: { files: 2, lines: { found: 3, covered: 1, partial: 1, missed: 1 } }, declared: null },
  refused: { count: 0, first: [] },
  unresolved: { count: 0, first: [] },
}
const name: PartName = { id, part: 'a', digest: Buffer.alloc(32), parameters: {}, summary }

describe('partPayload', () => {
  it('names the ranges of its slices', () => {
    expect(
      parse(
        partPayload(name, [
          [5, 9],
          [12, 12],
        ]).payload,
      ),
    ).toMatchObject({
      records: { first: 5, last: 12, count: 6 },
      ranges: [
        [5, 9],
        [12, 12],
      ],
    })
    expect(parse(partPayload(name, []).payload)).toMatchObject({ records: null, ranges: [] })
  })

  it('keeps a thousand ranges in the artifact store and names them by their digest', () => {
    const ranges = Array.from({ length: 1_000 }, (_, i): [number, number] => [1e15 + i * 10, 1e15 + i * 10 + 5])
    const { payload, list } = partPayload(
      {
        ...name,
        summary: {
          ...summary,
          refused: {
            count: 50,
            first: Array.from({ length: 20 }, () => ({ where: 'line 1', reason: 'r'.repeat(100) })),
          },
        },
      },
      ranges,
    )
    expect(payload.length).toBeLessThanOrEqual(maxPayloadBytes)
    const fields = parse(payload)
    expect(fields).toMatchObject({
      records: { count: 6_000 },
      ranges_digest: { count: 1_000, sha256: hash('sha256', list ?? '', 'hex') },
      refused: { count: 50 },
    })
    expect((fields['ranges'] as unknown[]).length).toBeGreaterThan(50)
    expect((fields['refused'] as { first: unknown[] }).first.length).toBeGreaterThan(2)
  })

  it('fits for every length of names, or refuses before anything is recorded', () => {
    const ranges: [number, number][] = [[Number.MAX_SAFE_INTEGER - 10, Number.MAX_SAFE_INTEGER]]
    let refused = 0
    for (let length = 100; length <= 1_024; length += 4) {
      const text = '€'.repeat(Math.floor(length / 3))
      const longer: PartName = {
        ...name,
        id: { ...id, repository: long, ref: long, build: long, suite: long },
        part: text,
        parameters: { strip: text, root: text },
      }
      if (thrown(() => partSubmission(longer, link, async () => {})) !== undefined) refused++
      else expect(partPayload(longer, ranges).payload.length).toBeLessThanOrEqual(maxPayloadBytes)
    }
    expect(refused).toBeGreaterThan(0)
  })
})

const atHead = (entries: Record<string, { first: number; last?: number; payload?: unknown }>): AtHead => {
  const known = new Map(
    Object.entries(entries).map(([key, { first, last = first }]): [string, Known] => [
      key,
      { digest: Buffer.alloc(32), firstSeq: first, lastSeq: last, firstTime: 0 },
    ]),
  )
  return {
    seq: 100,
    time: 0,
    run: viewOf(known, run),
    leafHashes: async (from, to) => Buffer.alloc(32 * (to - from), 7),
    payload: async (seq) =>
      Buffer.from(JSON.stringify(Object.values(entries).find(({ first }) => first === seq)?.payload)),
    lastCounting: async () => undefined,
  }
}
const made = async ({ segments }: Submission, at: AtHead) => {
  if (typeof segments !== 'function') throw new Error('it is not made at the head')
  const {
    segments: [segment],
    seal,
  } = await segments(at)
  return { fields: parse(segment?.raw ?? new Uint8Array()), seal }
}
const recordedPart = (more: object = {}): unknown => ({
  definition: 'lcov.da@1',
  tool: null,
  incomplete: null,
  totals: summary.totals,
  ...more,
})
const tests = { total: 1, passed: 1, failed: 0, skipped: 0 }

describe('sealSubmission', () => {
  const entries = {
    [keys.run(run)]: { first: 3 },
    [keys.slice(run, 'a', 0)]: { first: 4, last: 8 },
    [keys.part(run, 'a')]: { first: 10, payload: recordedPart() },
  }

  it('sums up the run and binds its records', async () => {
    const { fields, seal } = await made(
      sealSubmission(id, { outcome: 'completed', tests }, link, async () => {}, noContract),
      atHead(entries),
    )
    expect(fields).toMatchObject({
      kind: 'seal',
      admitted: true,
      reasons: [],
      parts: 1,
      records: { first: 3, last: 10, count: 7 },
      totals: [{ definition: 'lcov.da@1', files: 2 }],
    })
    expect(fields['root']).toMatch(/^[0-9a-f]{64}$/)
    expect(seal).toMatchObject({ repository: 'r', suite: 's', ref: '', admitted: true })
  })

  it('keeps more measures than a record holds in the artifact store', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [
        keys.part(run, `p${i}`),
        { first: 20 + i, payload: recordedPart({ tool: { name: long, version: String(i) } }) },
      ]),
    )
    const kept: Uint8Array[] = []
    const { fields } = await made(
      sealSubmission(id, { outcome: 'completed', tests }, link, async (list) => void kept.push(list), noContract),
      atHead({ ...entries, ...many }),
    )
    expect(jsonBytes(fields)).toBeLessThanOrEqual(maxPayloadBytes)
    expect(fields['totals_digest']).toEqual({ count: 41, sha256: hash('sha256', kept[0] ?? '', 'hex') })
    expect((fields['totals'] as unknown[]).length).toBeGreaterThan(3)
  })
})

describe('sealSubmission over shards', () => {
  const of = (name: string, more: object = {}) =>
    recordedPart({ shard: { name, parts: 1, outcome: 'completed', tests, ...more }, artifact_sha256: name })
  const earlierOf = (count: number) => [
    Array.from({ length: count }, (_, i) => ({
      run: 'local.a~1.api.unit',
      part: `x#${i}`,
      seq: 50 + i,
      summary: of(String(i)) as PartSummary,
    })),
  ]

  it('sums up what each brings, and names the parts of earlier attempts that count', async () => {
    const own = {
      [keys.run(run)]: { first: 3 },
      [keys.part(run, 'x#2')]: { first: 10, payload: of('2') },
      [keys.part(run, 'y#9')]: { first: 11, payload: of('9', { parts: 2 }) },
    }
    const submission = sealSubmission(id, { parts: 3 }, link, async () => {}, noContract, earlierOf(3))
    const { fields } = await made(submission, atHead(own))
    expect(fields).toMatchObject({
      outcome: 'completed',
      tests: { total: 3, passed: 3, failed: 0, skipped: 0 },
      parts: 3,
      shards: 3,
      earlier: [
        { run: 'local.a~1.api.unit', part: 'x#0', seq: 50, artifact_sha256: '0' },
        { run: 'local.a~1.api.unit', part: 'x#1', seq: 51, artifact_sha256: '1' },
      ],
      left_out: ['y#9'],
      admitted: false,
      reasons: ['shard_incomplete'],
      records: { first: 3, last: 11, count: 3 },
      totals: [{ files: 6 }],
    })
  })

  it('keeps more parts of earlier attempts than a record holds in the artifact store', async () => {
    const kept: Uint8Array[] = []
    const submission = sealSubmission(id, {}, link, async (list) => void kept.push(list), noContract, earlierOf(200))
    const { fields } = await made(submission, atHead({ [keys.run(run)]: { first: 3 } }))
    expect(jsonBytes(fields)).toBeLessThanOrEqual(maxPayloadBytes)
    expect(fields['earlier_digest']).toEqual({ count: 200, sha256: hash('sha256', kept[0] ?? '', 'hex') })
  })
})

describe('abandonmentSubmission', () => {
  it('names the parts that are open', async () => {
    const submission = abandonmentSubmission(id, 86_400_000)
    expect(submission).toMatchObject({ key: `end:${run}`, firstWins: true })
    const { fields, seal } = await made(
      submission,
      atHead({ [keys.run(run)]: { first: 3 }, [keys.slice(run, 'open', 0)]: { first: 4, last: 8 } }),
    )
    expect(fields).toMatchObject({
      kind: 'abandonment',
      run,
      admitted: false,
      reasons: ['abandoned'],
      after_hours: 24,
      parts: 0,
      open_parts: { count: 1, first: ['open'] },
      records: { first: 3, last: 8, count: 6 },
    })
    expect(seal).toBeUndefined()
  })

  it('fits with hundreds of open parts', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [keys.slice(run, `${'p'.repeat(500)}${i}`, 0), { first: 10 + i }]),
    )
    const { fields } = await made(
      abandonmentSubmission(
        { ...id, url: long, repository: long, ref: long, build: long, suite: long, repository_id: long },
        1,
      ),
      atHead(many),
    )
    expect(fields['open_parts']).toMatchObject({ count: 300 })
    expect(jsonBytes(fields)).toBeLessThanOrEqual(maxPayloadBytes)
  })
})

describe('rejectionSubmission', () => {
  const offered = { ledger: 'main/unit', run, part: 'a', by } as const
  const problem = new Problem('encoding_invalid', 'broken')
  const keyOf = (more: object, about = problem): string => rejectionSubmission({ ...offered, ...more }, about).key

  it('is the same for the same refusal, whatever the detail and however much was read', () => {
    expect(keyOf({ bytes: 5 })).toBe(keyOf({ bytes: 9 }, new Problem('encoding_invalid', 'broken elsewhere')))
  })

  it('is another one for another reason, part, caller or content', () => {
    const others = [
      keyOf({}),
      keyOf({ part: 'b' }),
      keyOf({ by: { ...by, subject: 'token:2' } }),
      keyOf({}, new Problem('report_empty', '')),
      keyOf({ sha256: 'a', bytes: 5 }),
      keyOf({ sha256: 'b', bytes: 5 }),
    ]
    expect(new Set(others).size).toBe(others.length)
  })

  it('fits whatever the detail says', () => {
    const { segments } = rejectionSubmission(
      { ...offered, part: '"'.repeat(512), repository: long, sha256: 'a'.repeat(64), bytes: 1 },
      new Problem('report_invalid', '\0'.repeat(5_000)),
    )
    if (typeof segments === 'function') throw new Error('it is made beforehand')
    const fields = parse(segments[0]?.raw ?? new Uint8Array())
    expect(fields).toMatchObject({ kind: 'rejection', reason: 'report_invalid', offered: { bytes: 1 } })
    expect(jsonBytes(fields['detail'])).toBeLessThanOrEqual(1_024)
  })
})
