import { describe, expect, it } from 'vitest'
import { judge, readProcess, type Reading } from './readings.ts'

const over = (n: number, at: (i: number) => Partial<Reading>): Reading[] =>
  Array.from({ length: n }, (_, i) => ({ atMs: i * 1_000, memory: 300, descriptors: 50, ...at(i) }))

describe('what a soaked process holds', () => {
  it('is flat when it only warms up, swings, and peaks once', () => {
    const warm = over(400, (i) => ({ memory: i < 100 ? 100 + 2 * i : 300 + 20 * (i % 2), descriptors: 50 + (i % 10) }))
    warm[390] = { atMs: 390_000, memory: 900, descriptors: 400 }
    expect(judge(warm).grew).toEqual([])
  })

  it('grows when memory leaks slowly', () => {
    expect(judge(over(400, (i) => ({ memory: 300 + i / 3 }))).grew).toEqual(['memory: 350 to 417 MB'])
  })

  it('grows when descriptors leak', () => {
    expect(judge(over(400, (i) => ({ descriptors: 50 + i / 8 }))).grew).toEqual(['descriptors: 68.75 to 93.75'])
  })

  it('is not flat when nothing was read', () => {
    expect(judge([]).grew).toHaveLength(2)
  })

  it('is read of this process', () => {
    const reading = readProcess(process.pid, 0)
    if (process.platform === 'linux') expect(reading?.descriptors).toBeGreaterThan(2)
    expect(readProcess(2 ** 30, 0)).toBeUndefined()
  })
})
