import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createProducers } from '../../src/access/producers.ts'
import { type RunStatement, signRunStatement } from '../../src/log/run-statement.ts'
import { parsePrivateKey, printPrivateKey, createSigningKey, type SigningKey } from '../../src/log/vkey.ts'
import { Problem } from '../../src/record/problem.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'

let test: TestDatabase
let clock = Date.parse('2026-11-23T05:00:00Z')
const now = (): Date => new Date(clock)
beforeAll(async () => {
  test = await createTestDatabase()
})
afterAll(() => test.drop())

const wish = { org: 'main', label: 'jenkins', repositories: ['github.com/acme/*'] }
const sha256 = createHash('sha256').update('body').digest('hex')
const iso = (plusMs: number): string => new Date(clock + plusMs).toISOString()

async function make() {
  const producers = createProducers(test.db, { now })
  const { privateKey, producer } = await producers.create(wish)
  const key = await parsePrivateKey(privateKey ?? '')
  const statement: RunStatement = {
    schema: 'proofline.run-statement.v1',
    producer: producer.id,
    run: 'jenkins.payments-7.api.unit',
    repository: 'github.com/acme/payments',
    commit: 'a'.repeat(40),
    request: 'PUT /v1/runs/jenkins.payments-7.api.unit/parts?name=lcov.info',
    sha256,
    issued_at: iso(0),
    expires_at: iso(600_000),
  }
  const refusal = async (change: object, by: SigningKey = key): Promise<string> => {
    const offered = await signRunStatement({ ...statement, ...change }, by)
    const refused = await producers.authenticate('main', offered).then(() => undefined, (error: unknown) => error) // oxfmt-ignore
    if (!(refused instanceof Problem)) throw new Error('it was taken')
    return `${refused.code}: ${refused.message}`
  }
  return { producers, producer, key, statement, refusal }
}

describe('a run statement', () => {
  it('speaks of one request with one body, for one run at one commit', async () => {
    const { producers, producer, key, statement } = await make()
    const header = await signRunStatement(statement, key)
    expect(await producers.authenticate('main', header)).toEqual({
      org: 'main',
      id: `producer:${producer.id}`,
      method: 'statement',
      scopes: new Set(['push']),
      repositories: [statement.repository],
      identity: {
        subject: `producer:${producer.id}`,
        weak: [],
        verified: {
          run: statement.run,
          commit: statement.commit,
          key: createHash('sha256').update(producer.publicKey).digest('hex'),
        },
      },
      bound: { runs: [statement.run], commit: statement.commit, request: { target: statement.request, sha256 } },
    })
  })

  it('is refused where it is not signed by the producer that it names, is old, too long valid, or for another repository', async () => {
    const { refusal, key, producers, producer, statement } = await make()
    const other = await make()
    expect(await refusal({ producer: other.producer.id })).toContain('does not say what a run statement says')
    expect(await refusal({}, other.key)).toContain('does not say what a run statement says')
    // A key that somebody made for the producer's id.
    const forged = await createSigningKey(key.name, 1, new Uint8Array(32).fill(9))
    expect(await refusal({}, forged)).toContain('signature is not right')
    expect(await refusal({}, await createSigningKey('producer/0000000000000000', 1, new Uint8Array(32).fill(9)))).toContain('nobody here knows its key')
    expect(await refusal({}, await createSigningKey('localhost/main/statement', 1, new Uint8Array(32).fill(9)))).toContain('nobody here knows its key')
    expect(await refusal({ issued_at: iso(-700_000), expires_at: iso(-31_000) })).toContain('has expired')
    expect(await refusal({ issued_at: iso(31_000) })).toContain('from the future')
    expect(await refusal({ expires_at: iso(3_600_001) })).toContain('more than an hour')
    expect(await refusal({ repository: 'github.com/evil/payments' })).toContain('forbidden: ')
    expect(await refusal({ commit: 'HEAD' })).toContain('does not say what')
    expect(await refusal({ more: 1 })).toContain('does not say what')
    const header = await signRunStatement(statement, key)
    const changed = `${header.slice(0, 40)}${header[40] === 'A' ? 'B' : 'A'}${header.slice(41)}`
    for (const bad of ['', 'x', `${header}A`, `${header}=`, changed, header.slice(0, -4)])
      await expect(producers.authenticate('main', bad)).rejects.toMatchObject({ code: 'unauthenticated' })
    expect(producer.repositories).toEqual(wish.repositories)
  }) // oxfmt-ignore

  it('is refused when its key is revoked, and when its time is over', async () => {
    const { producers, producer, refusal } = await make()
    expect(await producers.revoke('other', producer.id)).toBe(false)
    expect(await producers.revoke('main', producer.id)).toBe(true)
    expect(await producers.revoke('main', producer.id)).toBe(false)
    expect(await refusal({})).toContain('revoked')
    const { refusal: later } = await make()
    clock += 366 * 86_400_000
    expect(await later({ issued_at: iso(0), expires_at: iso(1_000) })).toContain('its key has expired')
  })

  it('of another org is as unknown as one that nobody made, whatever else is wrong with it', async () => {
    const { producers, statement, key } = await make()
    const unknown = await createSigningKey('producer/0000000000000000', 1, new Uint8Array(32).fill(9))
    const forged = await createSigningKey(key.name, 1, new Uint8Array(32).fill(9))
    const said: unknown[] = []
    for (const by of [unknown, key, forged]) {
      const header = await signRunStatement(statement, by)
      said.push(
        await producers.authenticate('rival', header).catch((error: Problem) => `${error.code} ${error.message}`),
      )
    }
    expect(new Set(said)).toEqual(new Set(['unauthenticated the statement is not taken: nobody here knows its key, or it was revoked'])) // oxfmt-ignore
  })

  it('leaves no private key in the database, and takes a public one that was made elsewhere', async () => {
    const producers = createProducers(test.db, { now })
    const seed = new Uint8Array(32).fill(5)
    const { publicKey } = await createSigningKey('x', 1, seed)
    const given = await producers.create({ ...wish, publicKey })
    expect(given.privateKey).toBeUndefined()
    const own = await createSigningKey(`producer/${given.producer.id}`, 1, seed)
    expect(printPrivateKey(own, seed)).toContain('PRIVATE+KEY+producer/')
    const { privateKey } = await producers.create(wish)
    const { rows } = await test.owner.query({ text: 'select p::text as row from proofline.producers p' })
    const secret = Buffer.from((privateKey ?? '').split('+').slice(4).join('+'), 'base64').subarray(1)
    expect(secret).toHaveLength(32)
    expect(JSON.stringify(rows)).not.toContain(secret.toString('hex'))
    await expect(producers.create({ ...wish, repositories: [] })).rejects.toThrow('bound to repositories')
    await expect(producers.create({ ...wish, publicKey: new Uint8Array(32) })).rejects.toThrow('small order')
  })
})
