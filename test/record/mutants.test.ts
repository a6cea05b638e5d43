import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MutationCoverage, RunContext } from '../../src/record/coverage.ts'
import { coveragePayloads } from '../../src/record/coverage.ts'
import type { LineRanges } from '../../src/record/lines.ts'
import { countLines, fromSorted, parseLines, subtract, unite } from '../../src/record/lines.ts'
import { addMutants, mutantStatuses, toMutants, verdictOf } from '../../src/record/mutants.ts'
import { maxPayloadBytes } from '../../src/record/record.ts'
import { addTotals, noTotals, sumFiles, totalsOf } from '../../src/record/totals.ts'

const run: RunContext = {
  ledger: 'main/unit',
  run: 'r',
  part: 'p',
  repository: 'g',
  commit: 'c',
  suite: 's',
  test_type: 'unit',
  tool: { name: 'StrykerJS', version: '5.2.0' },
  artifact_sha256: 'a',
}

const counts = (by: Partial<Record<(typeof mutantStatuses)[number], number>>): number[] =>
  mutantStatuses.map((status) => by[status] ?? 0)

const file: MutationCoverage = {
  path: 'src/refund.ts',
  metric: 'mutation',
  definition: 'stryker.status@1',
  mutants: toMutants(counts({ killed: 5, survived: 2, no_coverage: 1, ignored: 3 })),
  detected: parseLines('1-3,7'),
  survived: parseLines('3,9'),
  uncovered: parseLines('9'),
  undecided: parseLines('12'),
}

const setNames = ['detected', 'survived', 'uncovered', 'undecided'] as const

interface Printed {
  ordinal: number
  mutants?: unknown
  mutated_lines: Record<string, number>
  window?: { index: number; of: number; from: number; to: number }
  ranges: Record<(typeof setNames)[number], string>
}

const parse = (payload: Uint8Array): Printed => JSON.parse(new TextDecoder().decode(payload)) as Printed

describe('counts of mutants', () => {
  it('have the four of every tool always, any other where it occurs, and the score of their tool', () => {
    expect(JSON.stringify(toMutants([]))).toBe(
      '{"found":0,"detected":0,"undetected":0,"killed":0,"timed_out":0,"survived":0,"no_coverage":0}',
    )
    expect(toMutants(counts({ killed: 2, non_viable: 3, not_started: 1 }))).toEqual({
      found: 6, detected: 5, undetected: 1, killed: 2, timed_out: 0, survived: 0, no_coverage: 0, non_viable: 3, not_started: 1,
    }) // oxfmt-ignore
  })

  it("leave out of the score what Stryker does, and count as detected what PIT's status does", () => {
    const [outside, detected] = [['compile_error', 'runtime_error', 'ignored', 'pending'], ['killed', 'timed_out', 'non_viable', 'memory_error', 'run_error', 'equivalent']] // oxfmt-ignore
    for (const status of mutantStatuses) {
      const verdict = verdictOf(status)
      expect([status, verdict === undefined]).toEqual([status, outside.includes(status)])
      expect([status, verdict === 'detected']).toEqual([status, detected.includes(status)])
    }
  })

  it('add up as if they had been counted together', () => {
    const some = fc.array(fc.nat(50), { minLength: mutantStatuses.length, maxLength: mutantStatuses.length })
    fc.assert(
      fc.property(some, some, (a, b) => {
        const together = a.map((count, i) => count + (b[i] ?? 0))
        expect(JSON.stringify(addMutants(toMutants(a), toMutants(b)))).toBe(JSON.stringify(toMutants(together)))
      }),
    )
  })
})

describe('totals', () => {
  it('of mutants are never added to those of lines', () => {
    const ofLines = noTotals('line')
    expect(() => addTotals(ofLines, totalsOf(file))).toThrow('not added up')
    expect(() => addTotals(totalsOf(file), ofLines)).toThrow('not added up')
    expect(Object.keys(totalsOf(file))).toEqual(['files', 'mutated_lines', 'mutants'])
  })

  it('sum up files', () => {
    expect(sumFiles([file, file], 'mutation')).toEqual({
      files: 2,
      mutated_lines: { found: 12, detected: 8, survived: 4, uncovered: 2, undecided: 2 },
      mutants: toMutants(counts({ killed: 10, survived: 4, no_coverage: 2, ignored: 6 })),
    })
  })
})

describe('coveragePayloads of mutants', () => {
  it('has counts and sets of its own, and none that a line record has', () => {
    const [payload, ...more] = coveragePayloads(file, run, 17)
    expect(more).toEqual([])
    expect(new TextDecoder().decode(payload)).toBe(
      '{"schema":"proofline.coverage.v1","kind":"coverage","ledger":"main/unit","run":"r","part":"p","ordinal":17,"repository":"g","commit":"c","suite":"s","test_type":"unit",' +
        '"path":"src/refund.ts","metric":"mutation","definition":"stryker.status@1","tool":{"name":"StrykerJS","version":"5.2.0"},' +
        '"mutated_lines":{"found":6,"detected":4,"survived":2,"uncovered":1,"undecided":1},' +
        '"mutants":{"found":11,"detected":5,"undetected":3,"killed":5,"timed_out":0,"survived":2,"no_coverage":1,"ignored":3},' +
        '"artifact_sha256":"a","ranges":{"detected":"1-3,7","survived":"3,9","uncovered":"9","undecided":"12"}}',
    )
  })

  it('names the metric of each file, also when both are of one definition', () => {
    const lines = { path: 'a', metric: 'line', definition: 'x', covered: [], partial: [], missed: [] } as const
    const of = (one: Parameters<typeof coveragePayloads>[0]): unknown =>
      (JSON.parse(new TextDecoder().decode(coveragePayloads(one, run, 0)[0])) as { metric: unknown }).metric
    expect([of(lines), of({ ...file, definition: 'x' }), of(lines)]).toEqual(['line', 'mutation', 'line'])
  })

  it('cuts sets that overlap into windows that add up, none too long, tiling the lines', () => {
    const set = (max: number): fc.Arbitrary<LineRanges> =>
      fc
        .array(fc.tuple(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 0, max })), { maxLength: 3_000, size: 'max' })
        .map((steps) => {
          let at = 1_000_000
          const lines: number[] = []
          for (const [gap, length] of steps) {
            lines.push(at + gap, at + gap + length)
            at += gap + length
          }
          return lines
        })
    let windows = 0
    fc.assert(
      fc.property(set(3), set(50), set(0), set(4_000), (detected, survived, uncovered, undecided) => {
        const whole = { ...file, detected, survived, uncovered, undecided }
        const payloads = coveragePayloads(whole, run, 5)
        for (const payload of payloads) expect(payload.length).toBeLessThanOrEqual(maxPayloadBytes)
        const printed = payloads.map(parse)
        for (const name of setNames) {
          expect(printed.map(({ ranges }) => parseLines(ranges[name])).reduce(unite)).toEqual(whole[name])
          expect(printed.reduce((sum, each) => sum + (each.mutated_lines[name] ?? 0), 0)).toBe(countLines(whole[name]))
        }
        const all = [detected, survived, uncovered, undecided].reduce(unite)
        expect(printed.reduce((sum, each) => sum + (each.mutated_lines['found'] ?? 0), 0)).toBe(countLines(all))
        expect(printed.map(({ mutants }) => mutants !== undefined)).toEqual(printed.map((_, i) => i === 0))
        expect(printed.map(({ ordinal }) => ordinal)).toEqual(printed.map((_, i) => 5 + i))
        let next = 1
        for (const { window, ranges } of printed.length === 1 ? [] : printed) {
          windows += 1
          expect(window?.from).toBe(next)
          next = (window?.to ?? 0) + 1
          for (const name of setNames)
            expect(subtract(parseLines(ranges[name]), [window?.from ?? 0, window?.to ?? 0])).toEqual([])
        }
      }),
      { numRuns: 20 },
    )
    expect(windows).toBeGreaterThan(20)
  })

  it('fills its windows', () => {
    const scattered = fromSorted(Array.from({ length: 50_000 }, (_, i) => 2 * i + 1))
    const payloads = coveragePayloads({ ...file, survived: scattered, detected: scattered }, run, 0)
    const bytes = payloads.reduce((sum, payload) => sum + payload.length, 0)
    expect(bytes / payloads.length).toBeGreaterThan(maxPayloadBytes - 300)
  })
})
