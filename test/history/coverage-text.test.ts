import fc from 'fast-check'
import { expect, it } from 'vitest'
import { cutCoverage, parseCoverage } from '../../src/history/coverage-text.ts'
import { coveragePayloads } from '../../src/record/coverage.ts'
import { fromSorted } from '../../src/record/lines.ts'

/** Names that look like what stands behind them in a record. */
const name = fc.oneof(
  fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
  fc.constantFrom('","metric":"line","definition":"x', '"ranges":{"covered":"9', 'a\\', 'ä/"', ',"blob":"1"', ',"artifact_sha256":"'),
) // oxfmt-ignore
const lines = fc.uniqueArray(fc.integer({ min: 1, max: 300 }), { maxLength: 40 })

it('a coverage record is read by its marks as JSON reads it, whatever its names hold', () => {
  const run = { ledger: 'main/unit', run: 'local.1.api.unit', repository: 'r', commit: 'c', suite: 's', test_type: 'unit', part: 'p', artifact_sha256: 'a'.repeat(64) } as const // oxfmt-ignore
  fc.assert(
    fc.property(name, name, fc.option(name), lines, fc.nat(2), (path, definition, blob, all, shift) => {
      const sorted = all.toSorted((a, b) => a - b)
      const [covered, partial, missed] = [0, 1, 2].map((k) =>
        fromSorted(sorted.filter((_, i) => (i + shift) % 3 === k)),
      )
      const file = { path, ...(blob === null ? {} : { blob }), metric: 'line', definition, covered: covered!, partial: partial!, missed: missed! } as const // oxfmt-ignore
      for (const payload of coveragePayloads(file, run, 0)) {
        const told = JSON.parse(Buffer.from(payload).toString()) as { blob?: string; definition: string }
        const cut = cutCoverage(Buffer.from(payload))
        expect(JSON.parse(Buffer.from(cut.path, 'latin1').toString())).toBe(path)
        expect(parseCoverage(cut)).toEqual({ definition: told.definition, blob: told.blob, states: { covered, partial, missed } }) // oxfmt-ignore
      }
    }),
  )
})
