import { expect, it } from 'vitest'
import { ranForADay } from '../../src/archive/clocks.ts'

const day = 86_400_000_000

it('time counts as gone by when a day was archived within the last week, and not in one go with all the others', () => {
  const clock = 1_000 * day
  expect(ranForADay([], clock)).toBe(false)
  expect(ranForADay([clock - day], clock)).toBe(true)
  expect(ranForADay([clock - 1, clock - 2, clock - day / 2], clock)).toBe(false) // three years of days, a moment ago
  expect(ranForADay([clock - 1_000_000, clock - 400 * day], clock)).toBe(false)
  expect(ranForADay([clock - 1_000_000, clock - 7 * day], clock)).toBe(true)
  expect(ranForADay([clock + 3 * day], clock)).toBe(false)
})
