import { describe, expect, it } from 'vitest'
import { roomFor } from '../../src/admission/quotas.ts'

const gib = 1_073_741_824
const taken = { today: 0, total: 0, day: '2026-11-28' }

describe('roomFor', () => {
  it('is what the tightest limit leaves', () => {
    const limits = { artifactBytes: 8 * gib, repositoryBytesPerDay: 10 * gib, totalBytes: 100 * gib }
    expect(roomFor(limits, taken, undefined).bytes).toBe(8 * gib)
    expect(roomFor(limits, { ...taken, today: 9 * gib, total: 9 * gib }, undefined).bytes).toBe(gib)
    expect(roomFor(limits, { ...taken, today: 0, total: 99.5 * gib }, undefined).bytes).toBe(gib / 2)
    expect(roomFor(limits, { ...taken, today: 11 * gib, total: 11 * gib }, undefined).bytes).toBe(0)
  })

  it('counts one artifact alone where nothing else is configured', () => {
    expect(roomFor({ artifactBytes: 5 }, { ...taken, today: 1e15, total: 1e15 }, undefined).bytes).toBe(5)
  })

  it('names the limit, what is used and when it ends', () => {
    const daily = roomFor({ artifactBytes: gib, repositoryBytesPerDay: 1_000 }, { ...taken, today: 400 }, 700).refusal()
    expect(daily).toMatchObject({
      code: 'quota_exceeded',
      message:
        'this repository today may bring 1000 bytes (repository_bytes_per_day, until 2026-11-29T00:00:00.000Z); 400 are taken and 700 were announced',
      extra: {
        quota: { limit: 'repository_bytes_per_day', bytes: 1_000, used: 400, resets_at: '2026-11-29T00:00:00.000Z' },
      },
    })
    const total = roomFor({ artifactBytes: gib, totalBytes: 1_000 }, { ...taken, total: 1_000 }, undefined).refusal()
    expect(total.extra).toEqual({ quota: { limit: 'total_bytes', bytes: 1_000, used: 1_000 } })
  })
})
