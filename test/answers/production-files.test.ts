import { expect, it } from 'vitest'
import { lookAhead, openProduction } from '../../src/answers/production-files.ts'
import { parseContract } from '../../src/contract/contract.ts'
import { countTurns } from '../support/turns.ts'

const contract = parseContract("version: 1\nproduction: { include: ['src/**'] }")

it('a file of the commit is what its inventory was found to hold, any other is matched once', async () => {
  const production = async () => ({ paths: new Set(['src/a.ts']), digest: 'd' })
  const inventory = { files: new Map([['src/a.ts', 'b'], ['src/b.ts', 'b']]), production } // oxfmt-ignore
  const isProduction = await openProduction(contract, inventory)
  expect(['src/a.ts', 'src/b.ts', 'src/c.ts', 'lib/c.ts', 'src/c.ts'].map((path) => isProduction?.(path))).toEqual([true, false, true, false, true]) // oxfmt-ignore
  expect(await openProduction(parseContract('version: 1'), inventory)).toBeUndefined()
  expect(await openProduction(undefined, inventory)).toBeUndefined()
})

it('a list that takes its time to look at leaves turns to others', async () => {
  const slow = (): boolean => {
    const until = performance.now() + 12
    while (performance.now() < until);
    return true
  }
  expect(await countTurns(() => lookAhead(slow, ['a', 'b', 'c', 'd', 'e']))).toBeGreaterThanOrEqual(5)
})
