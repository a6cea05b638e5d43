import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Problem } from '../record/problem.ts'
import type { Environment } from './ci-facts.ts'
import { createClient } from './client.ts'

/**
 * The token by which a CI system vouches for this job, made out to the service. Nothing of it is kept in CI: GitHub, Buildkite and CircleCI are
 * asked when it is needed, and again when it ends; GitLab puts it into a variable.
 */
export interface IdentityToken {
  /** For people: where it comes from. */
  source: string
  /** One that does not end within the next minute. Throws `unavailable` when the CI system gives none. */
  get(): Promise<string>
}

export interface AskedFor {
  env: Environment
  /** What it is made out to: the address of the service, or PROOFLINE_AUDIENCE. */
  audience: string
  userAgent: string
  now?: () => Date
}

/** Undefined where the CI system, if there is one, vouches for nobody: also in pull requests from forks. */
export function findIdentityToken({
  env,
  audience,
  userAgent,
  now = () => new Date(),
}: AskedFor): IdentityToken | undefined {
  const given = set(env['PROOFLINE_ID_TOKEN'])
  if (given !== undefined)
    return {
      source: env['GITLAB_CI'] === 'true' ? 'an OIDC token of GitLab' : 'the OIDC token in PROOFLINE_ID_TOKEN',
      get: async () => given,
    }
  const [url, secret] = [set(env['ACTIONS_ID_TOKEN_REQUEST_URL']), set(env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'])]
  if (env['GITHUB_ACTIONS'] === 'true' && url !== undefined && secret !== undefined)
    return renewing('an OIDC token of GitHub Actions', now, () => askGithub(url, secret, { env, audience, userAgent }))
  if (env['BUILDKITE'] === 'true' && set(env['BUILDKITE_AGENT_ACCESS_TOKEN']) !== undefined)
    // The run is named by the build, and the rule by pipeline and organization: optional claims all three.
    return renewing('an OIDC token of Buildkite', now, () =>
      ask(
        'buildkite-agent',
        ['oidc', 'request-token', '--audience', audience, '--claim', 'organization_id,pipeline_id,build_id'],
        env,
      ),
    )
  const circle = set(env['CIRCLE_OIDC_TOKEN_V2'])
  if (env['CIRCLECI'] === 'true' && circle !== undefined) {
    const asking = (): Promise<string> =>
      ask('circleci', ['run', 'oidc', 'get', '--claims', JSON.stringify({ aud: audience })], env)
    // The one in the variable is made out to the organization, where the service takes that.
    return renewing('an OIDC token of CircleCI', now, () =>
      audience === audienceOf(circle) ? Promise.resolve(circle) : asking(),
    )
  }
  return undefined
}

const set = (value: string | undefined): string | undefined => (value === '' ? undefined : value)

async function askGithub(
  url: string,
  token: string,
  { env, audience, userAgent }: Omit<AskedFor, 'now'>,
): Promise<string> {
  const { origin, pathname, searchParams } = new URL(url)
  searchParams.set('audience', audience)
  const client = createClient({ url: origin, token, env, userAgent })
  try {
    const { bytes } = await client.send({
      method: 'GET',
      path: `${pathname}?${searchParams.toString()}`,
      headers: { accept: 'application/json' },
      idleMs: 15_000,
    })
    const answer: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof answer === 'object' && answer !== null && 'value' in answer && typeof answer.value === 'string')
      return answer.value
    throw new Error('its answer holds no token')
  } catch (cause) {
    throw noToken('GitHub Actions', cause)
  } finally {
    client.close()
  }
}

const run = promisify(execFile)

async function ask(program: string, args: readonly string[], env: Environment): Promise<string> {
  try {
    const { stdout } = await run(program, args, { env: { ...env }, timeout: 30_000, maxBuffer: 1_048_576 })
    return stdout.trim()
  } catch (cause) {
    const said =
      typeof cause === 'object' && cause !== null && 'stderr' in cause ? String(cause.stderr).trim().slice(0, 400) : ''
    throw noToken(program, said === '' ? cause : new Error(said))
  }
}

function noToken(who: string, cause: unknown): Problem {
  return new Problem(
    'unavailable',
    `${who} gives no OIDC token: ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause },
  )
}

const marginMs = 60_000

/** Buildkite's and GitHub's live for five minutes: a long upload needs another one. */
function renewing(source: string, now: () => Date, fetch: () => Promise<string>): IdentityToken {
  let current: { token: Promise<string>; untilMs: number } | undefined
  return {
    source,
    async get() {
      if (current === undefined || now().getTime() > current.untilMs - marginMs) {
        const token = fetch()
        current = { token, untilMs: Infinity }
        const mine = current
        token.then((text) => (mine.untilMs = endOf(text)), () => (current = undefined)) // oxfmt-ignore
      }
      return current.token
    },
  }
}

/** Read, not verified: that is for the service. */
function endOf(token: string): number {
  const exp = memberOf(token, 'exp')
  return typeof exp === 'number' ? exp * 1000 : Infinity
}

const audienceOf = (token: string): unknown => memberOf(token, 'aud')

function memberOf(token: string, name: string): unknown {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
    return typeof claims === 'object' && claims !== null ? new Map(Object.entries(claims)).get(name) : undefined
  } catch {
    return undefined
  }
}
