import { afterAll, describe, expect, it } from 'vitest'
import { startFakeHec } from '../support/hec.ts'
import { setUpCases } from './cases.ts'
import { eventually, splunkSettings } from './lane.ts'

const { deliver } = setUpCases()
const closing: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closing.splice(0)) await close()
})

describe('how long records are looked for', () => {
  it.each([
    ['in doubt', 'unresolved', { unresolved_after_ms: 1_200 }],
    ['accepted and not proved', 'unproved', { unproved_after_ms: 1_200 }],
  ])('counts over starts: what is %s is given up though no process lives long enough', async (_, kind, after) => {
    const fake = await startFakeHec({ visibleAfterMs: 1e9 })
    closing.push(fake.close)
    if (kind === 'unresolved') fake.failNext('drop-after-storing', 1_000)
    const settings = splunkSettings(fake, { ...after, proof: 'search', batch: { records: 60, bytes: 524_288 } })
    let name: string | undefined
    let letters: { kind: string }[] = []
    for (let lives = 0; letters.length === 0 && lives < 50; lives++) {
      const { searches } = fake.counters
      const one = await deliver(settings, name === undefined ? {} : { name })
      name = one.name
      await eventually(async () => fake.counters.searches > searches || (await one.parked()).length > 0)
      await new Promise((resolve) => setTimeout(resolve, 250))
      await one.lane.stop()
      letters = await one.parked()
    }
    expect(new Set(letters.map((letter) => letter.kind))).toEqual(new Set([kind]))
    expect(fake.counters).toMatchObject({ stored: 60, duplicates: 0 })
  })
})
