import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cutCoverage, parseCoverage } from '../../src/history/coverage-text.ts'
import { type LineStates, measuredStates, packStates, stateAt, unpackStates } from '../../src/history/states.ts'
import { coveragePayloads } from '../../src/record/coverage.ts'
import { encodeRecord } from '../../src/record/record.ts'
import { fromSorted } from '../../src/record/lines.ts'

const someStates = fc.array(fc.constantFrom(undefined, ...measuredStates), { maxLength: 60 })

function toStates(lines: readonly (string | undefined)[], offset = 0): LineStates {
  const of = (state: string) => fromSorted(lines.flatMap((one, i) => (one === state ? [i + 1 + offset] : [])))
  return { covered: of('covered'), partial: of('partial'), missed: of('missed') }
}

describe('packStates', () => {
  it('keeps the state of every line, and joins what several records say: covered before partial before missed', () => {
    fc.assert(
      fc.property(fc.array(someStates, { minLength: 1, maxLength: 4 }), (all) => {
        const packed = packStates(all.map((lines) => toStates(lines)))
        const expected: LineStates = toStates(
          Array.from({ length: 60 }, (_, i) => measuredStates.find((state) => all.some((lines) => lines[i] === state))),
        )
        expect(unpackStates(packed)).toEqual(expected)
        for (let line = 1; line <= 61; line++) {
          const known = measuredStates.find((state) => all.some((lines) => lines[line - 1] === state))
          expect(stateAt(packed, line)).toBe(known)
        }
      }),
    )
  })

  it('is the same for the same states, however they were cut', () => {
    fc.assert(
      fc.property(someStates, fc.nat(60), (lines, cut) => {
        const parts = [toStates(lines.slice(0, cut)), toStates(lines.slice(cut), cut)]
        expect(packStates(parts).equals(packStates([toStates(lines)]))).toBe(true)
      }),
    )
  })

  it('takes the largest line number, and refuses bytes that end early', () => {
    const packed = packStates([
      { covered: [1, 1, 9_007_199_254_740_00, 9_007_199_254_740_00], partial: [], missed: [] },
    ])
    expect(stateAt(packed, 9_007_199_254_740_00)).toBe('covered')
    expect(() => unpackStates(packed.subarray(0, packed.length - 1))).toThrow('end early')
  })
})

describe('cutCoverage', () => {
  const run = {
    ledger: 'main/unit', run: 'local.1.api.unit', part: 'a,"path":"x"\\', repository: 'r', commit: 'c'.repeat(40), suite: 's', test_type: 'unit',
  } as const // oxfmt-ignore
  const cut = (path: string, artifact: string, covered = [1, 5]) => {
    const file = {
      path,
      blob: 'b'.repeat(40),
      metric: 'line',
      definition: 'lcov.da@1',
      covered,
      partial: [7, 7],
      missed: [9, 12],
    } as const
    const [payload = new Uint8Array()] = coveragePayloads(file, { ...run, artifact_sha256: artifact.repeat(64) }, 3)
    return cutCoverage(Buffer.from(encodeRecord(payload, { ledger: 'main/unit', seq: 7, recordedAt: 1 })))
  }

  it('has the path, and leaves out what differs from run to run', () => {
    for (const path of ['src/a.ts', 'sr"c\\/ä,"artifact_sha256":"', '\\"', '\u0000\ud800']) {
      const { path: json, text } = cut(path, 'a')
      expect(JSON.parse(Buffer.from(json, 'latin1').toString())).toBe(path)
      expect(cut(path, 'b').text).toBe(text)
      expect(cut(path, 'b', [1, 4]).text).not.toBe(text)
      expect(parseCoverage({ path: json, text })).toEqual({
        definition: 'lcov.da@1',
        blob: 'b'.repeat(40),
        states: { covered: [1, 5], partial: [7, 7], missed: [9, 12] },
      })
    }
  })
})
