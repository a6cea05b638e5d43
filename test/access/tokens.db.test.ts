import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensureOperatorToken, ensureSecret } from '../../src/access/first-token.ts'
import { createTokens } from '../../src/access/tokens.ts'
import type { Queryable } from '../../src/database/database.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'

let test: TestDatabase
let folder: string
let clock = Date.parse('2026-11-23T05:00:00Z')
const now = (): Date => new Date(clock)

beforeAll(async () => {
  test = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'proofline-tokens-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
  await test.drop()
})

const bearer = (token: string): string => `Bearer ${token}`
const wish = { org: 'main', label: 'ci', scopes: ['push'] } as const

describe('tokens', () => {
  it('authenticate as what they were made for', async () => {
    const tokens = createTokens(test.db, { now })
    const { token, issued } = await tokens.create({
      ...wish,
      scopes: ['push', 'feed'],
      repositories: ['github.com/acme/*'],
    })
    expect(token).toMatch(/^pl_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/)
    expect(await tokens.authenticate(bearer(token))).toEqual({
      org: 'main',
      id: `token:${issued.id}`,
      method: 'token',
      scopes: new Set(['push', 'feed']),
      repositories: ['github.com/acme/*'],
      expiresAt: issued.expiresAt,
    })
    expect(await createTokens(test.db, { now }).authenticate(`bearer  ${token}`)).toMatchObject({ org: 'main' })
  })

  it('are nothing with another secret, another id, or in another form', async () => {
    const tokens = createTokens(test.db, { now })
    const { token } = await tokens.create(wish)
    const flipped = token.endsWith('A') ? `${token.slice(0, -2)}BA` : `${token.slice(0, -1)}A`
    const offered = [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      `Basic ${token}`,
      token,
      bearer(`${token}x`),
      bearer(token.toUpperCase()),
      bearer(flipped),
    ]
    for (const header of [...offered, bearer(token.replace(/^pl_.{16}/, 'pl_0000000000000000'))]) {
      expect(await tokens.authenticate(header), header).toBeUndefined()
    }
  })

  it('keep no secret in the database', async () => {
    const { token } = await createTokens(test.db, { now }).create({ ...wish, label: 'secretless' })
    const secret = token.slice(20)
    const { rows } = await test.owner.query({ text: 'select t::text as row from proofline.tokens t' })
    expect(JSON.stringify(rows)).not.toContain(secret)
  })

  it('end when their time is over', async () => {
    const tokens = createTokens(test.db, { now })
    const { token } = await tokens.create({ ...wish, days: 1 })
    clock += 86_400_000 - 1
    expect(await tokens.authenticate(bearer(token))).toBeDefined()
    clock += 1
    expect(await tokens.authenticate(bearer(token))).toBeUndefined()
  })

  it('end at once where they are revoked, and on other nodes when the cache is over', async () => {
    const here = createTokens(test.db, { now })
    const there = createTokens(test.db, { now, cacheMs: 5_000 })
    const { token, issued } = await here.create(wish)
    expect(await there.authenticate(bearer(token))).toBeDefined()
    expect(await here.revoke('other', issued.id)).toBe(false)
    expect(await here.revoke('main', issued.id)).toBe(true)
    expect(await here.revoke('main', issued.id)).toBe(false)
    expect(await here.authenticate(bearer(token))).toBeUndefined()
    clock += 5_000
    expect(await there.authenticate(bearer(token))).toBeUndefined()
    expect((await here.list('main')).find(({ id }) => id === issued.id)?.revokedAt).toBeTypeOf('number')
  })

  it('end on other nodes also where the clock was put back meanwhile', async () => {
    const there = createTokens(test.db, { now, cacheMs: 5_000 })
    const { token, issued } = await createTokens(test.db, { now }).create(wish)
    expect(await there.authenticate(bearer(token))).toBeDefined()
    await createTokens(test.db, { now }).revoke('main', issued.id)
    clock -= 3_600_000
    expect(await there.authenticate(bearer(token))).toBeUndefined()
    clock += 3_600_000
  })

  it('ask the database once for many requests, also for ids that do not exist', async () => {
    let queries = 0
    const counting: Queryable = {
      query: (statement) => {
        queries += 1
        return test.db.query(statement)
      },
    }
    const { token } = await createTokens(test.db, { now }).create(wish)
    const tokens = createTokens(counting, { now })
    await Promise.all(Array.from({ length: 100 }, () => tokens.authenticate(bearer(token))))
    const unknown = bearer(`pl_${'f'.repeat(16)}_${'A'.repeat(43)}`)
    for (let i = 0; i < 10; i++) await tokens.authenticate(unknown)
    expect(queries).toBe(2)
  })

  it('do not remember a query that failed', async () => {
    const { token } = await createTokens(test.db, { now }).create(wish)
    let down = true
    const flaky: Queryable = {
      query: (statement) => (down ? Promise.reject(new Error('down')) : test.db.query(statement)),
    }
    const tokens = createTokens(flaky, { now })
    await expect(tokens.authenticate(bearer(token))).rejects.toThrow('down')
    down = false
    expect(await tokens.authenticate(bearer(token))).toBeDefined()
  })

  it('cannot be made without a scope, with an unknown one, for ever, or bound to nothing', async () => {
    const tokens = createTokens(test.db, { now })
    await expect(tokens.create({ ...wish, scopes: [] })).rejects.toThrow('scopes')
    await expect(tokens.create({ ...wish, scopes: ['root' as 'push'] })).rejects.toThrow('scopes')
    await expect(tokens.create({ ...wish, days: 4_000 })).rejects.toThrow('days')
    await expect(tokens.create({ ...wish, days: 0 })).rejects.toThrow('days')
    await expect(tokens.create({ ...wish, repositories: [''] })).rejects.toThrow('repository')
    await expect(tokens.create({ ...wish, repositories: [] })).rejects.toThrow()
  })

  it('can be changed by nobody, the owner of the tables included', async () => {
    for (const db of [test.db, test.owner]) {
      for (const text of [
        'update proofline.tokens set expires_at = expires_at + 1',
        'delete from proofline.token_revocations',
        'truncate proofline.service_secrets',
      ]) {
        await expect(db.query({ text }), text).rejects.toThrow()
      }
    }
  })
})

describe('ensureOperatorToken', () => {
  it('writes a token with every scope for nobody else to read, once', async () => {
    const org = 'first'
    const file = join(folder, 'operator-token')
    expect(await ensureOperatorToken(test.db, file, org, now)).toBeDefined()
    const token = (await readFile(file, 'utf8')).trim()
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await createTokens(test.db, { now }).authenticate(bearer(token))).toMatchObject({
      org,
      scopes: new Set(['push', 'feed', 'audit', 'operate']),
    })
    expect(await ensureOperatorToken(test.db, file, org, now)).toBeUndefined()
    expect((await readFile(file, 'utf8')).trim()).toBe(token)
  })

  it('replaces a file that a crash left before the row was stored', async () => {
    const org = 'crashed'
    const file = join(folder, 'crashed-token')
    await writeFile(file, `pl_${'0'.repeat(16)}_${'A'.repeat(43)}\n`)
    await chmod(file, 0o644)
    expect(await ensureOperatorToken(test.db, file, org, now)).toBeDefined()
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const token = (await readFile(file, 'utf8')).trim()
    expect(await createTokens(test.db, { now }).authenticate(bearer(token))).toBeDefined()
  })

  it('makes a new one when the only one has expired or was revoked', async () => {
    const org = 'expired'
    const file = join(folder, 'expired-token')
    await ensureOperatorToken(test.db, file, org, now)
    const later = (): Date => new Date(clock + 366 * 86_400_000)
    expect(await ensureOperatorToken(test.db, file, org, later)).toBeDefined()
    for (const { id } of await createTokens(test.db).list(org)) await createTokens(test.db).revoke(org, id)
    expect(await ensureOperatorToken(test.db, file, org, later)).toBeDefined()
  })
})

describe('ensureSecret', () => {
  it('gives every node the same key under a name', async () => {
    const [a, b, other] = await Promise.all(['cursor', 'cursor', 'other'].map((name) => ensureSecret(test.db, name)))
    expect(a).toHaveLength(32)
    expect(b).toEqual(a)
    expect(other).not.toEqual(a)
  })
})
