import { expect, it } from 'vitest'
import { numbersInTests } from '../support/numbered-cases.ts'

const all = Array.from({ length: 49 }, (_, i) => i + 1)

/** Cases that this design answers in another way, each with the reason. */
const elsewhere: Readonly<Record<number, string>> = {
  33: 'a token is good for all that its own run pushes while it is valid, and a repetition records nothing: case 32',
  37: 'no hit counts in a record: an altered artifact is case 36, an altered line set case 1',
}
it('every hard case of the log, 1 to 49, has a test that bears its number', async () => {
  const numbers = await numbersInTests('log')
  const open = all.filter((number) => !numbers.has(number) && elsewhere[number] === undefined)
  expect(open).toEqual([])
  expect([...numbers].filter((number) => !all.includes(number))).toEqual([])
})
