import { describe, expect, it } from 'vitest'
import type { Known, RunState } from '../../src/history/repository-memory.ts'
import { countRunStates, createStateCache } from '../../src/history/state-cache.ts'
import { ownBytes } from '../../src/ledger/own-bytes.ts'

const known = (text: string): Known => ({ text, states: [{ definition: 'lcov.da@1', blob: undefined, packed: 'x'.repeat(100) }] }) // oxfmt-ignore
const stateOf = (files: number, text: string): Map<number, Known> =>
  new Map(Array.from({ length: files }, (_, id) => [id, known(text)]))

describe('states that are kept', () => {
  it('cost what differs from their base', () => {
    const { add, remove } = countRunStates()
    const base = stateOf(1_000, 'x'.repeat(300))
    const whole = add(base)
    expect(whole).toBeGreaterThan(1_000 * (300 + 100))
    const next: RunState = new Map([...base, [7, known('y'.repeat(300))]])
    const more = add(next)
    expect(more).toBeLessThan(whole / 8)
    expect(more).toBeGreaterThan(1_000)
    // What both hold stays until the last of them goes.
    expect(remove(base)).toBeLessThan(whole / 8)
    expect(remove(next)).toBeGreaterThan((whole * 7) / 8)
    expect(add(base)).toBe(whole)
  })

  it('are bounded by their bytes, whatever they have in common; the oldest go first, and never the last', () => {
    const cache = createStateCache<string>(1_000, { add: (text) => text.length, remove: (text) => text.length })
    for (const key of ['a', 'b', 'c']) cache.set(key, key.repeat(400))
    cache.get('a')
    cache.trim()
    expect(['a', 'b', 'c'].map((key) => cache.get(key)?.length)).toEqual([400, undefined, 400])
    cache.set('d', 'd'.repeat(5_000))
    cache.trim()
    expect(['a', 'c', 'd'].map((key) => cache.get(key)?.length)).toEqual([undefined, undefined, 5_000])
    cache.set('d', 'd')
    cache.set('e', 'e'.repeat(900))
    cache.trim()
    expect(['d', 'e'].map((key) => cache.get(key)?.length)).toEqual([1, 900])
  })
})

describe('bytes that are kept', () => {
  it('hold no more memory than they are', () => {
    for (const bytes of [
      Buffer.from('small, out of the slab'),
      Buffer.alloc(65_536).subarray(0, 10),
      Buffer.alloc(0),
    ]) {
      const own = ownBytes(bytes)
      expect(own.equals(bytes)).toBe(true)
      expect(own.buffer.byteLength).toBeLessThanOrEqual(bytes.length + 256)
    }
    const large = Buffer.alloc(100_000)
    expect(ownBytes(large)).toBe(large)
  })
})
