import { afterAll, describe, expect, it } from 'vitest'
import { sha256Hex } from '../../src/record/sha256.ts'
import { createFuzzer } from './engine/fuzz.ts'
import { maxInputBytes, mutate } from './engine/mutate.ts'
import { createRandom } from './engine/random.ts'

const module = new URL('broken.ts', import.meta.url)
const [fuzzer, impatient] = [createFuzzer(module, { maxHeapMb: 64 }), createFuzzer(module, { stallMs: 2_000 })]
afterAll(() => Promise.all([fuzzer.close(), impatient.close()]))

const found = async (name: string, by = fuzzer): Promise<{ what: string; input: string }> => {
  const played = await by.run({ name, seed: 1, rounds: 20_000, seconds: Infinity })
  if (!('what' in played)) throw new Error(`${played.rounds} rounds found nothing`)
  return { what: played.what, input: Buffer.from(played.input).toString() }
}

describe('fuzzing', () => {
  it('finds nothing in a reader without mistakes, and counts what came of the rounds', async () => {
    const order = { name: 'sound', seed: 1, rounds: 500, seconds: Infinity }
    const played = await fuzzer.run(order)
    if ('what' in played) throw new Error(played.what)
    expect(played).toMatchObject({ rounds: 502, outcomes: { Error: expect.any(Number) as number } })
    expect({ ...(await fuzzer.run(order)), slowest: played.slowest }).toEqual(played)
  })

  it('finds an error that is on no list, and makes the input small', async () => {
    const { what, input } = await found('crashing')
    expect(what).toMatch(/^refused by TypeError/)
    expect(input).toBe('7')
  })

  it('finds what is taken and should not be', async () => {
    const { what, input } = await found('lying')
    expect(what).toMatch(/^taken, but AssertionError/)
    expect(input).toBe('7')
  })

  it('ends an endless loop, and has the input', async () => {
    const { what, input } = await found('looping', impatient)
    expect(what).toMatch(/^no answer after 2000 ms/)
    expect(input).toContain('7')
  }, 60_000)

  it('ends what takes all memory, and has the input', async () => {
    const { what, input } = await found('hoarding')
    expect(what).toMatch(/memory limit/)
    expect(input).toContain('7')
  }, 60_000)

  it('never makes an input over the limit, and the same one for the same seed', () => {
    const soil = {
      corpus: [new Uint8Array(maxInputBytes - 10).fill(0x5b), Uint8Array.of(1)],
      dictionary: ['x'.repeat(1_000)],
    }
    const make = (seed: number): string => {
      const random = createRandom(seed)
      const made = Array.from({ length: 60 }, () => mutate(soil.corpus[0] ?? new Uint8Array(), random, soil))
      for (const { length } of made) expect(length).toBeLessThanOrEqual(maxInputBytes)
      return sha256Hex(Buffer.concat(made))
    }
    expect(make(5)).toBe(make(5))
    expect(make(6)).not.toBe(make(5))
  })
})
