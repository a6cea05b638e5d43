import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Scope, scopes } from '../../src/access/principal.ts'
import { createTokens } from '../../src/access/tokens.ts'
import type { Route } from '../../src/api/route.ts'
import { routes } from '../../src/api/routes.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { ask, temporaryFolder } from '../support/service.ts'
import { beginSecondGeneration, closeDays, setBack } from './access/closed.ts'
import { type Example, examples } from './access/examples.ts'
import { type Facts, type Org, otherRepository, shared, startOrg, tokensOf, wordsOf } from './access/orgs.ts'
import { type Seen, createRequester } from './access/request.ts'

/**
 * The access matrix: every route with every kind of credential, over two orgs on one database and the real service. What each is answered
 * is worked out from the route's declaration; no answer holds a word that only others may read.
 */

let database: TestDatabase
let folder: { path: string; remove(): Promise<void> }
let main: Org
let rival: Org
let http: ReturnType<typeof createRequester>
let tokens: Record<'main' | 'own' | 'other' | 'rival', Record<Scope | 'all', string>>
/** Credentials that are none here, by what is wrong with them. */
let refused: Record<string, string | readonly string[]>

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('access')
  // What both have was recorded some days ago, on days of their own: these are over, and in the archive.
  const clock = await setBack(database.owner, 3)
  for (const org of ['main', 'rival']) await beginSecondGeneration(database.owner, org)
  rival = await startOrg('rival', folder.path, database)
  await clock.set(2)
  main = await startOrg('main', folder.path, database)
  await clock.set(0)
  for (const { service, facts } of [main, rival]) facts.day = await closeDays(service)
  http = createRequester(main.service.url)
  tokens = {
    main: await tokensOf(database, 'main'),
    own: await tokensOf(database, 'main', [shared.repository]),
    other: await tokensOf(database, 'main', [otherRepository('main')]),
    rival: await tokensOf(database, 'rival'),
  }
  const long = createTokens(database.db, { now: () => new Date(Date.now() - 3 * 86_400_000) })
  const expired = await long.create({ org: 'main', label: 'expired', scopes, days: 2 })
  const revoked = await createTokens(database.db).create({ org: 'main', label: 'revoked', scopes })
  await createTokens(database.db).revoke('main', revoked.issued.id)
  const { all } = tokens.main
  refused = {
    ...Object.fromEntries(Object.entries(tokens.rival).map(([scope, token]) => [`other org, ${scope}`, `Bearer ${token}`])),
    'other org, first operator': `Bearer ${rival.service.token}`,
    expired: `Bearer ${expired.token}`,
    revoked: `Bearer ${revoked.token}`,
    'wrong secret': `Bearer ${all.slice(0, -2)}${all.at(-2) === 'x' ? 'y' : 'x'}${all.at(-1)}`,
    'another id': `Bearer pl_0123456789abcdef${all.slice(19)}`,
    truncated: `Bearer ${all.slice(0, -1)}`,
    'longer': `Bearer ${all}A`,
    'no scheme': all,
    'basic': `Basic ${Buffer.from(`x:${all}`).toString('base64')}`,
    'other scheme': `Token ${all}`,
    'two words': `Bearer ${all} ${all}`,
    'nothing behind the scheme': 'Bearer ',
    huge: `Bearer ${'a'.repeat(12_000)}`,
    'not ascii': `Bearer ${all}\u00e9`,
    'two headers': [`Bearer ${all}`, `Bearer ${all}`],
    'two headers, the second is wrong': [`Bearer ${all}`, 'Bearer x'],
    'a JWT of nobody': 'Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.',
    'a statement of nobody': 'Statement eyJ4IjoxfQ',
  }
}, 120_000) // oxfmt-ignore

afterAll(async () => {
  http.close()
  for (const { service, elastic } of [main, rival]) {
    service.signal('SIGTERM')
    expect(await service.ended, service.log()).toBe(0)
    await elastic.close()
  }
  await folder.remove()
  await database.drop()
})

const exampleOf = ({ name }: Route): Example => {
  const example = examples[name]
  if (example === undefined) throw new Error(`the access matrix has no example of ${name}: test/stories/access/examples.ts`) // oxfmt-ignore
  return example
}

/** As from another machine, through a proxy: what this one may besides is asked for apart. */
const far = { 'x-forwarded-for': '203.0.113.7' }

async function send(route: Route, facts: Facts, authorization?: string | readonly string[], headers: Record<string, string> = far) {
  const { path, body } = exampleOf(route)
  const type = route.body.kind === 'json' ? 'application/json' : 'application/octet-stream'
  const asked = { path: path(facts), body: body?.(facts) }
  const seen = await http.send({ method: route.method, ...asked, headers: { 'content-type': type, ...headers }, authorization })
  return { ...asked, seen }
} // oxfmt-ignore

/** None of these words is in the answer, but for what was in the question. */
function expectNone(words: readonly string[], { path, body, seen }: { path: string; body: string | undefined; seen: Seen }) {
  const asked = `${decodeURIComponent(path)} ${body ?? ''}`
  for (const word of words)
    if (!asked.includes(word)) expect(seen.text, `${path} tells ${word}`).not.toContain(word)
} // oxfmt-ignore

const takesRepository = ({ query, body }: Route): boolean =>
  'repository' in query.shape || (body.kind === 'json' && 'shape' in body.schema && 'repository' in (body.schema.shape as object)) // oxfmt-ignore

/** By the route's own declaration and the exceptions of its example: what a bound credential with a scope that is enough is answered. */
function boundStatus(route: Route, whose: 'own' | 'other'): readonly number[] {
  const { status, bound } = exampleOf(route)
  if (route.open === 'always') return status
  if (bound !== undefined) return bound[whose]
  return whose === 'own' && takesRepository(route) ? status : [403]
}

const words = { main: wordsOf('main'), rival: wordsOf('rival') }
const ofRival = Object.values(words.rival)

describe.each(routes.map((route) => [route.name, route] as const))('%s', (_name, route) => {
  it('is closed to whoever shows nothing, but for what is open', async () => {
    const { seen } = await send(route, main.facts)
    expect(seen.status).toBe(route.open === 'always' ? exampleOf(route).status[0] : 401)
    if (seen.status === 401) expect(seen.headers['www-authenticate']).toContain('Bearer')
    const near = await send(route, main.facts, undefined, {})
    expect(near.seen.status).toBe(['always', 'loopback'].includes(route.open) ? exampleOf(route).status[0] : 401)
  })

  it('is closed to what is no credential here: of another org, expired, revoked, malformed', async () => {
    const said = new Map<string, string>()
    const all = Object.entries(refused).map(async ([what, authorization]) => ({ what, answer: await send(route, main.facts, authorization) }))
    for (const { what, answer } of await Promise.all(all)) {
      expect(`${what}: ${answer.seen.status}`).toBe(`${what}: ${route.open === 'always' ? exampleOf(route).status[0] : 401}`)
      expectNone([...Object.values(words.main), ...ofRival], answer)
      said.set(what, answer.seen.text.slice(answer.seen.text.indexOf('\n')))
    }
    // A valid one of another org is answered as one that nobody ever made.
    for (const scope of [...scopes, 'all', 'first operator'])
      expect(said.get(`other org, ${scope}`)).toBe(said.get('another id'))
  }) // oxfmt-ignore

  it('takes the scopes that it names, and no others', async () => {
    for (const scope of scopes) {
      const allowed = route.open === 'always' || route.scope.includes(scope)
      const answer = await send(route, main.facts, `Bearer ${tokens.main[scope]}`)
      const expected = allowed ? exampleOf(route).status : [403]
      expect(expected, `${scope}: ${answer.seen.text.slice(0, 2_000)}`).toContain(answer.seen.status)
      expectNone(ofRival, answer)
    }
  })

  it.each(['own', 'other'] as const)('bound to a repository (%s), shows nothing about others', async (whose) => {
    const hidden = words.main[whose === 'own' ? 'other' : 'shared']
    const more = whose === 'other' ? [shared.repository] : []
    for (const scope of scopes) {
      const allowed = route.open === 'always' || route.scope.includes(scope)
      const answer = await send(route, main.facts, `Bearer ${tokens[whose][scope]}`)
      const expected = allowed ? boundStatus(route, whose) : [403]
      expect(expected, `${scope}: ${answer.seen.text.slice(0, 2_000)}`).toContain(answer.seen.status)
      expectNone([hidden, ...more, ...ofRival], answer)
    }
  })

  it('knows nothing of what another org has, also by its ids', async () => {
    const asked = await send(route, rival.facts, `Bearer ${tokens.main.all}`)
    expectNone(ofRival, asked)
    const { path, body } = exampleOf(route)
    const namesIt = path(rival.facts) !== path(main.facts) || body?.(rival.facts) !== body?.(main.facts)
    if (namesIt) expect([404, 409]).toContain(asked.seen.status)
  })
})

describe('what was planted', () => {
  const named = (...names: string[]): Route[] => routes.filter(({ name }) => names.includes(name))
  const lists = named('listGates', 'listDeployments', 'listDispositions', 'repositories')
  const ofOne = named('readFeed', 'getRecord', 'getContract', 'getReport', 'recordLineage', 'runLineage', 'makeEvidence', 'listContracts')
  const ofAll = named('getArtifact', 'listConsumers', 'listDeadLetters', 'listHolds')

  it('is shown to whoever may read it: else nothing was shown above', async () => {
    expect([lists.length, ofOne.length, ofAll.length]).toEqual([4, 8, 4])
    const tell = async (route: Route, token: string): Promise<string> =>
      (await send(route, main.facts, `Bearer ${token}`)).seen.text
    const { shared: own, other } = words.main
    for (const route of [...lists, ...ofOne]) expect(await tell(route, tokens.own.all), route.name).toMatch(new RegExp(`${own}|"repository":"${shared.repository}"`))
    for (const route of lists) {
      expect(await tell(route, tokens.other.all), route.name).toContain(other)
      const whole = await tell(route, tokens.main.all)
      for (const word of [shared.repository, other]) expect(whole, route.name).toContain(word)
    }
    for (const route of ofAll) expect(await tell(route, tokens.main.all), route.name).toContain(own)
  })

  it('of another repository is not to be had by a refusal that names it', async () => {
    const word = words.main.other
    const run = `local.${word}-1.${word}.unit` // declared for the other repository
    const headers = { 'content-type': 'application/json' }
    const own = `Bearer ${tokens.own.all}`
    const declare = { repository: shared.repository, test_type: 'unit', suite: 'api', commit: shared.commit }
    const declared = await http.send({ method: 'PUT', path: `/v1/runs/${run}`, body: JSON.stringify(declare), headers, authorization: own })
    expect([declared.status, declared.text]).toEqual([409, expect.not.stringContaining(otherRepository('main'))])
    const seen = await http.send({ method: 'GET', path: `/v1/feed/unit?cursor=earliest&kind=rejection&repository=${shared.repository}`, authorization: own })
    const { records } = JSON.parse(seen.text.slice(seen.text.indexOf('\n'))) as { records: { id: string; run: string }[] }
    const id = records.find((one) => one.run === run)?.id
    expect(id).toBeDefined()
    const lineage = await http.send({ method: 'GET', path: `/v1/lineage/record/${id}`, authorization: own })
    expect(lineage.status, lineage.text).toBe(200)
    expect(lineage.text.replaceAll(run, '')).not.toContain(word)
  })

  it('was overridden is told to nobody who may not see the gate', async () => {
    const headers = { 'content-type': 'application/json' }
    const override = (gate: string, token: string) =>
      http.send({ method: 'POST', path: `/v1/gates/${gate}/override`, body: JSON.stringify({ reason: 'urgent', ticket: 'T-1' }), headers, authorization: `Bearer ${token}` })
    const made = await override(main.facts.gate, tokens.main.operate)
    const { id } = JSON.parse(made.text.slice(made.text.indexOf('\n'))) as { id: string }
    expect((await override(id, tokens.own.operate)).status).toBe(400)
    const refused = await override(id, tokens.other.operate)
    expect(refused.status, refused.text).toBe(404)
    expect(refused.text).not.toContain(main.facts.gate)
  })

  it('is disposed of by its own org only, whatever the repository is called', async () => {
    const [route] = named('dispose')
    if (route === undefined) throw new Error('there is no such route')
    const dispose = async (id: string): Promise<number> => {
      const body = JSON.stringify({ repository: shared.repository, target: { kind: 'gate', id }, note: 'known' })
      const headers = { 'content-type': 'application/json' }
      return (await http.send({ method: 'POST', path: route.path, body, headers, authorization: `Bearer ${tokens.main.audit}` })).status
    }
    expect([await dispose(main.facts.gate), await dispose(rival.facts.gate)]).toEqual([201, 404])
  })

  it('in the other org is there still, and nothing of it was decided', async () => {
    const there = async (path: string) => (await ask(rival.service, path)).text
    expect(await there('/v1/dead-letters')).toContain(rival.facts.letter)
    expect(JSON.parse(await there('/v1/holds'))).toMatchObject({ holds: [{ hold: rival.facts.hold, state: 'active', reason: words.rival.shared }] })
    const gates = JSON.parse(await there(`/v1/gates?repository=${shared.repository}`)) as { gates: Record<string, unknown>[] }
    expect(gates.gates.map(({ id, override }) => [id, override ?? null])).toEqual([[rival.facts.gate, null]])
    expect(await there('/v1/drills')).not.toContain('matrix')
    expect(JSON.parse(await there('/v1/destinations'))).toMatchObject({ destinations: [{ state: 'running' }] })
  })
}) // oxfmt-ignore
