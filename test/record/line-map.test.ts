import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findWrongHunk, parseHunks, printHunks } from '../../src/record/hunks.ts'
import { type Brought, comparisonPayload, lineMapPayloads } from '../../src/record/line-map.ts'
import { maxPayloadBytes } from '../../src/record/record.ts'

/** Hunks as a diff has them: stretches of unchanged lines between changes. */
const anyHunks = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 5_000 }), fc.nat(40), fc.nat(40)), { maxLength: 400 })
  .map((changes) => {
    const hunks: number[] = []
    let [from, to] = [1, 1]
    for (const [i, [between, removed, added]] of changes.entries()) {
      if (removed + added === 0) continue
      from += i === 0 ? between - 1 : between
      to += i === 0 ? between - 1 : between
      hunks.push(removed === 0 ? from - 1 : from, removed, added === 0 ? to - 1 : to, added)
      from += removed
      to += added
    }
    return hunks
  })

const brought: Brought = {
  ledger: 'main/unit',
  run: 'local.a.api.unit',
  repository: 'github.com/acme/payments',
  from: '1'.repeat(40),
  to: '2'.repeat(40),
}
const from = { path: 'src/old.ts', blob: 'a'.repeat(40) }
const to = { path: 'src/new.ts', blob: 'b'.repeat(40) }
const parse = (bytes: Uint8Array): Record<string, unknown> =>
  JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>

describe('hunks', () => {
  it('are read as they were printed', () => {
    fc.assert(
      fc.property(anyHunks, (hunks) => {
        expect(findWrongHunk(hunks)).toBeUndefined()
        expect(parseHunks(printHunks(hunks))).toEqual(hunks)
      }),
      { seed: 1 },
    )
    expect(printHunks([10, 2, 10, 3, 40, 0, 42, 5])).toBe('-10,2+10,3 -40,0+42,5')
  })

  it("show when one number of them is changed, but for the last hunk's own counts", () => {
    fc.assert(
      fc.property(anyHunks, fc.nat(), fc.integer({ min: 1, max: 9 }), (hunks, at, more) => {
        fc.pre(hunks.length > 4)
        const changed = [...hunks]
        const i = at % (hunks.length - 4)
        changed[i] = (changed[i] ?? 0) + more
        expect(findWrongHunk(changed)).toBeDefined()
      }),
      { seed: 2 },
    )
  })

  it.each([
    ['another form', '10,2 10,3'],
    ['two spaces', '-1,1+1,1  -3,1+3,1'],
    ['a leading zero', '-01,1+1,1'],
    ['nothing changed', '-3,0+3,0'],
    ['line 0 as a line', '-0,1+1,1'],
    ['lines that run backwards', '-5,1+5,1 -3,1+3,1'],
    ['hunks that touch', '-5,1+5,1 -6,1+6,1'],
    ['sides that disagree', '-5,1+5,2 -9,1+9,1'],
    ['a number that is none', '-99999999999,1+1,1'],
  ])('refuse %s', (_what, text) => {
    expect(() => parseHunks(text)).toThrow(/hunk|follow/)
  })
})

describe('lineMapPayloads', () => {
  it('has its members in the order of the schema: what it leads to first, as coverage records name it', () => {
    const [payload, ...others] = lineMapPayloads({ from, to, hunks: [3, 1, 3, 2] }, brought)
    expect(others).toEqual([])
    expect(Buffer.from(payload ?? []).toString()).toBe(
      `{"schema":"proofline.linemap.v1","kind":"linemap","ledger":"main/unit","run":"local.a.api.unit","repository":"github.com/acme/payments",` +
        `"commit":"${brought.to}","path":"src/new.ts","blob":"${to.blob}","from":{"commit":"${brought.from}","path":"src/old.ts","blob":"${from.blob}"},"hunks":"-3,1+3,2"}`,
    )
  })

  it('cuts many hunks into windows that give all of them again, whatever the paths', () => {
    const paths = fc.oneof(fc.constant('"'.repeat(512)), fc.constant('é'.repeat(512)), fc.constant('a'))
    fc.assert(
      fc.property(anyHunks, paths, paths, (hunks, a, b) => {
        const payloads = lineMapPayloads({ from: { ...from, path: a }, to: { ...to, path: b }, hunks }, brought)
        for (const payload of payloads) expect(payload.length).toBeLessThanOrEqual(maxPayloadBytes)
        const records = payloads.map(parse)
        if (records.length > 1)
          expect(records.map((record) => record['window'])).toEqual(
            records.map((_, index) => ({ index, of: records.length })),
          )
        const all = records
          .map((record) => record['hunks'])
          .filter(Boolean)
          .join(' ')
        expect(parseHunks(all)).toEqual(hunks)
      }),
      { seed: 3, numRuns: 60 },
    )
  })
})

describe('comparisonPayload', () => {
  it('names what became of the files, and by digest what it has no room for', () => {
    const long = 'x'.repeat(1_000)
    const by = { method: 'token', subject: 'y'.repeat(256) }
    const renames = [
      [`${long}a`, `${long}b`],
      ['c', 'd'],
    ] as const
    const unmapped = Array.from({ length: 50 }, (_, i) => ({ path: `${i}/${long}`, reason: 'binary' }))
    const { payload, lists } = comparisonPayload(
      {
        definition: 'z'.repeat(256),
        mapped: 3,
        renames,
        unmapped,
        refused: [{ where: 'line 1', reason: 'no_hunks' }],
        by,
      },
      { ...brought, repository: 'r'.repeat(256), run: 'n'.repeat(200) },
    )
    expect(payload.length).toBeLessThanOrEqual(maxPayloadBytes)
    expect(parse(payload)).toMatchObject({
      commit: brought.to,
      from: { commit: brought.from },
      mapped: 3,
      renames: { count: 2, first: [], sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      unmapped: { count: 50 },
      refused: { count: 1, first: [{ where: 'line 1', reason: 'no_hunks' }] },
    })
    expect(lists).toHaveLength(2)
    expect(
      Buffer.from(lists[1] ?? [])
        .toString()
        .trim()
        .split('\n'),
    ).toHaveLength(50)
  })
})
