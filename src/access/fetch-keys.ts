import { type IssuerSettings, isSafeUrl } from './identity-settings.ts'

/** One GET; the JSON of an answer of 200. Rejects with an Error that says who failed how. Follows no redirect. */
export type GetJson = (url: string) => Promise<unknown>

/**
 * The key set of an issuer: from the address that the settings name, else from the one in its discovery document (OpenID Connect Discovery
 * 1.0), which has to be of that very issuer: else one that somebody else runs could name keys of its own.
 */
export function keySetOf(
  { issuer, jwks_uri }: Pick<IssuerSettings, 'issuer' | 'jwks_uri'>,
  get: GetJson,
): () => Promise<unknown> {
  return async () => get(jwks_uri ?? addressIn(await discover(issuer, get), 'jwks_uri', issuer))
}

/** The discovery document of this issuer, and of no other. */
export async function discover(issuer: string, get: GetJson): Promise<Readonly<Record<string, unknown>>> {
  const document = await get(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  const members = typeof document === 'object' && document !== null ? { ...document } : {}
  const { issuer: named } = members as Record<string, unknown> // an object
  if (named !== issuer) throw new Error(`its discovery document is of ${JSON.stringify(named ?? null).slice(0, 200)}`)
  return members
}

/** An issuer elsewhere has nothing on this machine, only a reason to have somebody here asked. */
export function addressIn(document: Readonly<Record<string, unknown>>, name: string, issuer: string): string {
  const url = document[name]
  const isSafe = typeof url === 'string' && isSafeUrl(url.replace(/\?.*/, '')) && (isSecure(url) || !isSecure(issuer))
  if (!isSafe) throw new Error(`its discovery document names no https address as ${name}`)
  return url
}

const isSecure = (url: string): boolean => new URL(url).protocol === 'https:'
