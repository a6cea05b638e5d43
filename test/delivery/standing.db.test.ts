import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import type { GateState } from '../../src/delivery/gate.ts'
import type { Lane } from '../../src/delivery/lane.ts'
import { createStandings } from '../../src/delivery/standing.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { elasticSettings, eventually, startLane } from './lane.ts'
import { createMemoryReader, makeRecord } from './records.ts'

let test: TestDatabase
beforeAll(async () => {
  test = await createTestDatabase()
})
afterAll(() => test.drop())

const blocked: GateState = { state: 'blocked', reason: 'credentials', detail: 'HEC 403/4' }
const running: GateState = { state: 'running' }

describe('the standing of a lane', () => {
  const statesOf = async ({ ledger, destination }: Lane): Promise<string[]> => {
    const { rows } = await test.db.query<{ state: string }>({
      text: 'select state from standings where ledger = $1 and destination = $2 order by n',
      values: [ledger, destination],
    })
    return rows.map(({ state }) => state)
  }

  it('is written at most once a minute while it flaps, and in the end as it is', async () => {
    const lane: Lane = { ledger: 'main/unit', destination: 'flapping' }
    let clock = 0
    const said: string[] = []
    const log = { ...silentLogger, warn: (event: string) => void said.push(event) }
    const deps = { db: test.db, log, lane, now: () => new Date(), monotonicMs: () => clock }
    const standings = createStandings(deps)
    for (let i = 0; i < 100; i++) await standings.change(i % 2 === 0 ? blocked : running)
    expect(await statesOf(lane)).toEqual(['blocked', 'running', 'blocked', 'running'])
    await standings.change(blocked)
    clock = 59_999
    await standings.flush()
    expect(await statesOf(lane)).toHaveLength(4)
    clock = 60_000
    await standings.flush()
    expect((await statesOf(lane)).slice(4)).toEqual(['blocked'])
    for (let i = 0; i < 100; i++) await standings.change(i % 2 === 0 ? running : blocked)
    clock = 120_000
    await standings.flush()
    expect(await statesOf(lane)).toHaveLength(5) // it is what it was when that was written
    expect(said).toHaveLength(5)
  })

  it('is written in order when it changes while it is written', async () => {
    const lane: Lane = { ledger: 'main/unit', destination: 'quick' }
    const standings = createStandings({ db: test.db, log: silentLogger, lane, now: () => new Date(), monotonicMs: () => 0 }) // oxfmt-ignore
    await Promise.all([standings.change(blocked), standings.change(running), standings.change(blocked)])
    expect((await statesOf(lane)).at(-1)).toBe('blocked')
  })
})

describe('the beat of a lane', () => {
  it('waits for what people said until the last answer is there', async () => {
    const fake = await startFakeBulk()
    const held: (() => void)[] = []
    let isSlow = false
    const db: Database = {
      ...test.db,
      async query(statement) {
        if (isSlow && statement.name === 'latest_words') await new Promise<void>((resolve) => held.push(resolve))
        return test.db.query(statement)
      },
    }
    const reader = createMemoryReader([makeRecord(0)])
    const lane = await startLane({ db, reader, settings: elasticSettings(fake, { position_every_ms: 5 }) })
    await eventually(() => fake.counters.stored === 1)
    isSlow = true
    await eventually(() => held.length > 0)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(held).toHaveLength(1)
    isSlow = false
    for (const go of held) go()
    await lane.stop()
    await fake.close()
  })
})
