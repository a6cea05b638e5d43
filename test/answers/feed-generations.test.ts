import { describe, expect, it } from 'vitest'
import { type FeedQuestion, createStarts } from '../../src/answers/feed-start.ts'
import { createFeed } from '../../src/answers/feed.ts'
import { createCursors } from '../../src/answers/position.ts'
import type { ClosedLedger } from '../../src/ledger/closed-store.ts'
import { createGenerations } from '../../src/ledger/generations.ts'
import type { Reader } from '../../src/ledger/read.ts'
import { createFakeReader, startMicros } from './fake-reader.ts'

const cursors = createCursors(new Uint8Array(32).fill(1))
const forEver = new AbortController().signal

/** main/unit was closed at `size`, and main/unit/2 is recorded in. */
function setUp(size: number, after: number) {
  const [first, second] = [createFakeReader('main/unit'), createFakeReader('main/unit/2')]
  first.add(size)
  second.add(after, { at: startMicros + 1_000_000 })
  const of = (ledger: string) => (ledger === 'main/unit' ? first : second)
  const reader: Reader = {
    published: (ledger) => of(ledger).published(ledger),
    readBatch: (ledger, from, options) => of(ledger).readBatch(ledger, from, options),
    findRecord: (id) => second.findRecord(id),
    tail: (ledger, next, signal, options) => of(ledger).tail(ledger, next, signal, options),
    earliest: async () => 0,
    seqAt: (ledger, at) => of(ledger).seqAt(ledger, at),
  }
  const closed: ClosedLedger = { ledger: 'main/unit', next: 'main/unit/2', size, root: Buffer.alloc(32), unsigned: 0, signedSize: size + 9, signedRoot: Buffer.alloc(32), notes: [], reason: 'x', byWhom: 'console', at: 0 } // oxfmt-ignore
  const deps = { reader, cursors, earliest: async () => 0, generations: createGenerations('main', [closed]) }
  const feed = createFeed(deps)
  const read = async (more: Partial<FeedQuestion>) => {
    const query: FeedQuestion = { ledger: 'main/unit', limit: 10, waitMs: 0, ...more }
    return feed.readPage(query, await feed.resolve(query), forEver)
  }
  return { first, second, read, starts: createStarts(deps) }
}
const ids = (page: { records: readonly { ledger: string; seq: number }[] }) =>
  page.records.map(({ ledger, seq }) => `${ledger} ${seq}`)

describe('a feed over a ledger that was closed with a loss', () => {
  it.each([1, 7, 10, 20, 23, 100])('gives every record of both generations once in pages of %i', async (limit) => {
    const { read } = setUp(20, 13)
    const seen: string[] = []
    for (let cursor = 'earliest', more = true; more;) {
      const page = await read({ cursor, limit })
      seen.push(...ids(page))
      more = page.short?.hasMore !== false
      cursor = page.nextCursor
    }
    const all = (ledger: string, n: number) => Array.from({ length: n }, (_, seq) => `${ledger} ${seq}`)
    expect(seen).toEqual([...all('main/unit', 20), ...all('main/unit/2', 13)])
  })

  it('goes on at the beginning of the next generation for whoever had read what is lost', async () => {
    const { read } = setUp(20, 3)
    const cursor = cursors.print({ ledger: 'main/unit' }, 26)
    expect(ids(await read({ cursor }))).toEqual(['main/unit/2 0', 'main/unit/2 1', 'main/unit/2 2'])
  })

  it('means the generation that is recorded in by after, unless it is told another', async () => {
    const { read } = setUp(20, 3)
    expect(ids(await read({ after: 1 }))).toEqual(['main/unit/2 2'])
    expect(ids(await read({ after: 17, generation: 1 }))).toEqual(['main/unit 18', 'main/unit 19'])
    await expect(read({ after: 0, generation: 3 })).rejects.toMatchObject({ code: 'not_found' })
  })

  it('finds a time in the generation that has it', async () => {
    const { read } = setUp(20, 3)
    expect(ids(await read({ since: startMicros + 18 }))).toEqual(['main/unit 18', 'main/unit 19'])
    expect(ids(await read({ since: startMicros + 500 }))[0]).toBe('main/unit/2 0')
  })

  it('does not wait at the end of what grows no more', async () => {
    const { read, first } = setUp(20, 0)
    const page = await read({ after: 19, generation: 1, kinds: ['seal'], waitMs: 0 })
    expect(page.records).toEqual([])
    const filtered = await read({ after: 9, generation: 1, kinds: ['seal'], waitMs: 60_000 })
    expect(filtered.short?.hasMore).toBe(true)
    expect(first.waits).toBe(0)
  })

  it('refuses a cursor of neither', async () => {
    const { read } = setUp(20, 3)
    const cursor = cursors.print({ ledger: 'main/integration' }, 2)
    await expect(read({ cursor })).rejects.toMatchObject({ code: 'cursor_invalid' })
  })
})
