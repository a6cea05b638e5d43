import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StoredRecord } from '../../src/ledger/read.ts'
import { type Served, artifactDigest, serve } from './serve.ts'

let served: Served
let open: Served
let record: StoredRecord
beforeAll(async () => {
  served = await serve({ ready: () => Promise.reject(new Error('down')) })
  open = await serve({ logPublic: true })
  ;[record] = served.reader.add(3) as [StoredRecord]
  open.reader.add(3)
})
afterAll(async () => {
  await served.close()
  await open.close()
})

describe('a record', () => {
  it('is the bytes that were hashed, and never changes', async () => {
    const answer = await served.fetch(`/v1/records/${record.id}`, { token: 'audit' })
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(Buffer.from(record.bytes))
    expect(answer.headers.get('cache-control')).toContain('immutable')
    const again = await served.fetch(`/v1/records/${record.id}`, {
      token: 'audit',
      headers: { 'if-none-match': answer.headers.get('etag')! },
    })
    expect(again.status).toBe(304)
  })

  it('has its proof', async () => {
    const answer = await served.fetch(`/v1/records/${record.id}/proof`, { token: 'feed' })
    expect([answer.headers.get('content-type'), await answer.text()]).toEqual([
      'text/plain; charset=utf-8',
      'c2sp.org/tlog-proof@v1\nindex 0\n',
    ])
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  it('that does not exist, lies in another org or hashes otherwise is not found', async () => {
    const missing = [
      'main.unit-9-0000000000000000',
      record.id.replace('main.', 'other.'),
      record.id.replace(/.{4}$/, '0000'),
    ]
    for (const id of missing) {
      for (const path of [`/v1/records/${id}`, `/v1/records/${id}/proof`])
        expect((await served.fetch(path, { token: 'feed' })).status).toBe(404)
    }
    expect((await served.fetch('/v1/records/main.unit-01-0000000000000000', { token: 'feed' })).status).toBe(400)
  })

  it('of another repository looks like none to a bound credential', async () => {
    expect((await served.fetch(`/v1/records/${record.id}`, { token: 'feed@github.com/acme/*' })).status).toBe(200)
    expect((await served.fetch(`/v1/records/${record.id}`, { token: 'feed@github.com/other/one' })).status).toBe(404)
  })
})

describe('an artifact', () => {
  it('comes as a file with its digest', async () => {
    const answer = await served.fetch(`/v1/artifacts/${artifactDigest}`, { token: 'audit' })
    expect(await answer.text()).toBe('TN:\n')
    expect(answer.headers.get('repr-digest')).toBe(`sha-256=:${Buffer.from(artifactDigest, 'hex').toString('base64')}:`)
    expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="${artifactDigest}"`)
  })

  it('that cannot be read to its end is cut off, and the log says why', async () => {
    async function* breaking(): AsyncGenerator<Buffer> {
      yield Buffer.from('TN:\n')
      throw new Error('the disk is gone')
    }
    const broken = await serve({ openArtifact: async () => Readable.from(breaking()) })
    const answer = await broken.fetch(`/v1/artifacts/${artifactDigest}`, { token: 'audit' })
    await expect(answer.text()).rejects.toThrow()
    expect(broken.logged.filter(({ level }) => level === 'error')).toMatchObject([
      { event: 'answer.broken', fields: { route: 'getArtifact', error: { message: 'the disk is gone' } } },
    ])
    await broken.close()
  })

  it('that is not there is not found, and a path is no digest', async () => {
    expect((await served.fetch(`/v1/artifacts/${'00'.repeat(32)}`, { token: 'audit' })).status).toBe(404)
    expect((await served.fetch('/v1/artifacts/..%2f..%2fetc%2fpasswd', { token: 'audit' })).status).toBe(400)
  })
})

describe('the log', () => {
  it('serves its checkpoint never to be kept, and tiles to be kept for ever', async () => {
    const checkpoint = await open.fetch('/log/main/unit/checkpoint')
    expect([checkpoint.headers.get('content-type'), checkpoint.headers.get('cache-control')]).toEqual([
      'text/plain; charset=utf-8',
      'no-cache',
    ])
    const tile = await open.fetch('/log/main/unit/tile/0/000.p/3')
    expect([tile.headers.get('content-type'), tile.headers.get('cache-control')]).toEqual([
      'application/octet-stream',
      'public, max-age=31536000, immutable',
    ])
    expect((await tile.arrayBuffer()).byteLength).toBe(96)
    expect(
      (await served.fetch('/log/main/unit/tile/0/000.p/3', { token: 'feed' })).headers.get('cache-control'),
    ).toMatch(/^private/)
  })

  it('compresses entry bundles for who can read that', async () => {
    const { get } = await import('node:http')
    const bytes = await new Promise<Buffer>((resolve) => {
      get(
        `${open.url}/log/main/unit/tile/entries/000.p/2`,
        { headers: { 'accept-encoding': 'gzip' } },
        async (answer) => resolve(Buffer.concat(await answer.toArray())),
      )
    })
    expect(gunzipSync(bytes)).toEqual(Buffer.alloc(2_000, 2))
  })

  it.each([
    'tile/0/001',
    'tile/1/000',
    'tile/0/000.p/4',
    'tile/0/000',
    'tile/entries/x001/000',
    'tile/0/000.p/256',
    'tile/0/x000/001',
  ])('has no %s', async (path) => {
    expect((await open.fetch(`/log/main/unit/${path}`)).status).toBe(404)
  })

  it.each([
    'tile/64/000',
    'tile/00/000',
    'tile/0/0',
    'tile/0/0000',
    'tile/0/000.p/0',
    'tile/0/000.p/',
    'tile/0/../checkpoint%00',
    'tile/x/000',
  ])('does not take %s for a tile', async (path) => {
    expect([400, 404]).toContain((await open.fetch(`/log/main/unit/${path}`)).status)
  })

  it('of another org or ledger is not found', async () => {
    for (const path of ['/log/other/unit/checkpoint', '/log/main/changes/checkpoint']) {
      expect((await open.fetch(path)).status).toBe(404)
      expect((await served.fetch(path, { token: 'feed' })).status).toBe(404)
    }
    expect((await open.fetch('/log/main/unit2/checkpoint')).status).toBe(400)
  })
})

describe('for machines', () => {
  it('health is one word, and readiness tells of what is down', async () => {
    expect(await (await served.fetch('/healthz')).text()).toBe('ok')
    const down = await served.fetch('/readyz')
    expect([down.status, await down.text()]).toEqual([503, 'unready'])
    const ready = await open.fetch('/readyz')
    expect([ready.status, await ready.text()]).toEqual([200, 'ready'])
  })

  it('metrics are Prometheus text', async () => {
    const answer = await served.fetch('/metrics')
    expect([answer.headers.get('content-type'), await answer.text()]).toEqual([
      'text/plain; version=0.0.4; charset=utf-8',
      'up 1\n',
    ])
  })

  it('lists are paged', async () => {
    expect(await (await served.fetch('/v1/dead-letters?limit=7', { token: 'operate' })).json()).toEqual({
      dead_letters: [],
      next: '7',
    })
    expect(await (await served.fetch('/v1/destinations', { token: 'audit' })).json()).toEqual({ destinations: [] })
    expect((await served.fetch('/v1/dead-letters?limit=1001', { token: 'operate' })).status).toBe(400)
  })
})
