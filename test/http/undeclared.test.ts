import { afterAll, beforeAll, expect, it } from 'vitest'
import { byOf } from '../../src/admission/identity.ts'
import { by } from '../../src/api/decisions.ts'
import type { Principal } from '../../src/access/principal.ts'
import { type Served, serve } from './serve.ts'

/** What schemathesis found, without it. */

let served: Served
beforeAll(async () => void (served = await serve()))
afterAll(() => served.close())

it.each([
  ['QUERY', {}],
  ['QUERY', { 'content-type': 'application/json' }],
  ['PUT', { 'content-type': 'no type at all' }],
  ['DELETE', {}],
])('405 with what is allowed for %s %o of a route that does not take it', async (method, headers) => {
  const answer = await served.fetch('/v1/status', { method, headers })
  expect(answer.status).toBe(405)
  expect(answer.headers.get('allow')).toBe('GET, HEAD')
  expect((await served.fetch('/nothing', { method, headers })).status).toBe(404)
})

it('decisions say what is weak about who took them, as openapi.yaml does', () => {
  const who: Principal = {
    org: 'main',
    id: 'token:1',
    method: 'token',
    scopes: new Set(['operate']),
    identity: { subject: 'token:1', weak: ['any_repository'], verified: {} },
  }
  expect(byOf(who)).toMatchObject({ weak: ['any_repository'] })
  expect(by.strict().parse(byOf(who))).toEqual(byOf(who))
})
