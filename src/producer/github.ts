import type { Environment, Facts, Json } from './ci-facts.ts'
import { toRepository } from './run-identity.ts'

/**
 * GitHub Actions. GITHUB_SHA is not always the commit that is tested: it is a merge commit on `pull_request`, and the tip of the default
 * branch on `pull_request_target`, `issue_comment` and `workflow_run`, together with a ref that would put foreign results on that branch.
 * Nothing in the environment tells the legs of a matrix apart: the job has to say it, with --shard.
 */
export function readGithub(env: Environment, event: Json): Facts {
  const name = env['GITHUB_EVENT_NAME'] ?? ''
  const pull = toJson(event['pull_request'])
  const upstream = toJson(event['workflow_run'])
  const issue = toJson(event['issue'])
  const server = env['GITHUB_SERVER_URL'] ?? 'https://github.com'
  const attempt = env['GITHUB_RUN_ATTEMPT']
  const [run, repository] = [env['GITHUB_RUN_ID'] ?? '', env['GITHUB_REPOSITORY'] ?? '']
  const about = {
    pipeline: run,
    attempt: attempt === '1' ? undefined : attempt,
    url: `${server}/${repository}/actions/runs/${run}${attempt === undefined || attempt === '1' ? '' : `/attempts/${attempt}`}`,
    repository: toRepository(`${server}/${repository}`),
    repositoryId: env['GITHUB_REPOSITORY_ID'],
    actorId: env['GITHUB_ACTOR_ID'],
    withoutSecrets: whyNoSecrets(env, pull, upstream),
    job: { name: env['GITHUB_JOB'] },
  }
  const head = toText(toJson(pull['head'])['sha'])
  if (name === 'pull_request_target' || (name === 'issue_comment' && issue['pull_request'] !== undefined)) {
    const change = toText(pull['number'] ?? issue['number'])
    return { ...about, change, ref: toPull(change), headCommit: head } // which commit is tested only the checkout knows
  }
  if (name === 'workflow_run') {
    const pulls: unknown = upstream['pull_requests']
    const change = toText(toJson(Array.isArray(pulls) ? pulls[0] : undefined)['number'])
    const branch = toText(upstream['head_branch'])
    const ref =
      toPull(change) ?? (upstream['event'] === 'push' && branch !== undefined ? `refs/heads/${branch}` : undefined)
    return { ...about, commit: toText(upstream['head_sha']), change, ref }
  }
  const ref = env['GITHUB_REF'] ?? ''
  const change =
    /^refs\/pull\/(\d+)\//.exec(ref)?.[1] ?? /^refs\/heads\/gh-readonly-queue\/.*\/pr-(\d+)-/.exec(ref)?.[1] // a merge queue
  return { ...about, commit: env['GITHUB_SHA'], headCommit: head, change, ref: env['GITHUB_REF'] }
}

/** Workflows of pull requests from forks, and those that Dependabot starts, are given no secrets. */
function whyNoSecrets(env: Environment, pull: Json, upstream: Json): Facts['withoutSecrets'] {
  if (env['GITHUB_ACTOR'] === 'dependabot[bot]') return 'dependabot'
  const base = toText(toJson(toJson(pull['base'])['repo'])['full_name']) ?? env['GITHUB_REPOSITORY']
  const from = pull['head'] === undefined ? upstream['head_repository'] : toJson(pull['head'])['repo']
  if (from === undefined) return undefined
  return toText(toJson(from)['full_name']) === base ? undefined : 'fork' // null: the fork is gone
}

const toPull = (change: string | undefined): string | undefined =>
  change === undefined ? undefined : `refs/pull/${change}/head`
const toText = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
const toJson = (value: unknown): Json => (typeof value === 'object' && value !== null ? { ...value } : {})
