import type { Claims } from './claims.ts'
import type { Role } from './login-settings.ts'

/**
 * What somebody may do, by the claims of the id token. Pure. The first role that is theirs, not all of them together: scopes of one and
 * repositories of another would give what neither gives.
 */
export function roleOf(roles: readonly Role[], claims: Claims): Role | undefined {
  return roles.find(({ claim, value }) => {
    const told = find(claims, claim)
    return told === value || (Array.isArray(told) && told.includes(value))
  })
}

/** A claim of that very name first: some are addresses, with dots in them. */
function find(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let at: unknown = claims
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined
    at = (at as Record<string, unknown>)[name] // an object, looked at above
  }
  return at
}
