import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { keySetOf } from '../../src/access/fetch-keys.ts'
import { type IssuerKeys, createIssuerKeys } from '../../src/access/issuer-keys.ts'
import { openIssuerDoor } from '../../src/service/issuer-door.ts'
import { type FakeIssuer, type Misbehaviour, startIssuer } from '../support/issuer.ts'

const minute = 60_000
let issuer: FakeIssuer
let getter: Awaited<ReturnType<typeof openIssuerDoor>>
let keys: IssuerKeys
let clock = 0
const header = (kid: string) => ({ kid, alg: 'RS256' })

beforeEach(async () => {
  issuer = await startIssuer()
  getter = await openIssuerDoor(issuer.url, undefined, { timeout_ms: 300, allow_metadata_addresses: false })
  clock = 0
  keys = createIssuerKeys({
    fetch: keySetOf({ issuer: issuer.url }, getter.get),
    cooldownMs: minute,
    refreshMs: 10 * minute,
    keepMs: 60 * minute,
    nowMs: () => clock,
  })
})
afterEach(async () => {
  await getter.close()
  await issuer.close()
})

it('a file of authorities that could not be read for a moment keeps no address of the issuer away for ever', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'proofline-door-'))
  const file = join(folder, 'ca.pem')
  await writeFile(file, '')
  const door = await openIssuerDoor(issuer.url, file, { timeout_ms: 1_000, allow_metadata_addresses: false })
  const other = `${issuer.url.replace('127.0.0.1', 'localhost')}/.well-known/openid-configuration`
  await rm(file)
  await expect(door.get(other)).rejects.toThrow('ca_file')
  await writeFile(file, '')
  expect(await door.get(other)).toMatchObject({ issuer: issuer.url })
  await rm(file)
  await expect(door.get(other.replace('localhost', '127.0.0.2'))).rejects.toThrow('ca_file')
  await door.close()
  await rm(folder, { recursive: true })
})

describe('the keys of an issuer', () => {
  it('are asked for once by many at once', async () => {
    const found = await Promise.all(Array.from({ length: 20 }, () => keys.find(header('key-1'))))
    expect(new Set(found.map(({ kind }) => kind))).toEqual(new Set(['found']))
    expect(issuer.asked()).toBe(1)
  })

  it('case 34: are not asked for again within the cooldown, however many made-up ids are named', async () => {
    for (let i = 0; i < 50; i++) expect((await keys.find(header(`made-up-${i}`))).kind).toBe('unknown')
    expect(issuer.asked()).toBe(1)
    clock = minute
    for (let i = 0; i < 50; i++) await keys.find(header(`made-up-${i}`))
    expect(issuer.asked()).toBe(2)
  })

  it('are not asked for again within the cooldown where the issuer is down either', async () => {
    issuer.behave('down')
    for (let i = 0; i < 20; i++) expect((await keys.find(header('key-1'))).kind).toBe('unavailable')
    expect(keys.trouble()).toMatchObject({ sinceMs: 0, detail: expect.stringContaining('status 503') })
    issuer.behave()
    expect((await keys.find(header('key-1'))).kind).toBe('unavailable')
    clock = minute
    expect((await keys.find(header('key-1'))).kind).toBe('found')
    expect(keys.trouble()).toBeUndefined()
  })

  it('follow a rotation, and the old key is believed no more', async () => {
    expect((await keys.find(header('key-1'))).kind).toBe('found')
    await issuer.rotate()
    clock = minute
    expect((await keys.find(header('key-2'))).kind).toBe('found')
    expect((await keys.find(header('key-1'))).kind).toBe('unknown')
  })

  it.each<[Misbehaviour, string]>([
    ['down', 'status 503'],
    ['garbage', 'does not hold JSON'],
    ['empty', 'no key that could verify'],
    ['redirect', 'status 302'],
    ['hang', ''],
    ['foreign', 'discovery document is of "https://other.example"'],
    ['symmetric', 'no key that could verify'],
  ])('are kept while it is %s, for a while', async (how, detail) => {
    expect((await keys.find(header('key-1'))).kind).toBe('found')
    issuer.behave(how)
    clock = 11 * minute
    await keys.refresh()
    expect(keys.trouble()?.detail).toContain(detail)
    expect((await keys.find(header('key-1'))).kind).toBe('found')
    expect((await keys.find(header('key-2'))).kind).toBe('unavailable')
    clock = 61 * minute
    expect((await keys.find(header('key-1'))).kind).toBe('unavailable')
  })

  it('are told of no longer than they are missing, also where an unknown key was the reason to ask', async () => {
    expect((await keys.find(header('key-1'))).kind).toBe('found')
    issuer.behave('down')
    clock = minute
    expect((await keys.find(header('made-up'))).kind).toBe('unavailable')
    expect(keys.trouble()).toBeDefined()
    issuer.behave()
    clock = 2 * minute
    await keys.refresh()
    expect(keys.trouble()).toBeUndefined()
  })

  it.each(['http://127.0.0.1:9200/keys', 'HTTP://localhost/keys', 'http://[::1]/keys'])(
    'are not asked for at %s because an issuer elsewhere says so',
    async (jwks_uri) => {
      const asked: string[] = []
      const get = async (url: string): Promise<unknown> => {
        asked.push(url)
        return { issuer: 'https://ci.example', jwks_uri, keys: [] }
      }
      await expect(keySetOf({ issuer: 'https://ci.example' }, get)()).rejects.toThrow('no https address as jwks_uri')
      expect(asked).toEqual(['https://ci.example/.well-known/openid-configuration'])
    },
  )

  it('do not make a push wait for an issuer that is slow, once they are known', async () => {
    expect((await keys.find(header('key-1'))).kind).toBe('found')
    issuer.behave('hang')
    clock = 11 * minute
    const first = await Promise.race([
      keys.find(header('key-1')).then(({ kind }) => kind),
      new Promise((resolve) => setTimeout(resolve, 250, 'waited')),
    ])
    expect(first).toBe('found')
  })
})

it('an issuer that is somewhere else each time keeps no more than a few connections', async () => {
  const servers = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const server = createServer((_, answer) => answer.end('{}'))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const connections = () =>
    Promise.all(servers.map((server) => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count))))) // oxfmt-ignore
  try {
    for (const server of servers) await getter.get(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`)
    await expect.poll(async () => (await connections()).filter((count) => count > 0).length).toBeLessThanOrEqual(4)
    expect((await connections()).at(-1)).toBe(1)
  } finally {
    for (const server of servers) server.close(() => {}).closeAllConnections()
  }
})
