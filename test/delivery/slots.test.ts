import { describe, expect, it } from 'vitest'
import { createSlots } from '../../src/delivery/slots.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Takes slots as they come; `begun` are those that have one, in order. */
function takers(slots: ReturnType<typeof createSlots>, count: number, signal: AbortSignal) {
  const begun: number[] = []
  const releases: (() => void)[] = []
  const refused: number[] = []
  for (let i = 0; i < count; i++) {
    slots.take(signal).then(
      (release) => {
        begun.push(i)
        releases.push(release)
      },
      () => refused.push(i),
    )
  }
  return { begun, releases, refused }
}

describe('slots', () => {
  it('are never more than their limit, however many wait when one is given back', async () => {
    const { begun, releases } = takers(
      createSlots(2, () => 0),
      100,
      new AbortController().signal,
    )
    await turn()
    expect(begun).toEqual([0, 1])
    for (let n = 3; n <= 100; n++) {
      releases[n - 3]?.()
      await turn()
      expect(begun.length).toBe(n)
    }
    expect(begun).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })

  it('given back twice count once', async () => {
    const { begun, releases } = takers(
      createSlots(1, () => 0),
      3,
      new AbortController().signal,
    )
    await turn()
    releases[0]?.()
    releases[0]?.()
    await turn()
    expect(begun).toEqual([0, 1])
  })

  it('are half as many for a minute after the destination asked for it', async () => {
    let ms = 0
    const slots = createSlots(4, () => ms)
    slots.slowDown()
    const { begun, releases } = takers(slots, 6, new AbortController().signal)
    await turn()
    expect(begun).toEqual([0, 1])
    ms = 60_000
    releases[0]?.()
    await turn()
    expect(begun).toEqual([0, 1, 2, 3, 4])
  })

  it('are not given to those that stopped waiting', async () => {
    const slots = createSlots(1, () => 0)
    const abort = new AbortController()
    const first = takers(slots, 1, new AbortController().signal)
    const gone = takers(slots, 2, abort.signal)
    const last = takers(slots, 1, new AbortController().signal)
    await turn()
    abort.abort()
    first.releases[0]?.()
    await turn()
    expect(gone).toMatchObject({ begun: [], refused: [0, 1] })
    expect(last.begun).toEqual([0])
    await expect(slots.take(abort.signal)).rejects.toThrow()
  })
})
