import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LineCoverage, RunContext } from '../../src/record/coverage.ts'
import { coveragePayloads } from '../../src/record/coverage.ts'
import type { LineRanges } from '../../src/record/lines.ts'
import { countLines, fromSorted, parseLines, printLines, subtract, unite } from '../../src/record/lines.ts'
import { Problem } from '../../src/record/problem.ts'
import { encodeRecord, maxPayloadBytes, maxRecordBytes } from '../../src/record/record.ts'

const run: RunContext = {
  ledger: 'main/unit',
  run: 'github.7351001.api.unit',
  part: 'coverage/lcov.info',
  repository: 'github.com/acme/payments',
  commit: '4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b',
  ref: 'refs/heads/main',
  build: 'payments-2026.11.23-7351',
  build_seq: 512,
  suite: 'api',
  test_type: 'unit',
  tool: { name: 'nyc', version: '17.1.0' },
  artifact_sha256: 'a'.repeat(64),
}

const file: LineCoverage = {
  path: 'src/refund.ts',
  blob: '9c1f0e5b7d2a4c6e8f1029384756afbecd012345',
  metric: 'line',
  definition: 'lcov.da@1',
  covered: parseLines('1-5,9-17,20'),
  partial: parseLines('21,45'),
  missed: parseLines('6-8,18-19'),
  branches: { found: 8, covered: 6 },
  functions: { found: 3, covered: 3 },
}

const text = (payload: Uint8Array | undefined): string => new TextDecoder().decode(payload)

interface Printed {
  ordinal: number
  lines: { found: number; covered: number; partial: number; missed: number }
  branches?: unknown
  functions?: unknown
  window?: { index: number; of: number; from: number; to: number }
  ranges: { covered: string; partial: string; missed: string }
}

const parse = (payload: Uint8Array): Printed => JSON.parse(text(payload)) as Printed

/** Every other line, in turn covered, partial and missed: the worst that a file can print. */
function scattered(lines: number, first: number): LineCoverage {
  const every = (rest: number): LineRanges =>
    fromSorted(
      Array.from({ length: lines }, (_, i) => i)
        .filter((i) => i % 3 === rest)
        .map((i) => first + 2 * i),
    )
  return { ...file, covered: every(0), partial: every(1), missed: every(2) }
}

describe('coveragePayloads', () => {
  it('prints the keys in the order of the design', () => {
    const payloads = coveragePayloads(file, run, 17)
    expect(payloads).toHaveLength(1)
    expect(text(payloads[0])).toBe(
      '{"schema":"proofline.coverage.v1","kind":"coverage","ledger":"main/unit","run":"github.7351001.api.unit","part":"coverage/lcov.info","ordinal":17,' +
        '"repository":"github.com/acme/payments","commit":"4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b","ref":"refs/heads/main",' +
        '"build":"payments-2026.11.23-7351","build_seq":512,"suite":"api","test_type":"unit","path":"src/refund.ts",' +
        '"blob":"9c1f0e5b7d2a4c6e8f1029384756afbecd012345","metric":"line","definition":"lcov.da@1","tool":{"name":"nyc","version":"17.1.0"},' +
        '"lines":{"found":22,"covered":15,"partial":2,"missed":5},"branches":{"found":8,"covered":6},"functions":{"found":3,"covered":3},' +
        `"artifact_sha256":"${'a'.repeat(64)}","ranges":{"covered":"1-5,9-17,20","partial":"21,45","missed":"6-8,18-19"}}`,
    )
  })

  it('prints what else a format counts behind the functions, in the order of the design, in the first window only', () => {
    const units = { calls: { found: 9, covered: 1 }, regions: { found: 7, covered: 0 }, statements: { found: 5, covered: 4 }, mcdc: { found: 2, covered: 2 } } // oxfmt-ignore
    expect(text(coveragePayloads({ ...file, ...units }, run, 0)[0])).toContain(
      '"functions":{"found":3,"covered":3},"statements":{"found":5,"covered":4},"regions":{"found":7,"covered":0},' +
        '"mcdc":{"found":2,"covered":2},"calls":{"found":9,"covered":1},"artifact_sha256"',
    )
    const windows = coveragePayloads({ ...scattered(3_000, 1), ...units }, run, 0).map(text)
    expect(windows.map((window) => window.includes('"mcdc"'))).toEqual([true, ...windows.slice(1).map(() => false)])
    expect(windows.length).toBeGreaterThan(1)
  })

  it('prints what JSON.stringify would, whatever the names and numbers', () => {
    const lines = fc
      .uniqueArray(fc.oneof(fc.nat({ max: 3_000 }), fc.maxSafeNat()), { maxLength: 40, size: 'max' })
      .map((all) => fromSorted(all.filter((line) => line > 0).sort((a, b) => a - b)))
    const string = fc.oneof(fc.string({ maxLength: 60 }), fc.string({ unit: 'binary', maxLength: 60 }))
    const count = fc.oneof(fc.nat({ max: 12_000 }), fc.nat())
    fc.assert(
      fc.property(
        string,
        string,
        string,
        lines,
        lines,
        count,
        count,
        (path, tool, definition, covered, missed, found, at) => {
          const of = { ...file, path, definition, covered, partial: [], missed, branches: { found, covered: 7 } }
          const [payload] = coveragePayloads(of, { ...run, tool: { name: tool } }, at)
          const printed = { covered: printLines(covered), partial: '', missed: printLines(missed) }
          const [c, m] = [countLines(covered), countLines(missed)]
          const { schema, kind, ...rest } = JSON.parse(text(payload)) as Record<string, unknown>
          expect(JSON.stringify({ schema, kind, ...rest })).toBe(text(payload))
          expect(rest).toMatchObject({
            ordinal: at,
            path: path.toWellFormed() === path ? path : expect.anything(),
            definition,
            tool: { name: tool },
            lines: { found: c + m, covered: c, partial: 0, missed: m },
            branches: { found, covered: 7 },
            ranges: printed,
          })
        },
      ),
    )
  })

  it('gives each file bytes of its own, that no later file writes over', () => {
    const files = Array.from({ length: 300 }, (_, i) => ({ ...file, path: `src/file${i}.ts` }))
    const payloads = files.map((of, i) => coveragePayloads(of, run, i)[0])
    expect(payloads.map((payload, i) => text(payload) === text(coveragePayloads(files[i]!, run, i)[0]))).not.toContain(
      false,
    )
    expect(payloads.map((payload) => parse(payload!).ordinal)).toEqual(files.map((_, i) => i))
  })

  it('leaves absent keys out', () => {
    const bare: RunContext = {
      ledger: 'main/unit',
      run: 'r',
      part: 'p',
      repository: 'g',
      commit: 'c',
      suite: 's',
      test_type: 'unit',
      artifact_sha256: 'a',
    }
    const [payload] = coveragePayloads(
      { path: 'a', metric: 'line', definition: 'd', covered: [], partial: [], missed: [] },
      bare,
      0,
    )
    expect(text(payload)).toBe(
      '{"schema":"proofline.coverage.v1","kind":"coverage","ledger":"main/unit","run":"r","part":"p","ordinal":0,"repository":"g","commit":"c","suite":"s","test_type":"unit",' +
        '"path":"a","metric":"line","definition":"d","lines":{"found":0,"covered":0,"partial":0,"missed":0},"artifact_sha256":"a","ranges":{"covered":"","partial":"","missed":""}}',
    )
  })

  it('cuts long line sets into windows that add up, none too long, tiling the lines', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 1, max: 2_000_000_000 }),
        fc.integer({ min: 0, max: 99_999 }),
        (lines, first, ordinal) => {
          const whole = scattered(lines, first)
          const payloads = coveragePayloads(whole, run, ordinal)
          const printed = payloads.map(parse)
          for (const payload of payloads) {
            expect(payload.length).toBeLessThanOrEqual(maxPayloadBytes)
            expect(
              encodeRecord(payload, { ledger: 'main/unit', seq: 2 ** 52, recordedAt: 1_795_410_000_123_456 }).length,
            ).toBeLessThanOrEqual(maxRecordBytes)
          }
          for (const state of ['covered', 'partial', 'missed'] as const) {
            expect(printed.map(({ ranges }) => parseLines(ranges[state])).reduce(unite)).toEqual(whole[state])
            expect(printed.reduce((sum, each) => sum + each.lines[state], 0)).toBe(countLines(whole[state]))
          }
          expect(printed.map(({ ordinal: at }) => at)).toEqual(printed.map((_, i) => ordinal + i))
          expect(
            printed.filter(({ branches, functions }) => branches !== undefined || functions !== undefined),
          ).toHaveLength(1)
          expect(printed[0]?.branches).toEqual(file.branches)
          if (printed.length === 1) expect(printed[0]?.window).toBeUndefined()
          else {
            const windows = printed.map(({ window }) => window!)
            expect(windows.map(({ index, of }) => [index, of])).toEqual(windows.map((_, i) => [i, windows.length]))
            expect(windows[0]?.from).toBe(1)
            for (const [i, { from }] of windows.entries()) if (i > 0) expect(from).toBe(windows[i - 1]!.to + 1)
            for (const { ranges, window } of printed) {
              const inside = [window!.from, window!.to]
              for (const state of ['covered', 'partial', 'missed'] as const)
                expect(subtract(parseLines(ranges[state]), inside)).toEqual([])
            }
          }
        },
      ),
      { numRuns: 30 },
    )
  })

  it('fills its windows: 100,000 scattered lines need no more records than their text does', () => {
    const payloads = coveragePayloads(scattered(100_000, 1), run, 0)
    const bytes = payloads.reduce((sum, payload) => sum + payload.length, 0)
    expect(bytes / payloads.length).toBeGreaterThan(maxPayloadBytes - 250)
  })

  it('takes the longest names together with windows', () => {
    const long: RunContext = {
      ...run,
      run: 'r'.repeat(200),
      part: 'p'.repeat(256),
      repository: 'g'.repeat(256),
      ref: 'f'.repeat(256),
      build: 'b'.repeat(256),
      suite: 's'.repeat(100),
    }
    const payloads = coveragePayloads({ ...scattered(2_000, 1), path: 'd/'.repeat(512) }, long, 0)
    expect(payloads.length).toBeGreaterThan(3)
    for (const payload of payloads) expect(payload.length).toBeLessThanOrEqual(maxPayloadBytes)
  })

  it.each([
    ['a path over 1,024 bytes', { ...file, path: 'x'.repeat(1_025) }, run],
    ['a path that is longer once it is escaped', { ...file, path: '\\'.repeat(513) }, run],
    ['a path that is longer in UTF-8', { ...file, path: 'д'.repeat(513) }, run],
    ['a part over 1,024 bytes, for it is named by a path', file, { ...run, part: 'x'.repeat(1_025) }],
    ['another string over 256 bytes', file, { ...run, suite: 'x'.repeat(257) }],
  ])('refuses %s', (_, of, within) => {
    const attempt = (): unknown => coveragePayloads(of, within, 0)
    expect(attempt).toThrow(Problem)
    expect(attempt).toThrow(expect.objectContaining({ code: 'record_too_large' }) as Error)
  })
})
