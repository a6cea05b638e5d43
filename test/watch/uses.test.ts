import { describe, expect, it } from 'vitest'
import type { Submission } from '../../src/ledger/decide.ts'
import type { Book } from '../../src/ledger/book.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { createUses } from '../../src/watch/uses.ts'

/** What is recorded goes into `recorded`, without its random name; while `down`, nothing can be. */
function start() {
  const recorded: Record<string, unknown>[] = []
  const state = { down: false }
  const submit = async ([submission]: readonly Submission[]): Promise<[]> => {
    if (state.down) throw new Error('recording is down')
    const segments = submission?.segments as unknown as { raw: Uint8Array }[]
    const { access, ...fields } = JSON.parse(Buffer.from(segments[0]!.raw).toString()) as Record<string, unknown>
    expect(submission?.key).toBe(`access:${String(access)}`)
    recorded.push(fields)
    return []
  }
  const book = { ledger: 'main/operations', appender: { submit } } as unknown as Book
  return { recorded, state, uses: createUses(book, silentLogger) }
}

const use = (id: string, route: string, repository?: string) =>
  ({ who: { id, method: 'token' }, route, params: {}, repository, records: 'summed' }) as const

describe('createUses', () => {
  it('sums reads per person, route and repository, and records each sum once', async () => {
    const { recorded, uses } = start()
    for (const [id, route, repository] of [
      ['a', 'lines', 'r1'], ['a', 'lines', 'r1'], ['a', 'lines', 'r2'], ['a', 'files', 'r1'], ['b', 'lines', 'r1'], ['a', 'lines', undefined],
    ] as const) await uses.record(use(id, route, repository)) // oxfmt-ignore
    expect(recorded).toEqual([])
    await uses.flush()
    await uses.flush()
    const sums = recorded.map(({ by, route, repository, count }) => [by, route, repository, count])
    expect(sums).toEqual([
      ['a', 'lines', 'r1', 2], ['a', 'lines', 'r2', 1], ['a', 'files', 'r1', 1], ['b', 'lines', 'r1', 1], ['a', 'lines', undefined, 1],
    ]) // oxfmt-ignore
    expect(Object.keys(recorded.at(-1)!)).not.toContain('repository')
  })

  it('keeps what cannot be recorded now, and adds to it what comes meanwhile', async () => {
    const { recorded, state, uses } = start()
    await uses.record(use('a', 'lines', 'r1'))
    state.down = true
    await uses.flush()
    await uses.record(use('a', 'lines', 'r1'))
    state.down = false
    await uses.flush()
    expect(recorded).toMatchObject([{ by: 'a', route: 'lines', repository: 'r1', count: 2 }])
  })
})
