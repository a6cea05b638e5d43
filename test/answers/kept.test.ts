import { setImmediate as settle } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createKept } from '../../src/answers/kept.ts'

function open(maxBytes: number) {
  const kept = createKept<number>(maxBytes)
  let reads = 0
  return {
    /** A value is as many bytes as it says. */
    ask: (key: string, value: Promise<number>) => kept(key, () => ((reads += 1), value), (bytes) => bytes),
    async isRead(key: string, value: number): Promise<boolean> {
      const before = reads
      await kept(key, async () => ((reads += 1), value), (bytes) => bytes)
      await settle()
      return reads > before
    },
  }
} // oxfmt-ignore

it('keeps what was asked for last up to so many bytes, and the newest whatever it takes', async () => {
  const { isRead } = open(10)
  const asked: [string, number, boolean][] = [['a', 5, true], ['b', 5, true], ['a', 5, false], ['c', 5, true], ['a', 5, false], ['b', 5, true], ['big', 20, true], ['big', 20, false], ['a', 5, true]] // oxfmt-ignore
  for (const [i, [key, value, expected]] of asked.entries()) expect([i, await isRead(key, value)]).toEqual([i, expected]) // oxfmt-ignore
})

it('does not count what gave way while it was read', async () => {
  const { ask, isRead } = open(10)
  const slow = Promise.withResolvers<number>()
  const answer = ask('slow', slow.promise)
  expect(await isRead('big', 20)).toBe(true) // over the limit: what is oldest gives way, read or not
  slow.resolve(8)
  expect(await answer).toBe(8)
  expect([await isRead('a', 5), await isRead('b', 5)]).toEqual([true, true])
  expect([await isRead('a', 5), await isRead('b', 5)]).toEqual([false, false])
})

it('reads once for all who ask meanwhile, and again what could not be read', async () => {
  const { ask, isRead } = open(10)
  const broken = Promise.withResolvers<number>()
  const both = [ask('a', broken.promise), ask('a', Promise.resolve(1))]
  broken.reject(new Error('gone'))
  for (const one of both) await expect(one).rejects.toThrow('gone')
  expect(await isRead('a', 1)).toBe(true)
})
