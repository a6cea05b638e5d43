import { describe, expect, it } from 'vitest'
import { printTime } from '../../src/record/record.ts'
import { startMicros } from '../answers/fake-reader.ts'
import { type Served, servers } from './serve.ts'

const startWith = servers()
const start = async (count: number): Promise<Served> => {
  const served = await startWith()
  served.reader.add(count)
  return served
}

const ask = (served: Served, method: 'HEAD' | 'GET', query: string, headers: Record<string, string> = {}) =>
  served.fetch(`/v1/feed/unit?${query}`, { method, token: 'feed', headers })
const told = ({ headers }: Response): Record<string, string | null> =>
  Object.fromEntries(
    ['has-more', 'waiting', 'published', 'earliest', 'last-recorded-at'].map((name) => [
      name,
      headers.get(`proofline-${name}`),
    ]),
  )

describe('HEAD /v1/feed/{ledger}', () => {
  it('tells how much waits behind a place, and reads no record for it', async () => {
    const served = await start(2_000)
    const answer = await ask(served, 'HEAD', 'after=499&limit=10000')
    expect([answer.status, await answer.text(), answer.headers.get('content-length')]).toEqual([200, '', null])
    expect(told(answer)).toEqual({
      'has-more': null, // by their bytes ten thousand may be more than a page takes
      waiting: '1500',
      published: '2000',
      earliest: '0',
      'last-recorded-at': printTime(startMicros + 1_999),
    })
    const end = await ask(served, 'HEAD', 'cursor=latest&wait=30')
    expect(told(end)).toMatchObject({ 'has-more': 'false', waiting: '0' })
    expect([served.reader.reads, served.reader.waits]).toEqual([0, 0])
  })

  it.each(['after=-1&limit=4', 'after=5&limit=4', 'after=6&limit=4', 'after=9&limit=4', 'cursor=earliest&limit=10'])(
    'where nothing need be read for it, has the tag and the link of the page: %s',
    async (query) => {
      const served = await start(10)
      const [head, get] = [await ask(served, 'HEAD', query), await ask(served, 'GET', query)]
      for (const name of ['etag', 'link', 'proofline-next-cursor', 'proofline-has-more', 'content-type', 'vary'])
        expect([name, head.headers.get(name)]).toEqual([name, get.headers.get(name)])
    },
  )

  it.each(['kind=run', 'repository=github.com/acme/payments', `until=2030-01-01T00:00:00Z`])(
    'says nothing of where a page ends that only reading tells: %s',
    async (filter) => {
      const served = await start(10)
      const { headers } = await ask(served, 'HEAD', `after=-1&limit=4&${filter}`)
      expect([headers.get('etag'), headers.get('link'), headers.get('proofline-waiting')]).toEqual([null, null, '10'])
    },
  )

  it('is not kept as the page: what a cache has is asked for again', async () => {
    const served = await start(10)
    const { headers } = await ask(served, 'HEAD', 'after=-1&limit=4')
    expect(headers.get('cache-control')).toBe('private, no-cache')
  })

  it('answers the problems that GET answers', async () => {
    const served = await start(10)
    expect((await ask(served, 'HEAD', '')).status).toBe(400)
    expect((await ask(served, 'HEAD', 'after=10')).status).toBe(400)
  })
})

describe('HEAD of a file of a closed day', () => {
  it('has its tag, by which who has the file need not fetch it', async () => {
    const served = await start(0)
    const path = '/v1/feed/unit/days/2028-02-29/records.ndjson.zst'
    const head = await served.fetch(path, { method: 'HEAD', token: 'feed' })
    const tag = head.headers.get('etag') ?? ''
    expect([head.status, tag]).toEqual([200, '"a"'])
    const again = await served.fetch(path, { token: 'feed', headers: { 'if-none-match': tag } })
    expect([again.status, await again.text()]).toEqual([304, ''])
  })
})
