import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { drawSample, seedOf, shareOut } from '../../src/verify/pack-draw.ts'

const seed = Buffer.from(seedOf('auditor 2026'), 'hex')

/** As docs/evidence.md and samples.json tell it, written a second time in other words. */
function drawAgain(name: string, candidates: number, wanted: number): number[] {
  const picked: number[] = []
  for (let counter = 0n; picked.length < wanted; counter++) {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(counter)
    const value = BigInt(`0x${createHash('sha256').update(seed).update(name).update('\0').update(bytes).digest('hex').slice(0, 16)}`) // oxfmt-ignore
    if (value >= 2n ** 64n - (2n ** 64n % BigInt(candidates))) continue
    const index = Number(value % BigInt(candidates))
    if (!picked.includes(index)) picked.push(index)
  }
  return picked
}

describe('drawSample', () => {
  it('draws what another program draws from the same seed, each candidate once', () => {
    const candidates = Array.from({ length: 997 }, (_, i) => i)
    const [drawn] = drawSample([{ name: 'unit | github.com/acme/payments', candidates }], 50, seed)
    expect(drawn?.picked).toEqual(drawAgain('unit | github.com/acme/payments', 997, 50))
    expect(new Set(drawn?.picked).size).toBe(50)
    expect(drawn?.picked.slice(0, 5)).toEqual([427, 680, 558, 479, 398])
  })

  it('does not depend on the order in which strata are given, and leaves no rare one out', () => {
    const strata = [
      { name: 'b', candidates: Array.from({ length: 1_000 }, (_, i) => `b${i}`) },
      { name: 'a', candidates: ['a0'] },
      { name: 'none', candidates: [] },
    ]
    const drawn = drawSample(strata, 25, seed)
    expect(drawn.map(({ stratum, picked }) => [stratum, picked.length])).toEqual([['a', 1], ['b', 24]]) // oxfmt-ignore
    expect(drawSample(strata.toReversed(), 25, seed)).toEqual(drawn)
  })

  it('gives all there is when more is wanted, and every candidate about equally often', () => {
    const all = drawSample([{ name: 'x', candidates: [1, 2, 3] }], 10, seed)
    expect(all[0]?.picked.toSorted()).toEqual([1, 2, 3])
    const counts = [0, 0, 0, 0, 0]
    for (let i = 0; i < 5_000; i++) {
      const [drawn] = drawSample([{ name: 'x', candidates: [0, 1, 2, 3, 4] }], 1, Buffer.from(seedOf(String(i)), 'hex'))
      counts[drawn?.picked[0] ?? 0]! += 1
    }
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150)
  })
})

describe('shareOut', () => {
  it('sums up to what is wanted and never gives more than there is', () => {
    for (const counts of [[1, 1, 1], [100, 3, 50], [0, 5], [7], [], [1_000_000, 1, 1, 1]]) {
      const total = counts.reduce((sum, one) => sum + one, 0)
      for (let size = 0; size <= 30; size++) {
        const shares = shareOut(counts, size)
        expect(
          shares.reduce((sum, one) => sum + one, 0),
          `${String(counts)} of ${size}`,
        ).toBe(Math.min(size, total))
        shares.forEach((share, i) => expect(share).toBeLessThanOrEqual(counts[i] ?? 0))
      }
    }
  })
})
