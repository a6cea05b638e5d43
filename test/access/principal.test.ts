import { describe, expect, it } from 'vitest'
import { type Principal, type Scope, anonymous, may, scopes } from '../../src/access/principal.ts'
import { scopes as routeScopes } from '../../src/api/route.ts'

const who = (held: Scope[], repositories?: string[]): Principal => ({
  org: 'main',
  id: 'token:1',
  method: 'token',
  scopes: new Set(held),
  ...(repositories === undefined ? {} : { repositories }),
})

describe('may', () => {
  it('knows the scopes that routes ask for, and no others', () => {
    expect([...scopes]).toEqual([...routeScopes])
  })

  it('lets each scope do its own and nothing else', () => {
    for (const held of scopes) for (const asked of scopes) expect(may(who([held]), asked, {})).toBe(held === asked)
  })

  it('lets nobody into another org', () => {
    expect(may(who(['feed']), 'feed', { org: 'main' })).toBe(true)
    expect(may(who(['feed']), 'feed', { org: 'other' })).toBe(false)
  })

  it.each([
    ['github.com/acme/payments', 'github.com/acme/payments', true],
    ['github.com/acme/payments', 'github.com/acme/payments2', false],
    ['github.com/acme/payments', 'github.com/acme', false],
    ['github.com/acme/*', 'github.com/acme/payments', true],
    ['github.com/acme/*', 'github.com/acme/group/payments', true],
    ['github.com/acme/*', 'github.com/acme', false],
    ['github.com/acme/*', 'github.com/acme/', false],
    ['github.com/acme/*', 'github.com/acme-evil/payments', false],
  ])('bound to %s, push for %s: %s', (bound, repository, allowed) => {
    expect(may(who(['push'], [bound]), 'push', { org: 'main', repository })).toBe(allowed)
  })

  it('gives a bound credential nothing that is about all repositories', () => {
    expect(may(who(['feed'], ['github.com/acme/*']), 'feed', { org: 'main' })).toBe(false)
    expect(may(who(['feed'], []), 'feed', { repository: 'github.com/acme/a' })).toBe(false)
  })

  it('gives the anonymous nothing', () => {
    for (const scope of scopes) expect(may(anonymous, scope, {})).toBe(false)
  })
})
