import type { OidcVerifier } from './oidc.ts'
import type { Principal } from './principal.ts'
import type { Producers } from './producers.ts'
import type { Tokens } from './tokens.ts'

/** Which kind of credential an Authorization header holds is told by its form; each kind has one way in. */
export interface Credentials {
  tokens: Pick<Tokens, 'authenticate'>
  producers: Pick<Producers, 'authenticate'>
  oidc: OidcVerifier
}

/** Undefined for whatever is no credential that is known here; throws the Problem that says more. */
export function createAuthenticator({ tokens, producers, oidc }: Credentials) {
  return async (authorization: string | undefined): Promise<Principal | undefined> => {
    const [, scheme = '', credential = ''] = /^(bearer|statement) +(\S+) *$/i.exec(authorization ?? '') ?? []
    if (scheme.toLowerCase() === 'statement') return producers.authenticate(credential)
    // A JWS has three parts; one of ours has no dot.
    return credential.split('.').length === 3 ? oidc.verify(credential) : tokens.authenticate(authorization)
  }
}
