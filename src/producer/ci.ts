import { readFileSync } from 'node:fs'
import { parseTraceparent } from '../record/traceparent.ts'
import type { Ci, Environment } from './ci-facts.ts'
import { isTrue, providers } from './providers.ts'
import { toRunPiece } from './run-identity.ts'

/** Who runs this: what the CI system says about the job. */

/**
 * What CI says, or undefined outside of it. Pure. `event` is GitHub's webhook event, parsed: the only place that names the author's
 * commit of a pull request.
 */
export function readCi(env: Environment, event?: unknown): Ci | undefined {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const found = providers.find(({ mark }) => (mark === 'JENKINS_URL' ? set[mark] !== undefined : isTrue(set[mark])))
  if (found === undefined) return undefined
  const facts = found.read(set, typeof event === 'object' && event !== null ? { ...event } : {})
  const pipeline = toRunPiece(facts.pipeline)
  if (pipeline === '') return undefined // the mark alone names no run
  return {
    ...facts,
    provider: found.provider,
    pipeline,
    commit: toCommit(facts.commit),
    headCommit: toCommit(facts.headCommit),
    build: `${found.provider}.${pipeline}`,
    traceparent: parseTraceparent(set['TRACEPARENT'] ?? ''),
  }
}

/** The name of the run for `printRunId`: `github.7351001` or `github.7351001~2`. A run of several jobs has no attempt of one of them. */
export function ciRunName(ci: Ci, shared: boolean): string {
  return withAttempt(ci, ci.attempt ?? (shared ? undefined : ci.job.run))
}

const withAttempt = ({ provider, pipeline }: Ci, attempt: string | undefined): string =>
  `${provider}.${pipeline}${attempt === undefined ? '' : `~${attempt}`}`

const maxEarlier = 63

/** The runs of earlier attempts, newest first, as far as they can be told from this one: where the provider counts, else the first. */
export function earlierRunNames(ci: Ci): string[] {
  if (ci.attempt === undefined) return []
  const attempt = Number(ci.attempt)
  const counted = Number.isInteger(attempt)
    ? Array.from({ length: attempt - 2 }, (_, i) => String(attempt - 1 - i))
    : []
  return [...counted.slice(0, maxEarlier), undefined].map((before) => withAttempt(ci, before))
}

/** The one place of the client that reads the environment. The event is undefined outside GitHub or when it cannot be read. */
export function readEnvironment(): { env: Environment; event: unknown } {
  const env = process.env
  return { env, event: readEvent(env['GITHUB_EVENT_PATH']) }
}

function readEvent(path: string | undefined): unknown {
  if (path === undefined) return undefined
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined // everything else is still known; the author's commit then is not
  }
}

const toCommit = (text: string | undefined): string | undefined =>
  /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.exec(text ?? '')?.[0]
