import { afterAll, describe, expect, it } from 'vitest'
import { type FakeBulkOptions, startFakeBulk } from '../support/bulk.ts'
import { setUpCases, sixty } from './cases.ts'
import { elasticSettings } from './lane.ts'
import { createMemoryReader, makeRecord } from './records.ts'

/** SIEM.md section 7, the answers of Elastic, as records meet them on their way. */

const { deliver } = setUpCases()
const closing: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})
async function elastic(options: FakeBulkOptions = {}) {
  const fake = await startFakeBulk(options)
  closing.push(fake.close)
  return fake
}
const november = 'proofline-unit-2026.11'

describe('a bulk answer', () => {
  it('case 30: of 201, 409, 400, 429 and 503 in one settles each for itself, and asks again only for what is open', async () => {
    const fake = await elastic()
    const asked = new Map<string, number>()
    const at = (seq: number): string => sixty[seq]?.id ?? ''
    fake.refuse = (id) => {
      const times = (asked.get(id) ?? 0) + 1
      asked.set(id, times)
      if (id === at(1)) return { status: 400, type: 'document_parsing_exception', reason: 'no' }
      if (id === at(2) && times === 1) return { status: 429, type: 'es_rejected_execution_exception' }
      if (id === at(3) && times === 1) return { status: 503, type: 'unavailable_shards_exception' }
      return undefined
    }
    // Ours from before, and a foreigner under our id.
    const first = await deliver(elasticSettings(fake), { reader: createMemoryReader(sixty.slice(0, 1)) })
    await first.until(({ provedTo }) => provedTo === 1)
    await first.lane.stop()
    asked.clear()
    fake.plant(november, at(4), '{"event":{"hash":"00"}}')
    const { lane, until, parked } = await deliver(elasticSettings(fake))
    await until(({ provedTo }) => provedTo === 60)
    await lane.stop()
    expect(sixty.map(({ id }) => asked.get(id))).toEqual(sixty.map((_, seq) => (seq === 2 || seq === 3 ? 2 : 1)))
    expect((await parked()).map(({ seq, reason }) => `${seq} ${reason}`).toSorted()).toEqual([
      '1 400 document_parsing_exception no',
      '4 what is stored under this id has another digest (00)',
    ])
    expect(fake.digest(at(4))).toBe('00')
    expect(fake.ids().length).toBe(59)
  })

  it.each(['store-late', 'timeout-after-storing'] as const)(
    'case 36: that does not come three times (%s) leaves one document an id',
    async (mode) => {
      const fake = await elastic()
      fake.failNext(mode, 3)
      const { lane, until, parked } = await deliver(
        elasticSettings(fake, { request_timeout_ms: 100, send_before_ms: 100 }),
      )
      await until(({ provedTo }) => provedTo === 60)
      await lane.stop()
      // The last late one is stored meanwhile, or finds its documents there.
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      expect(fake.documents().toSorted()).toEqual(sixty.map(({ id }) => `${november}/${id}`).toSorted())
      expect(fake.counters.conflicts).toBeGreaterThan(0)
      expect(await parked()).toEqual([])
    },
  )

  it('case 37: to a record of the last moment of a month, sent again in the next one, meets its own document', async () => {
    const fake = await elastic()
    const late = makeRecord(0, { recordedAt: Date.UTC(2026, 11, 1) * 1000 - 1 })
    const early = makeRecord(1, { recordedAt: Date.UTC(2026, 11, 1) * 1000 })
    let day = Date.UTC(2026, 10, 30, 23, 59, 59, 999)
    const now = (): Date => new Date(day)
    fake.failNext('timeout-after-storing')
    const reader = createMemoryReader([late])
    const before = await deliver(elasticSettings(fake, { retry_delays_ms: [3_600_000] }), { reader, now })
    await before.until(({ inDoubt }) => inDoubt === 1)
    await before.lane.stop()
    expect(fake.documents()).toEqual([`${november}/${late.id}`])
    day = Date.UTC(2026, 11, 2, 12)
    reader.add(early)
    const after = await deliver(elasticSettings(fake), { name: before.name, reader, now })
    await after.until(({ provedTo }) => provedTo === 2)
    await after.lane.stop()
    expect(fake.counters).toMatchObject({ stored: 2, conflicts: 1 })
    expect(fake.documents()).toEqual([`${november}/${late.id}`, `proofline-unit-2026.12/${early.id}`])
  })
})
