import { describe, expect, it } from 'vitest'
import { createGate, sleep } from '../../src/delivery/gate.ts'

const { signal } = new AbortController()

describe('createGate', () => {
  function gate() {
    const changes: string[] = []
    let clock = 0
    const made = createGate({
      failingMs: { min: 10, max: 40 },
      blockedMs: { min: 60, max: 600 },
      monotonicMs: () => clock,
      onChange: ({ state }) => void changes.push(state),
    })
    return { made, changes, tick: (ms: number) => void (clock += ms) }
  }
  const isOpen = async (made: ReturnType<typeof createGate>) => {
    const abort = new AbortController()
    const entered = made.enter(abort.signal).then(
      (pass) => ({ pass }),
      () => undefined,
    )
    await new Promise((resolve) => setTimeout(resolve, 5))
    abort.abort()
    return entered
  }

  it('lets one through after a block, waits longer when that fails, and opens when it succeeds', async () => {
    const { made, changes, tick } = gate()
    const blocked = { kind: 'blocked', reason: 'credentials', detail: 'HEC 403/4' } as const
    ;(await made.enter(signal))(blocked)
    expect(await isOpen(made)).toBeUndefined()
    tick(60)
    const probe = await made.enter(signal)
    expect(await isOpen(made)).toBeUndefined()
    probe(blocked)
    tick(60)
    expect(await isOpen(made)).toBeUndefined()
    tick(60)
    const second = await made.enter(signal)
    second({ kind: 'ok' })
    expect(await isOpen(made)).toBeDefined()
    expect(changes).toEqual(['blocked', 'running'])
  })

  it('case 25: says once that proofs are weaker, and takes it back when none was for a minute', async () => {
    const { made, changes, tick } = gate()
    const weaker = { kind: 'ok', weaker: 'no acknowledgement id' } as const
    for (const report of [weaker, { kind: 'ok' }, weaker, { kind: 'ok' }] as const) (await made.enter(signal))(report)
    expect(made.state()).toEqual({ state: 'running', reason: 'weaker_proof', detail: 'no acknowledgement id' })
    expect(changes).toEqual(['running'])
    tick(60_000)
    ;(await made.enter(signal))({ kind: 'ok' })
    expect(made.state()).toEqual({ state: 'running' })
    expect(changes).toEqual(['running', 'running'])
  })

  it('counts failures of one wave once', async () => {
    const { made, tick } = gate()
    const passes = await Promise.all([made.enter(signal), made.enter(signal), made.enter(signal)])
    for (const pass of passes) pass({ kind: 'failing' })
    tick(10)
    expect(await isOpen(made)).toBeDefined()
  })

  it('lets another one through in place of one that sent nothing', async () => {
    const { made, tick } = gate()
    ;(await made.enter(signal))({ kind: 'failing' })
    tick(10)
    ;(await made.enter(signal))({ kind: 'unused' })
    expect(await isOpen(made)).toBeDefined()
  })
})

describe('sleep', () => {
  it('is over at once when its moment has passed, and warns of nothing', async () => {
    const warnings: string[] = []
    const onWarning = ({ name }: Error): void => void warnings.push(name)
    process.on('warning', onWarning)
    try {
      for (const ms of [-1, -0.001, -Infinity]) await sleep(ms, undefined, signal)
      await new Promise((resolve) => setImmediate(resolve)) // warnings come in a tick of their own
    } finally {
      process.off('warning', onWarning)
    }
    expect(warnings).toEqual([])
  })
})
