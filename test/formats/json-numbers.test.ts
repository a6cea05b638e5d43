import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCursor } from '../../src/formats/json-cursor.ts'
import { eachNumber, readTuple } from '../../src/formats/json-numbers.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const spaced = (value: unknown, indent: number): string => JSON.stringify(value, undefined, indent)

describe('readTuple', () => {
  const item = fc.oneof(fc.integer({ min: -999_999_999, max: 999_999_999 }), fc.boolean())

  it('has the integers and booleans of an array, however it is printed', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 9 }), fc.constantFrom(0, 1, 3), (items, indent) => {
        const to = new Int32Array(6)
        const cursor = createCursor(bytesOf(spaced(items, indent)), 'it')
        expect(readTuple(cursor, to)).toBe(items.length)
        cursor.end()
        expect([...to]).toEqual(Array.from({ length: 6 }, (_, i) => Number(items[i] ?? 0)))
      }),
    )
  })

  it('takes what is beyond 32 bits for very much, and what is no number for nothing', () => {
    const to = new Int32Array(4)
    expect(readTuple(createCursor(bytesOf('[18446744073709551615,1.8e19,null,"x"]'), 'it'), to)).toBe(4)
    expect([...to]).toEqual([2_147_483_647, 2_147_483_647, 0, 0])
    expect(readTuple(createCursor(bytesOf('{"a":1}'), 'it'), to)).toBe(-1)
  })

  it.each(['[01]', '[1,]', '[,1]', '[1 2]', '[-]', '[1', '[tru]', '[1.]', '[+1]'])(
    'is as strict as JSON.parse: %s',
    (text) => {
      expect(() => readTuple(createCursor(bytesOf(text), 'it'), new Int32Array(4))).toThrow(
        expect.objectContaining({ code: 'report_invalid' }) as Error,
      )
    },
  )
})

describe('eachNumber', () => {
  it('gives what JSON.parse gives, and NaN for what is no number', () => {
    const item = fc.oneof(fc.integer({ min: 0 }), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constant(null), fc.string()) // oxfmt-ignore
    fc.assert(
      fc.property(fc.array(item), fc.constantFrom(0, 2), (items, indent) => {
        const read: number[] = []
        eachNumber(bytesOf(spaced(items, indent)), 'it', (value) => read.push(value))
        const parsed = JSON.parse(JSON.stringify(items)) as unknown[]
        expect(read).toEqual(parsed.map((value) => (typeof value === 'number' ? value : Number.NaN)))
      }),
    )
  })
})
