import { expect, it } from 'vitest'
import { numbersInTests } from '../support/numbered-cases.ts'

const all = Array.from({ length: 58 }, (_, i) => i + 1)

it('every hard case of delivery, 1 to 58, has a test that bears its number', async () => {
  const numbers = await numbersInTests('delivery')
  expect(all.filter((number) => !numbers.has(number))).toEqual([])
  expect([...numbers].filter((number) => !all.includes(number))).toEqual([])
})
