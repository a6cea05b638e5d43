import { afterAll, beforeAll, expect, it } from 'vitest'
import { routes } from '../../src/api/routes.ts'
import { type Served, aContract, artifactDigest, serve } from './serve.ts'

/** What the access matrix (test/stories/access.story.test.ts) does not see: a published log, and what goes on record about who asked. */

let closed: Served
let published: Served
beforeAll(async () => {
  closed = await serve()
  published = await serve({ logPublic: true })
  for (const served of [closed, published]) served.reader.add(3)
})
afterAll(async () => {
  await closed.close()
  await published.close()
})

const ofLog = ['checkpoint', 'tile/entries/000.p/2', 'tile/0/000.p/2', '2/checkpoint', '2/tile/entries/000.p/2', '2/tile/0/000.p/2'] // oxfmt-ignore

it('a published log, and nothing else, is open to everybody who shows no credential at all', async () => {
  const far = { headers: { 'x-forwarded-for': '203.0.113.7' } }
  expect(routes.filter(({ open }) => open === 'published_log')).toHaveLength(ofLog.length)
  for (const path of ofLog.map((name) => `/log/main/unit/${name}`)) {
    expect((await closed.fetch(path, far)).status, path).toBe(401)
    expect((await published.fetch(path, far)).status, path).toBe(200)
    expect((await published.fetch(path, { ...far, token: 'expired' })).status, path).toBe(401)
  }
  for (const { method, path, open } of routes.filter((route) => route.open === 'never'))
    expect((await published.fetch(path.replace(/\{\w+\*?\}/g, 'x'), { method })).status, `${path} ${open}`).toBe(401)
})

it('sums up whatever shows records to somebody who audits, and not what a program pulls that may only read the feed', async () => {
  const paths = ['/v1/feed/unit?cursor=earliest&repository=github.com/acme/payments', '/v1/feed/unit/days/2028-02-29/records.ndjson.zst', '/log/main/unit/tile/entries/000.p/2', '/log/main/unit/2/tile/entries/000.p/2', `/v1/contracts/${aContract.contract}`] // oxfmt-ignore
  const readBy = async (token: string): Promise<unknown[]> => {
    closed.uses.length = 0
    for (const path of paths) {
      const answer = await closed.fetch(path, { token })
      expect([path, answer.status]).toEqual([path, 200])
      await answer.arrayBuffer()
      const tag = answer.headers.get('etag')
      // Who shows that they have it has read it as well.
      if (tag !== null) expect((await closed.fetch(path, { token, method: 'HEAD', headers: { 'if-none-match': tag } })).status).toBeLessThan(400) // oxfmt-ignore
    }
    return closed.uses.map(({ route, records, repository }) => [route, records, repository])
  }
  expect(await readBy('feed')).toEqual([])
  expect(new Set((await readBy('all')).map((use) => JSON.stringify(use)))).toEqual(
    new Set([
      JSON.stringify(['readFeed', 'summed', 'github.com/acme/payments']),
      ...['getDayFile', 'getEntries', 'getLaterEntries', 'getContract'].map((route) => JSON.stringify([route, 'summed', undefined])), // oxfmt-ignore
    ]),
  )
})

it('puts uses on record as the routes say, and refuses what cannot be recorded', async () => {
  closed.uses.length = 0
  const artifact = `/v1/artifacts/${artifactDigest}`
  const record = (await closed.reader.readBatch('main/unit', 0)).records[0]!
  await closed.fetch(artifact, { token: 'audit' })
  await closed.fetch(`/v1/records/${record.id}`, { token: 'audit' })
  await closed.fetch('/v1/feed/unit?cursor=earliest', { token: 'feed' })
  await closed.fetch(artifact, { token: 'push' })
  expect(closed.uses).toMatchObject([
    { route: 'getArtifact', records: 'before', params: { sha256: artifactDigest }, who: { id: 'token:audit' } },
    { route: 'getRecord', records: 'summed', repository: 'github.com/acme/payments' },
  ])
  let opened = false
  const unable = await serve({
    recordUse: () => Promise.reject(new Error('recording is down')),
    openArtifact: async () => {
      opened = true
      return undefined
    },
  })
  expect((await unable.fetch(artifact, { token: 'audit' })).status).toBe(500)
  expect(opened).toBe(false)
  await unable.close()
})
