import fc from 'fast-check'
import { expect, it } from 'vitest'
import { printPercent } from '../../src/record/percent.ts'

it('is cut, not rounded: 100.00 % is all of them, and of no lines there is no share', () => {
  expect(printPercent(2, 3)).toBe('66.66 %')
  expect(printPercent(99_999_999, 100_000_000)).toBe('99.99 %')
  expect(printPercent(7, 7)).toBe('100.00 %')
  expect(printPercent(0, 7)).toBe('0.00 %')
  expect(printPercent(0, 0)).toBe('no lines')
  fc.assert(
    fc.property(fc.nat(1_000_000_000), fc.nat(1_000_000_000), (a, b) => {
      const [executed, found] = [Math.min(a, b), Math.max(a, b, 1)]
      const exact = (BigInt(executed) * 10_000n) / BigInt(found)
      expect(printPercent(executed, found)).toBe(`${exact / 100n}.${String(exact % 100n).padStart(2, '0')} %`)
    }),
  )
})
