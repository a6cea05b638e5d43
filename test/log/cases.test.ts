import { expect, it } from 'vitest'
import { numbersInTests } from '../support/numbered-cases.ts'

const all = Array.from({ length: 49 }, (_, i) => i + 1)

/** Cases of parts that are not there yet, or that this design answers in another way, each with the reason. */
const elsewhere: Readonly<Record<number, string>> = {
  32: 'claims of a token against those of the run: comes with OIDC',
  33: 'replay of a token: comes with OIDC',
  34: 'algorithms, issuers and keys of tokens: comes with OIDC',
  37: 'no hit counts in a record: an altered artifact is case 36, an altered line set case 1',
}
it('every hard case of the log, 1 to 49, has a test that bears its number', async () => {
  const numbers = await numbersInTests('log')
  const open = all.filter((number) => !numbers.has(number) && elsewhere[number] === undefined)
  expect(open).toEqual([])
  expect([...numbers].filter((number) => !all.includes(number))).toEqual([])
})
