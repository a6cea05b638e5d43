import { describe, expect, it } from 'vitest'
import { pageJson, pageLines } from '../../src/answers/feed-bytes.ts'
import type { FeedQuestion } from '../../src/answers/feed-start.ts'
import { type Feed, type Page, createFeed } from '../../src/answers/feed.ts'
import { createCursors } from '../../src/answers/position.ts'
import { createGenerations } from '../../src/ledger/generations.ts'
import { Problem } from '../../src/record/problem.ts'
import { createFakeReader, startMicros } from './fake-reader.ts'

const cursors = createCursors(new Uint8Array(32).fill(1))
const forEver = new AbortController().signal

function setUp(options: { earliest?: number; budget?: { workMs?: number; bytes?: number } } = {}) {
  const reader = createFakeReader()
  const feed = createFeed({
    reader,
    cursors,
    earliest: async () => options.earliest ?? 0,
    generations: createGenerations('main', []),
    ...(options.budget ? { budget: options.budget } : {}),
  })
  return { reader, feed }
}

const ask = (more: Partial<FeedQuestion> = {}): FeedQuestion => ({
  ledger: 'main/unit',
  limit: 100,
  waitMs: 0,
  ...more,
})
const read = async (feed: Feed, query: FeedQuestion, signal = forEver): Promise<Page> =>
  feed.readPage(query, await feed.resolve(query), signal)
const seqs = (page: Page): number[] => page.records.map(({ seq }) => seq)
const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'none',
    (error) => (error instanceof Problem ? error.code : error),
  )

describe('a feed', () => {
  it('has no start of its own', async () => {
    const { feed } = setUp()
    expect(await codeOf(read(feed, ask()))).toBe('start_required')
    expect(await codeOf(read(feed, ask({ cursor: 'earliest', after: 3 })))).toBe('request_invalid')
    expect(await codeOf(read(feed, ask({ cursor: '' })))).toBe('cursor_invalid')
  })

  it('gives every record exactly once to a poller that follows its cursors, whatever the page size', async () => {
    const { reader, feed } = setUp()
    reader.add(2_345)
    for (const limit of [7, 100, 1_000, 2_345, 10_000]) {
      const seen: number[] = []
      let cursor = 'earliest'
      for (;;) {
        const page = await read(feed, ask({ cursor, limit }))
        seen.push(...seqs(page))
        cursor = page.nextCursor
        if (page.short?.hasMore === false) break
      }
      expect(seen).toEqual(Array.from({ length: 2_345 }, (_, seq) => seq))
    }
  })

  it('begins after a seq, at the first record, and at the end', async () => {
    const { reader, feed } = setUp()
    reader.add(10)
    expect(seqs(await read(feed, ask({ after: -1, limit: 2 })))).toEqual([0, 1])
    expect(seqs(await read(feed, ask({ after: 6 })))).toEqual([7, 8, 9])
    expect(seqs(await read(feed, ask({ cursor: 'earliest', limit: 1 })))).toEqual([0])
    expect(seqs(await read(feed, ask({ cursor: 'latest' })))).toEqual([])
  })

  it('gives the same page again to a poller that was rewound', async () => {
    const { reader, feed } = setUp()
    reader.add(10)
    const first = await read(feed, ask({ cursor: 'earliest', limit: 4 }))
    const second = await read(feed, ask({ cursor: first.nextCursor, limit: 4 }))
    reader.add(10)
    expect(await read(feed, ask({ cursor: first.nextCursor, limit: 4 }))).toEqual(second)
    expect(seqs(second)).toEqual([4, 5, 6, 7])
  })

  it('says how far it is on short pages only', async () => {
    const { reader, feed } = setUp()
    reader.add(5)
    const full = await read(feed, ask({ cursor: 'earliest', limit: 5 }))
    expect(full.short).toBeUndefined()
    const short = await read(feed, ask({ cursor: full.nextCursor, limit: 5 }))
    expect(short).toMatchObject({
      records: [],
      next: 5,
      short: { hasMore: false, published: 5, earliest: 0, checkpoint: 'note of 5\n' },
    })
  })

  it('refuses a start beyond the end, which would pass over what comes until then', async () => {
    const { reader, feed } = setUp()
    reader.add(3)
    await expect(feed.resolve(ask({ after: 3 }))).rejects.toMatchObject({ code: 'request_invalid' })
    const page = await read(feed, ask({ after: 2 }))
    expect(page).toMatchObject({ records: [], next: 3, short: { hasMore: false, published: 3 } })
    // As after a database was put back to an older state: the consumer has more than there is.
    await expect(setUp().feed.resolve(ask({ after: 2 }))).rejects.toMatchObject({ code: 'request_invalid' })
  })

  it('answers 410 with the earliest position when the past is gone, and never skips silently', async () => {
    const { reader, feed } = setUp({ earliest: 4 })
    reader.add(10)
    const error = await feed.resolve(ask({ after: 1 })).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'cursor_expired', extra: { earliest: 4, lost: 2 } })
    const { earliest_cursor } = (error as Problem).extra as { earliest_cursor: string }
    expect(seqs(await read(feed, ask({ cursor: earliest_cursor, limit: 2 })))).toEqual([4, 5])
  })
})

describe('filters', () => {
  it('leave out kinds and repositories, and the next position passes what was left out', async () => {
    const { reader, feed } = setUp()
    reader.add(3, { kind: 'run', repository: 'github.com/acme/a' })
    reader.add(3, { kind: 'coverage', repository: 'github.com/acme/a' })
    reader.add(3, { kind: 'coverage', repository: 'github.com/acme/b' })
    const byKind = await read(feed, ask({ cursor: 'earliest', kinds: ['run'] }))
    expect(seqs(byKind)).toEqual([0, 1, 2])
    expect(byKind.next).toBe(9)
    expect(seqs(await read(feed, ask({ cursor: 'earliest', repository: 'github.com/acme/b' })))).toEqual([6, 7, 8])
    expect(
      seqs(await read(feed, ask({ cursor: 'earliest', repository: 'github.com/acme/a', kinds: ['coverage'] }))),
    ).toEqual([3, 4, 5])
    // every fake record names this one in an inner object only
    expect(seqs(await read(feed, ask({ cursor: 'earliest', repository: 'github.com/other/one' })))).toEqual([])
  })

  it('give full pages that stay the same while the ledger grows', async () => {
    const { reader, feed } = setUp()
    reader.add(1, { kind: 'run' })
    reader.add(50)
    reader.add(1, { kind: 'run' })
    const query = ask({ cursor: 'earliest', kinds: ['run'], limit: 2 })
    const page = await read(feed, query)
    expect(page).toMatchObject({ next: 52 })
    expect(page.short).toBeUndefined()
    reader.add(50)
    expect(await read(feed, query)).toEqual(page)
  })

  it('bind the cursor', async () => {
    const { reader, feed } = setUp()
    reader.add(10)
    const { nextCursor } = await read(feed, ask({ cursor: 'earliest', kinds: ['run'], limit: 2 }))
    expect(await codeOf(read(feed, ask({ cursor: nextCursor })))).toBe('cursor_invalid')
  })
})

describe('windows', () => {
  it('are half-open, so that adjacent ones tile', async () => {
    const { reader, feed } = setUp()
    reader.add(10)
    const at = (n: number): number => startMicros + n
    expect(seqs(await read(feed, ask({ since: at(2), until: at(5) })))).toEqual([2, 3, 4])
    expect(seqs(await read(feed, ask({ since: at(5), until: at(8) })))).toEqual([5, 6, 7])
    expect(seqs(await read(feed, ask({ since: at(5), until: at(5) })))).toEqual([])
  })

  it('case 58: end where nothing more can be published, and say so', async () => {
    const { reader, feed } = setUp()
    reader.add(10)
    const closed = await read(feed, ask({ since: startMicros, until: startMicros + 4 }))
    expect(closed).toMatchObject({ next: 4, short: { hasMore: false, until: startMicros + 4 } })
    const open = await read(feed, ask({ since: startMicros, until: startMicros + 4_000_000 }))
    expect(open.short).toMatchObject({ hasMore: false, until: startMicros + 10 })
    reader.add(3)
    const rest = await read(feed, ask({ since: startMicros + 10, until: startMicros + 4_000_000 }))
    expect(seqs(rest)).toEqual([10, 11, 12])
  })

  it('keep their end from page to page', async () => {
    const { reader, feed } = setUp()
    reader.add(10)
    const until = startMicros + 5
    const first = await read(feed, ask({ since: startMicros, until, limit: 3 }))
    const second = await read(feed, ask({ cursor: first.nextCursor, until, limit: 3 }))
    expect([...seqs(first), ...seqs(second)]).toEqual([0, 1, 2, 3, 4])
    expect(await codeOf(read(feed, ask({ cursor: first.nextCursor, limit: 3 })))).toBe('cursor_invalid')
    const after = await read(feed, ask({ cursor: second.nextCursor, until, limit: 3 }))
    expect(after).toMatchObject({ records: [], short: { hasMore: false } })
  })

  it('case 58: that begin in the future give nothing from before it', async () => {
    const { reader, feed } = setUp()
    reader.add(3)
    const query = ask({ since: startMicros + 1_000, waitMs: 2_000 })
    const page = read(feed, query)
    setTimeout(() => reader.add(2), 20)
    setTimeout(() => reader.add(1, { at: startMicros + 1_000 }), 60)
    expect(seqs(await page)).toEqual([5])
  })
})

describe('a long poll', () => {
  it('answers as soon as something is published', async () => {
    const { reader, feed } = setUp()
    reader.add(3)
    const page = read(feed, ask({ cursor: 'latest', waitMs: 10_000 }))
    setTimeout(() => reader.add(2), 30)
    expect(await page).toMatchObject({ next: 5, short: { published: 5 } })
  })

  it('ends empty and at the same place when nothing comes', async () => {
    const { reader, feed } = setUp()
    reader.add(3)
    const page = await read(feed, ask({ cursor: 'latest', waitMs: 50 }))
    expect(page).toMatchObject({ records: [], next: 3 })
  })

  it('ends when the caller is gone', async () => {
    const { feed } = setUp()
    const gone = new AbortController()
    const page = read(feed, ask({ after: -1, waitMs: 30_000 }), gone.signal)
    setTimeout(() => gone.abort(), 20)
    expect(await page).toMatchObject({ records: [], next: 0 })
  })

  it('does not wait when there is something, nor within a window that is over', async () => {
    const { reader, feed } = setUp()
    reader.add(3)
    expect(seqs(await read(feed, ask({ after: 0, waitMs: 10_000 })))).toEqual([1, 2])
    await read(feed, ask({ since: startMicros, until: startMicros, waitMs: 10_000 }))
    expect(reader.waits).toBe(0)
    await read(feed, ask({ cursor: 'latest', waitMs: 1 }))
    expect(reader.waits).toBe(1)
  })
})

describe('a page cut short by its budget', () => {
  it('case 55: of bytes is not full, and what follows goes on behind it', async () => {
    const { reader, feed } = setUp({ budget: { bytes: 1_000 } })
    reader.add(100)
    const page = await read(feed, ask({ cursor: 'earliest' }))
    expect(page.short).toMatchObject({ hasMore: true })
    expect(page.records.length).toBeGreaterThan(0)
    const next = await read(feed, ask({ cursor: page.nextCursor }))
    expect(next.records[0]?.seq).toBe(page.records.length)
  })

  it('case 55: of time stops reading', async () => {
    const { reader, feed } = setUp({ budget: { workMs: 0 } })
    reader.add(100)
    const page = await read(feed, ask({ cursor: 'earliest' }))
    expect(page).toMatchObject({ records: [], next: 0, short: { hasMore: true } })
  })
})

describe('page bytes', () => {
  it('are the record bytes, one a line', async () => {
    const { reader, feed } = setUp()
    const records = reader.add(3)
    const page = await read(feed, ask({ cursor: 'earliest' }))
    expect(pageLines(page).toString()).toBe(records.map(({ bytes }) => `${Buffer.from(bytes).toString()}\n`).join(''))
    expect(pageLines({ ...page, records: [] })).toHaveLength(0)
  })

  it('hold the same bytes in JSON, and of a full page only what cannot change', async () => {
    const { reader, feed } = setUp()
    const [record] = reader.add(3)
    const full = await read(feed, ask({ cursor: 'earliest', limit: 3 }))
    const text = pageJson(full, 'http://host/next').toString()
    expect(text).toContain(Buffer.from(record!.bytes).toString())
    expect(Object.keys(JSON.parse(text))).toEqual(['records', 'next_cursor', 'next', 'has_more'])
    const short = await read(feed, ask({ cursor: 'earliest', limit: 4 }))
    expect(Object.keys(JSON.parse(pageJson(short, 'x').toString()))).toEqual([
      'records',
      'next_cursor',
      'next',
      'has_more',
      'published',
      'earliest',
      'checkpoint',
      'until',
    ])
    expect(JSON.parse(pageJson({ ...short, records: [] }, 'x').toString())).toMatchObject({ records: [], until: null })
  })
})
