import { describe, expect, it } from 'vitest'
import { findOld } from '../../src/service/key-keeping.ts'
import type { KeptKey } from '../../src/ledger/key-care.ts'
import { createSigningKey } from '../../src/log/vkey.ts'

const day = 86_400_000_000
const now = 1_000 * day

const aKey = async (n: number, state: KeptKey['state'], daysAgo: number | undefined): Promise<KeptKey> => ({
  of: 'main/unit',
  key: await createSigningKey('localhost/main/unit', 1, new Uint8Array(32).fill(n)),
  recordedAt: daysAgo === undefined ? undefined : now - daysAgo * day,
  state,
})

describe('findOld', () => {
  it('tells of a key that signs for longer than it should, from the day after', async () => {
    expect(findOld([await aKey(1, 'signing', 400)], 400, now)).toEqual([])
    const [found, ...more] = findOld([await aKey(1, 'signing', 401)], 400, now)
    expect(more).toEqual([])
    expect(found).toMatchObject({ code: 'key_expiring', subject: expect.stringMatching(/^main\/unit [0-9a-f]{8}$/), detail: expect.stringContaining('401 days ago') }) // oxfmt-ignore
  })

  it('tells of an old key that still signs beside its successor, by the age of the rotation', async () => {
    const rotated = (daysAgo: number) => Promise.all([aKey(1, 'beside', 900), aKey(2, 'signing', daysAgo)])
    expect(findOld(await rotated(90), 400, now)).toEqual([])
    expect(findOld(await rotated(91), 400, now)).toMatchObject([{ detail: expect.stringContaining('retire it') }])
  })

  it('says nothing of keys that are retired, or whose record is yet to come', async () => {
    expect(findOld([await aKey(1, 'retired', 900), await aKey(2, 'signing', undefined)], 400, now)).toEqual([])
  })
})
