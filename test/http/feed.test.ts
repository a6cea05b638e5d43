import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { FeedPage } from '../../src/api/records.ts'
import { printTime } from '../../src/record/record.ts'
import { startMicros } from '../answers/fake-reader.ts'
import { type ServeOptions, type Served, servers } from './serve.ts'

const startWith = servers()
const start = async (count: number, options?: ServeOptions): Promise<Served> => {
  const served = await startWith(options)
  served.reader.add(count)
  return served
}

const get = (served: Served, path: string, headers: Record<string, string> = {}): Promise<Response> =>
  served.fetch(path, { token: 'feed', headers })
const page = async (served: Served, query: string): Promise<FeedPage> =>
  (await get(served, `/v1/feed/unit?${query}`)).json() as Promise<FeedPage>
const seqs = ({ records }: FeedPage): number[] => records.map(({ seq }) => seq)
const ndjson = { accept: 'application/x-ndjson' }
const linkOf = (answer: Response): string => /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1] ?? ''

describe('GET /v1/feed/{ledger}', () => {
  it('gives record bytes, one a line, to be followed by the Link header alone', async () => {
    const served = await start(25)
    const stored = (await served.reader.readBatch('main/unit', 0)).records
    let url = `${served.url}/v1/feed/unit?cursor=earliest&limit=10`
    let text = ''
    for (let pages = 0; pages < 4; pages++) {
      const answer = await fetch(url, { headers: { ...ndjson, authorization: 'Bearer feed' } })
      expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
      text += await answer.text()
      url = linkOf(answer)
      if (pages === 3)
        expect([answer.headers.get('proofline-has-more'), answer.headers.get('proofline-published')]).toEqual([
          'false',
          '25',
        ])
    }
    expect(text).toBe(stored.map(({ bytes }) => `${Buffer.from(bytes).toString()}\n`).join(''))
  })

  it('gives the same in JSON, with next_cursor for those that keep only that', async () => {
    const served = await start(5)
    const first = await page(served, 'after=-1&limit=2')
    expect(seqs(first)).toEqual([0, 1])
    expect(Object.keys(first)).toEqual(['records', 'next_cursor', 'next', 'has_more'])
    const second = await page(served, `cursor=${first.next_cursor}&limit=2`)
    expect(seqs(second)).toEqual([2, 3])
    const last = (await (await fetch(second.next, { headers: { authorization: 'Bearer feed' } })).json()) as FeedPage
    expect(last).toMatchObject({ has_more: false, published: 5, earliest: 0, checkpoint: 'note of 5\n', until: null })
    expect(seqs(last)).toEqual([4])
  })

  it('case 56: answers problems where there is no start, a foreign cursor, or the past is gone', async () => {
    const served = await start(5, { earliest: 2 })
    const code = async (query: string): Promise<unknown> =>
      ((await page(served, query)) as unknown as { code: string }).code
    expect(await code('')).toBe('start_required')
    expect(await code('limit=10&wait=5')).toBe('start_required')
    expect(await code('cursor=abc')).toBe('cursor_invalid')
    const { next_cursor } = await page(served, 'cursor=earliest&kind=run')
    expect(await code(`cursor=${next_cursor}`)).toBe('cursor_invalid')
    const expired = await get(served, '/v1/feed/unit?after=0')
    expect(expired.status).toBe(410)
    expect(await expired.json()).toMatchObject({ code: 'cursor_expired', earliest: 2, lost: 1 })
  })

  it('begins after a record by its id, for those who keep nothing else', async () => {
    const served = await start(5)
    const { records } = await page(served, 'after=-1')
    expect(seqs(await page(served, `after=${records[2]?.id}`))).toEqual([3, 4])
    const other = String(records[2]?.id).replace('main.unit', 'main.changes')
    for (const wrong of [other, 'main.unit-2', 'x', '1.5', '1e+06'])
      expect((await get(served, `/v1/feed/unit?after=${encodeURIComponent(wrong)}`)).status).toBe(400)
    const gone = String(records[2]?.id).replace('main.unit', 'main.unit.2')
    expect((await get(served, `/v1/feed/unit?after=${gone}`)).status).toBe(404)
  })

  it('keeps filters, window, limit and consumer in the next link', async () => {
    const served = await start(5)
    const until = '2026-11-23T06:00:00.000003+01:00'
    const first = await page(
      served,
      new URLSearchParams({
        since: '2026-11-23T05:00:00Z',
        until,
        limit: '2',
        kind: 'coverage,run',
        repository: 'github.com/acme/payments',
        consumer: 'cribl eu',
      }).toString(),
    )
    expect(seqs(first)).toEqual([0, 1])
    const next = (await (await fetch(first.next, { headers: { authorization: 'Bearer feed' } })).json()) as FeedPage
    expect(seqs(next)).toEqual([2])
    expect(next).toMatchObject({ has_more: false, until: printTime(startMicros + 3) })
    expect(new URL(next.next).searchParams.get('consumer')).toBe('cribl eu')
  })

  it('rounds bounds finer than a microsecond up', async () => {
    const served = await start(5)
    expect(seqs(await page(served, 'since=2026-11-23T05:00:00.0000010001Z'))).toEqual([2, 3, 4])
    expect(seqs(await page(served, 'since=2026-11-23T05:00:00.000001Z&until=2026-11-23T05:00:00.0000030Z'))).toEqual([
      1, 2,
    ])
    expect(seqs(await page(served, 'since=2026-11-23T00:00:00-05:00'))).toEqual([0, 1, 2, 3, 4])
  })

  it('makes links of the public URL where there is one', async () => {
    const served = await start(1, { settings: { public_url: 'https://proofline.example/here' } })
    expect((await page(served, 'after=-1')).next).toMatch(
      /^https:\/\/proofline\.example\/here\/v1\/feed\/unit\?cursor=/,
    )
  })

  it('of a ledger that holds nothing is an empty page', async () => {
    const served = await start(1)
    const answer = await get(served, '/v1/feed/changes?cursor=earliest')
    expect(await answer.json()).toMatchObject({ records: [], has_more: false, published: 0, checkpoint: null })
  })

  it('waits for what comes', async () => {
    const served = await start(1)
    const waiting = page(served, 'cursor=latest&wait=10')
    await expect.poll(() => served.reader.waits).toBe(1) // what is `latest` is decided before
    served.reader.add(1)
    expect(seqs(await waiting)).toEqual([1])
  })

  it('stops waiting when the poller is gone', async () => {
    const served = await start(1)
    const gone = new AbortController()
    const waiting = served
      .fetch('/v1/feed/unit?cursor=latest&wait=30', { token: 'feed', signal: gone.signal })
      .catch(() => 'gone')
    await expect.poll(() => served.reader.waits).toBe(1)
    gone.abort()
    expect(await waiting).toBe('gone')
    await expect.poll(() => served.reader.waiting).toBe(0)
  })

  it('says on every page whether it is worth to ask on: dumb pollers know nothing but that flag', async () => {
    const served = await start(5)
    for (const [query, hasMore] of [
      ['after=-1&limit=2', true],
      ['after=-1&limit=5', true],
      ['after=-1&limit=6', false],
      ['after=4', false],
    ] as const) {
      const answer = await get(served, `/v1/feed/unit?${query}`)
      expect([answer.headers.get('proofline-has-more'), ((await answer.json()) as FeedPage).has_more]).toEqual([
        String(hasMore),
        hasMore,
      ])
    }
  })
})

describe('caching', () => {
  it('keeps full pages for ever and short ones never', async () => {
    const served = await start(5)
    const full = await get(served, '/v1/feed/unit?after=-1&limit=5')
    expect(full.headers.get('cache-control')).toBe('private, max-age=31536000, immutable')
    expect(full.headers.get('etag')).toMatch(/^"[\w-]{22}"$/)
    const short = await get(served, '/v1/feed/unit?after=-1&limit=6')
    expect([short.headers.get('cache-control'), short.headers.get('etag')]).toEqual(['no-store', null])
    const moving = await get(served, '/v1/feed/unit?cursor=earliest&limit=5')
    expect(moving.headers.get('cache-control')).toBe('private, no-cache')
  })

  it('case 54: answers 304 to who has the page, without reading it, and the same bytes to who asks again', async () => {
    const served = await start(5)
    const path = '/v1/feed/unit?after=-1&limit=5'
    const first = await get(served, path)
    const tag = first.headers.get('etag')!
    served.reader.add(100)
    const again = await get(served, path)
    expect([again.headers.get('etag'), await again.text()]).toEqual([tag, await first.text()])
    const reads = served.reader.reads
    const unchanged = await get(served, path, { 'if-none-match': `"x", W/${tag}` })
    expect([unchanged.status, await unchanged.text(), unchanged.headers.get('etag')]).toEqual([304, '', tag])
    expect(served.reader.reads).toBe(reads)
  })

  it('has another tag for whatever makes another page', async () => {
    const served = await start(10)
    const tags = new Set<string | null>()
    const asked: [string, Record<string, string>][] = [
      ['after=-1&limit=2', {}],
      ['after=0&limit=2', {}],
      ['after=-1&limit=3', {}],
      ['after=-1&limit=2&kind=coverage', {}],
      ['after=-1&limit=2', ndjson],
      ['after=-1&limit=2', { 'accept-encoding': 'gzip' }],
      ['after=-1&limit=2', { 'accept-encoding': 'zstd' }],
    ]
    for (const [query, headers] of asked)
      tags.add(
        (await get(served, `/v1/feed/unit?${query}`, { 'accept-encoding': 'identity', ...headers })).headers.get(
          'etag',
        ),
      )
    expect(tags.size).toBe(asked.length)
  })

  it('never takes the tag of another page, or a made-up one, for an answer', async () => {
    const served = await start(5)
    const tag = (await get(served, '/v1/feed/unit?after=-1&limit=5')).headers.get('etag')!
    expect((await get(served, '/v1/feed/unit?after=0&limit=4', { 'if-none-match': tag })).status).toBe(200)
    expect((await get(served, '/v1/feed/unit?after=-1&limit=5', { 'if-none-match': '*' })).status).toBe(200)
  })
})

describe('compression', () => {
  it.each([
    ['gzip', (bytes: Buffer) => gunzipSync(bytes)],
    ['zstd', (bytes: Buffer) => zstdDecompressSync(bytes)],
  ])('by %s gives the same page', async (encoding, decode) => {
    const served = await start(100)
    const path = '/v1/feed/unit?after=-1&limit=100'
    const plain = Buffer.from(
      await (await get(served, path, { ...ndjson, 'accept-encoding': 'identity' })).arrayBuffer(),
    )
    const { get: getHttp } = await import('node:http')
    const [header, bytes] = await new Promise<[unknown, Buffer]>((resolve, reject) => {
      getHttp(
        `${served.url}${path}`,
        { headers: { ...ndjson, authorization: 'Bearer feed', 'accept-encoding': encoding } },
        async (answer) => {
          resolve([answer.headers['content-encoding'], Buffer.concat(await answer.toArray())])
        },
      ).on('error', reject)
    })
    expect(header).toBe(encoding)
    expect(bytes.length).toBeLessThan(plain.length / 3)
    expect(decode(bytes)).toEqual(plain)
  })
})

describe('a credential bound to repositories', () => {
  it('reads the feed of its own, and has to say which', async () => {
    const served = await start(3)
    served.reader.add(2, { repository: 'github.com/acme/other' })
    const ask = (repository: string, query: string) =>
      served.fetch(`/v1/feed/unit?cursor=earliest${query}`, { token: `feed@${repository}` })
    const own = await ask('github.com/acme/*', '&repository=github.com/acme/other')
    expect(seqs((await own.json()) as FeedPage)).toEqual([3, 4])
    expect((await ask('github.com/acme/other', '')).status).toBe(403)
    expect((await ask('github.com/acme/other', '&repository=github.com/acme/payments')).status).toBe(403)
  })
})
