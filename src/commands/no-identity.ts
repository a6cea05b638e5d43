import type { Ci, Environment } from '../producer/ci-facts.ts'
import { callOf, createClient } from '../producer/client.ts'
import { findService } from '../producer/find-service.ts'
import { Problem } from '../record/problem.ts'
import { identityOf } from './connect.ts'
import type { ExitCode, Terminal } from './terminal.ts'
import { version } from './version.ts'

/**
 * A pull request from a fork is run with no secret, by design: whoever opens one could read it. Then nothing can be recorded, and that is
 * no fault of the job: it is said, and the job goes on. The service hears of it as one request without a credential, which it counts.
 */
const words = { fork: 'a pull request from a fork', dependabot: 'a pull request of Dependabot' }

/** Exit 0 when this job has no credential and cannot have one; undefined when the push or seal goes ahead. */
export async function withoutIdentity(
  ci: Ci | undefined,
  run: string,
  env: Environment,
  terminal: Terminal,
): Promise<ExitCode | undefined> {
  if (ci?.withoutSecrets === undefined) return undefined
  const service = await findService(env, process.cwd())
  if (service.token !== undefined || identityOf(service, env) !== undefined) return undefined
  const counted = service.local ? false : await knock(service.url, run, env)
  const what = words[ci.withoutSecrets]
  terminal.print({ run, recorded: false, reason: ci.withoutSecrets, counted }, () => '')
  terminal.say(
    `note: this is ${what}: ${ci.provider} gives it no token, so ${run} is recorded nowhere (${counted ? 'the service has counted the attempt' : 'the service was not reached, so nobody has counted it'})`,
  )
  return 0
}

/** One declaration without a credential: it is refused before it is read. */
async function knock(url: string, run: string, env: Environment): Promise<boolean> {
  try {
    const client = createClient({ url, token: undefined, env, userAgent: `proofline/${version()}` })
    const headers = { 'content-type': 'application/json' }
    await client
      .send({ ...callOf('declareRun', run), headers, body: Buffer.from('{}'), signal: AbortSignal.timeout(5_000) })
      .finally(() => client.close())
    return false
  } catch (error) {
    return error instanceof Problem && (error.code === 'unauthenticated' || error.code === 'rate_limited')
  }
}
