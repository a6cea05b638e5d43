import { readEnvironment } from '../producer/ci.ts'
import { createClient, type Client } from '../producer/client.ts'
import { findService } from '../producer/find-service.ts'
import { version } from './version.ts'

/** A client for the service that environment or machine name, or for `url`. Whoever connects closes. */
export async function connect(url?: string): Promise<Client> {
  const { env } = readEnvironment()
  const service = await findService(url === undefined ? env : { ...env, PROOFLINE_URL: url }, process.cwd())
  return createClient({ url: service.url, token: service.token, env, userAgent: `proofline/${version()}` })
}
