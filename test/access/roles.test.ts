import { describe, expect, it } from 'vitest'
import type { Role } from '../../src/access/login-settings.ts'
import { roleOf } from '../../src/access/roles.ts'

const role = (claim: string, value: string): Role => ({ claim, value, scopes: ['audit'] })

describe('roleOf', () => {
  it('takes the first that fits, by a claim or one of its values', () => {
    const roles = [role('groups', 'a'), role('groups', 'b'), role('role', 'b')]
    expect(roleOf(roles, { groups: ['b', 'a'] })).toBe(roles[0])
    expect(roleOf(roles, { groups: ['x', 'b'] })).toBe(roles[1])
    expect(roleOf(roles, { groups: 'b' })).toBe(roles[1])
    expect(roleOf(roles, { groups: [], role: 'b' })).toBe(roles[2])
  })

  it('goes into members by dots, after a claim of that very name', () => {
    const roles = [role('https://acme.example/roles', 'a'), role('realm_access.roles', 'a')]
    expect(roleOf(roles, { 'https://acme.example/roles': ['a'] })).toBe(roles[0])
    expect(roleOf(roles, { realm_access: { roles: ['a'] } })).toBe(roles[1])
    expect(roleOf(roles, { 'realm_access.roles': ['b'], realm_access: { roles: ['a'] } })).toBeUndefined()
  })

  it.each([
    [{}], [{ groups: null }], [{ groups: 'ab' }], [{ groups: 'a,b' }], [{ groups: { a: true } }], [{ groups: [['a']] }], [{ groups: ['A'] }], [{ groups: [1] }], [{ group: 'a' }],
  ])('is nobody for %j', (claims) => {
    expect(roleOf([role('groups', 'a')], claims)).toBeUndefined()
  }) // oxfmt-ignore

  it('reads no member that an object has by itself', () => {
    for (const claim of ['constructor', '__proto__', 'groups.length', 'toString.name', 'groups.constructor.name'])
      expect(roleOf([role(claim, 'a'), role(claim, 'Object'), role(claim, 'toString'), role(claim, 'Array')], { groups: ['a'] })).toBeUndefined() // oxfmt-ignore
  })
})
