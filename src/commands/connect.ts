import { readEnvironment } from '../producer/ci.ts'
import type { Environment } from '../producer/ci-facts.ts'
import { createClient, type Client } from '../producer/client.ts'
import { findService, type Service } from '../producer/find-service.ts'
import { findIdentityToken, type IdentityToken } from '../producer/identity-token.ts'
import { clientCertificate } from './client-certificate.ts'
import type { Signing } from './sign-requests.ts'
import { version } from './version.ts'

const userAgent = (): string => `proofline/${version()}`

export interface Connecting {
  signing?: Signing
  /** Hears how the service is told who this is, where that is not a token that was given. */
  say?: (line: string) => void
}

/**
 * A client for the service that environment or machine name, or for `url`. It shows the token that is given or found; without one, what the CI
 * system vouches with. Whoever connects closes.
 */
export async function connect(url?: string, { signing, say }: Connecting = {}): Promise<Client> {
  const { env } = readEnvironment()
  const service = await findService(url === undefined ? env : { ...env, PROOFLINE_URL: url }, process.cwd())
  const base = { url: service.url, env, userAgent: userAgent(), ...clientCertificate(env) }
  if (signing !== undefined) {
    say?.(`identity: a statement signed with ${signing.keyFile}`)
    return createClient({
      ...base,
      token: undefined,
      authorize: await (await import('./sign-requests.ts')).signRequests(signing),
    })
  }
  const found = identityOf(service, env)
  if (found === undefined) return createClient({ ...base, token: service.token })
  say?.(`identity: ${found.source}`)
  return createClient({ ...base, token: undefined, authorize: async () => `Bearer ${await found.get()}` })
}

/** What the CI system vouches with, where no token is given; a service on this machine is shown the token that it left here. */
export function identityOf({ token, url }: Service, env: Environment): IdentityToken | undefined {
  if (token !== undefined) return undefined
  const audience = env['PROOFLINE_AUDIENCE']
  return findIdentityToken({
    env,
    audience: audience === undefined || audience === '' ? url : audience,
    userAgent: userAgent(),
  })
}
