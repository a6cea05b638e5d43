import type { OidcVerifier } from './oidc.ts'
import type { Principal } from './principal.ts'
import type { Producers } from './producers.ts'
import type { Tokens } from './tokens.ts'

/** Which kind of credential an Authorization header holds is told by its form; each kind has one way in. */
export interface Credentials {
  /** Whom this service serves. */
  org: string
  tokens: Pick<Tokens, 'authenticate'>
  producers: Pick<Producers, 'authenticate'>
  oidc: OidcVerifier
}

/**
 * Undefined for whatever is no credential that is known here; throws the Problem that says more. Several orgs may share a database: what is a
 * valid credential of another one is, in this one place for every kind, as unknown as one that nobody made.
 */
export function createAuthenticator({ org, tokens, producers, oidc }: Credentials) {
  const find = async (authorization: string | undefined): Promise<Principal | undefined> => {
    const [, scheme = '', credential = ''] = /^(bearer|statement) +(\S+) *$/i.exec(authorization ?? '') ?? []
    if (scheme.toLowerCase() === 'statement') return producers.authenticate(org, credential)
    // A JWS has three parts; one of ours has no dot.
    return credential.split('.').length === 3 ? oidc.verify(credential) : tokens.authenticate(authorization)
  }
  return async (authorization: string | undefined): Promise<Principal | undefined> => {
    const who = await find(authorization)
    return who?.org === org ? who : undefined
  }
}
