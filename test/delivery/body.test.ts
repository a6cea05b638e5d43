import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBody, createBodyMemory, finish, makeRoom, putEscaped, putNumber, putSpan, readCheck, viewOf } from '../../src/delivery/body.ts' // oxfmt-ignore
import { checkOf } from '../../src/record/record.ts'

describe('a body', () => {
  const body = () => createBody(createBodyMemory(0), 64)

  it('takes numbers as they are printed', () => {
    const numbers = fc.oneof(fc.maxSafeNat(), fc.nat(), fc.constantFrom(0, 9, 10, 999_999_999, 1e9, 4_294_967_295, 2 ** 53 - 1)) // oxfmt-ignore
    fc.assert(
      fc.property(numbers, (n) => {
        const one = body()
        putNumber(one, n)
        expect(finish(one).toString()).toBe(String(n))
      }),
      { numRuns: 1_000 },
    )
  })

  it('takes spans of any length, and grows without losing what is in it', () => {
    const source = viewOf(Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz   '))
    const one = body()
    let expected = ''
    for (let length = 0; length <= 36; length++) {
      makeRoom(one, length)
      putSpan(one, source, 36 - length, 36)
      expected += '0123456789abcdefghijklmnopqrstuvwxyz'.slice(36 - length)
    }
    expect(finish(one).toString()).toBe(expected)
  })

  it('escapes JSON as JSON.stringify does', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value)
        const bytes = Buffer.from(text)
        const one = body()
        makeRoom(one, 2 * bytes.length)
        putEscaped(one, viewOf(bytes), 0, bytes.length)
        expect(`"${finish(one).toString()}"`).toBe(JSON.stringify(text))
      }),
    )
  })

  it('reads the check of a digest as the record room does', () => {
    for (const hex of ['00000000', 'ffffffff', '7fffffff', '80000000', '0a1b2c3d', 'deadbeef'])
      expect(readCheck(hex.padEnd(64, '0'))).toBe(checkOf(hex.padEnd(64, '0')))
  })
})

describe('createBodyMemory', () => {
  it('hands out again what was given back and is large enough, and keeps no more than it may', () => {
    const memory = createBodyMemory(2)
    const [a, b, c] = [memory.take(1_000), memory.take(5_000), memory.take(9_000)]
    expect([a.length, b.length, c.length]).toEqual([1_024, 8_192, 16_384])
    for (const one of [a, b, c]) memory.giveBack(one.subarray(0, 10))
    memory.giveBack(c)
    expect(memory.take(6_000).buffer).toBe(c.buffer)
    expect(memory.take(8_192).buffer).toBe(b.buffer)
    expect(memory.take(100).buffer).not.toBe(a.buffer)
  })

  it('never hands out twice what nobody gave back', () => {
    const memory = createBodyMemory(4)
    const taken = Array.from({ length: 10 }, () => memory.take(1_000).buffer)
    expect(new Set(taken).size).toBe(10)
  })
})
