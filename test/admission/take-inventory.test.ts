import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createParsePool, type ParsePool } from '../../src/admission/pool.ts'
import { takeInventory } from '../../src/admission/take-inventory.ts'
import type { PackedSegment } from '../../src/ledger/segments.ts'
import { Problem } from '../../src/record/problem.ts'
import { inventoryPayloads } from '../../src/record/run.ts'
import { createLogger } from '../../src/telemetry/logger.ts'

let pool: ParsePool
beforeAll(() => {
  pool = createParsePool(createLogger({ format: 'json', level: 'error', write: () => {} }))
})
afterAll(() => pool.close())

const identity = {
  ledger: 'main/unit',
  repository: 'github.com/acme/app',
  commit: 'c'.repeat(40),
  suite: 'api',
} as const
const link = (_repository: string, _suite: string, _part: string, number: number) =>
  Promise.resolve({ chain: 1n, index: number, dictionary: undefined })

const aFile = (i: number) => ({
  path: `packages/module-${String(i % 97).padStart(2, '0')}/src/components/component-${i}.ts`,
  blob: i.toString(16).padStart(40, '0'),
})

/** In an order of its own, a line at a time as a socket might cut them. */
async function* bodyOf(files: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < files; from += 500) {
    const lines = Array.from({ length: Math.min(500, files - from) }, (_, i) =>
      JSON.stringify(aFile(files - 1 - from - i)),
    )
    yield Buffer.from(`${lines.join('\n')}\n`)
  }
}

const textOf = (segments: unknown): string =>
  (segments as PackedSegment[]).map(({ raw }) => Buffer.from(raw).toString()).join('')

describe('takeInventory', () => {
  it('makes the records of the files in path order, whatever the order they come in', async () => {
    const submission = await takeInventory(pool, { link }, identity, bodyOf(2_000), 10_000)
    const files = Array.from({ length: 2_000 }, (_, i) => aFile(i)).sort((a, b) => (a.path < b.path ? -1 : 1))
    const payloads = inventoryPayloads('main/unit', identity.repository, identity.commit, files)
    expect(payloads.length).toBeGreaterThan(20)
    expect(textOf(submission.segments)).toBe(payloads.map((payload) => `${Buffer.from(payload).toString()}\n`).join(''))
    const again = await takeInventory(pool, { link }, identity, bodyOf(2_000), 10_000)
    const other = await takeInventory(pool, { link }, identity, bodyOf(1_999), 10_000)
    expect([again.digest, again.key]).toEqual([submission.digest, submission.key])
    expect(other.digest).not.toEqual(submission.digest)
  })

  it('leaves its thread to others while 100,000 files are sorted, cut and compressed', async () => {
    let ended = false
    async function* body(): AsyncGenerator<Uint8Array> {
      yield* bodyOf(100_000)
      ended = true
    }
    let done = false
    const taking = takeInventory(pool, { link }, identity, body(), 100_000).finally(() => (done = true))
    // On this thread all of it would be a handful of turns: one for each segment.
    let turns = 0
    while (!done) {
      await nextTurn()
      if (ended) turns += 1
    }
    const { segments } = await taking
    expect((segments as PackedSegment[]).length).toBeGreaterThan(8)
    expect(turns).toBeGreaterThan(500)
  })

  it.each<[string, AsyncIterable<Uint8Array>, string]>([
    ['more files than are recorded', bodyOf(1_001), 'too_many_files'],
    ['what is no inventory', [Buffer.from('{"path":7}\n')] as unknown as AsyncIterable<Uint8Array>, 'request_invalid'],
    [
      'a body that breaks off',
      (async function* () {
        yield* bodyOf(10)
        throw new Error('reset')
      })(),
      'body_incomplete',
    ],
  ])('refuses %s, and the pool goes on', async (_, body, code) => {
    const refused = await takeInventory(pool, { link }, identity, body, 1_000).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(Problem)
    expect((refused as Problem).code).toBe(code)
    expect((await takeInventory(pool, { link }, identity, bodyOf(3), 1_000)).segments).toHaveLength(1)
  })

  it('refuses more than one append can hold', async () => {
    const refused = await takeInventory(pool, { link }, identity, bodyOf(200_000), 1_000_000).catch((e: unknown) => e)
    expect(refused).toMatchObject({ code: 'too_many_files', message: expect.stringMatching(/200000 files take/) as string }) // oxfmt-ignore
  })
})
