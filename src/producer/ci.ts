import { readFileSync } from 'node:fs'
import { toRepository, toRunPiece } from './run-identity.ts'

/** Who runs this: what a CI system says about the job, as the providers document it. No names and no e-mail addresses are taken. */

export type Environment = Readonly<Record<string, string | undefined>>

export interface Ci {
  provider: 'github' | 'gitlab' | 'jenkins' | 'buildkite' | 'circleci' | 'azure'
  /** The provider's id of the pipeline run: a piece of the run id. */
  pipeline: string
  /** Present on a repeated job only. */
  attempt?: string | undefined
  job?: string | undefined
  url?: string | undefined
  ref?: string | undefined
  /** The commit that the provider says is built; of a pull request often a merge commit that exists nowhere else. */
  commit?: string | undefined
  /** The author's commit of a pull request. */
  headCommit?: string | undefined
  /** Number of the pull or merge request. */
  change?: string | undefined
  build?: string | undefined
  repository?: string | undefined
  repositoryId?: string | undefined
  actorId?: string | undefined
  /** W3C trace context of the job, where the CI system hands one on. */
  traceparent?: string | undefined
}

interface Provider {
  provider: Ci['provider']
  /** The variable that only this provider sets. */
  mark: string
  read(env: Environment, event: Json): Omit<Ci, 'provider' | 'build' | 'traceparent'>
}

type Json = Readonly<Record<string, unknown>>

const providers: readonly Provider[] = [
  { provider: 'github', mark: 'GITHUB_ACTIONS', read: readGithub },
  {
    provider: 'gitlab',
    mark: 'GITLAB_CI',
    read: (env) => ({
      pipeline: env['CI_PIPELINE_ID'] ?? '',
      // GitLab counts no attempts: a retried job differs by its id only. The jobs of one `parallel:` set are shards of one run.
      attempt: isParallel(env['CI_NODE_TOTAL']) ? undefined : env['CI_JOB_ID'],
      job: env['CI_JOB_NAME']?.replace(/[\s:]+\d+\/\d+$/, ''),
      url: env['CI_PIPELINE_URL'],
      ref:
        env['CI_MERGE_REQUEST_REF_PATH'] ??
        toTag(env['CI_COMMIT_TAG']) ??
        toBranch(env['CI_COMMIT_BRANCH'] ?? env['CI_COMMIT_REF_NAME']),
      commit: env['CI_COMMIT_SHA'],
      // Set in pipelines for merged results only; in others of a merge request CI_COMMIT_SHA is the author's commit itself.
      headCommit: env['CI_MERGE_REQUEST_SOURCE_BRANCH_SHA'],
      change: env['CI_MERGE_REQUEST_IID'],
      repository: toRepository(env['CI_PROJECT_URL'] ?? ''),
      repositoryId: env['CI_PROJECT_ID'],
      actorId: env['GITLAB_USER_ID'],
    }),
  },
  {
    provider: 'buildkite',
    mark: 'BUILDKITE',
    read: (env) => ({
      pipeline: env['BUILDKITE_BUILD_ID'] ?? '',
      attempt:
        env['BUILDKITE_RETRY_COUNT'] === undefined ? undefined : String(Number(env['BUILDKITE_RETRY_COUNT']) + 1),
      job: env['BUILDKITE_STEP_KEY'] ?? env['BUILDKITE_LABEL'],
      url: env['BUILDKITE_BUILD_URL'],
      ref:
        toPull(notFalse(env['BUILDKITE_PULL_REQUEST'])) ??
        toTag(env['BUILDKITE_TAG']) ??
        toBranch(env['BUILDKITE_BRANCH']),
      commit: env['BUILDKITE_COMMIT'], // the word HEAD for a build started by hand, until the checkout resolved it
      change: notFalse(env['BUILDKITE_PULL_REQUEST']),
      repository: toRepository(env['BUILDKITE_REPO'] ?? ''),
    }),
  },
  {
    provider: 'circleci',
    mark: 'CIRCLECI',
    read: (env) => {
      const change = env['CIRCLE_PR_NUMBER'] ?? /\/(\d+)$/.exec(env['CIRCLE_PULL_REQUEST'] ?? '')?.[1]
      return {
        pipeline: env['CIRCLE_WORKFLOW_ID'] ?? '', // a rerun is a new workflow, so there are no attempts
        job: env['CIRCLE_JOB'],
        url: env['CIRCLE_WORKFLOW_ID'] && `https://app.circleci.com/pipelines/workflows/${env['CIRCLE_WORKFLOW_ID']}`,
        ref: toPull(change) ?? toTag(env['CIRCLE_TAG']) ?? toBranch(env['CIRCLE_BRANCH']),
        commit: env['CIRCLE_SHA1'],
        change,
        repository: toRepository(env['CIRCLE_REPOSITORY_URL'] ?? ''),
      }
    },
  },
  {
    provider: 'azure',
    mark: 'TF_BUILD',
    read: (env) => ({
      pipeline: env['BUILD_BUILDID'] ?? '',
      attempt: azureAttempt(env['SYSTEM_STAGEATTEMPT'], env['SYSTEM_JOBATTEMPT']),
      job: env['SYSTEM_JOBNAME'] ?? env['AGENT_JOBNAME'],
      url: azureUrl(env),
      ref: env['BUILD_SOURCEBRANCH'], // refs/heads/..., refs/tags/... or refs/pull/N/merge, always whole
      commit: env['BUILD_SOURCEVERSION'],
      headCommit: env['SYSTEM_PULLREQUEST_SOURCECOMMITID'],
      change: env['SYSTEM_PULLREQUEST_PULLREQUESTNUMBER'] ?? env['SYSTEM_PULLREQUEST_PULLREQUESTID'],
      repository: toRepository(env['BUILD_REPOSITORY_URI'] ?? ''),
      repositoryId: env['BUILD_REPOSITORY_ID'],
      actorId: env['BUILD_REQUESTEDFORID'],
    }),
  },
  {
    provider: 'jenkins', // last: other systems' agents are sometimes started by a Jenkins and inherit its variables
    mark: 'JENKINS_URL',
    read: (env) => ({
      pipeline: [env['JOB_NAME'], env['BUILD_NUMBER']].filter(Boolean).join('-'),
      job: env['JOB_NAME'],
      url: env['BUILD_URL'],
      // CHANGE_BRANCH of a fork may well be called main: a pull request never goes by its branch.
      ref:
        toPull(env['CHANGE_ID']) ??
        toTag(env['TAG_NAME']) ??
        toBranch(env['BRANCH_NAME'] ?? env['GIT_BRANCH']?.replace(/^origin\//, '')),
      commit: env['GIT_COMMIT'],
      change: env['CHANGE_ID'],
      repository: toRepository(env['GIT_URL'] ?? ''),
    }),
  },
]

/**
 * What CI says, or undefined outside of it. Pure. `event` is GitHub's webhook event, parsed: the only place that names the author's
 * commit of a pull request.
 */
export function readCi(env: Environment, event?: unknown): Ci | undefined {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const found = providers.find(({ mark }) => (mark === 'JENKINS_URL' ? set[mark] !== undefined : isTrue(set[mark])))
  if (found === undefined) return undefined
  const facts = found.read(set, toJson(event))
  const pipeline = toRunPiece(facts.pipeline)
  if (pipeline === '') return undefined // the mark alone names no run
  return {
    ...facts,
    provider: found.provider,
    pipeline,
    attempt: facts.attempt === '1' ? undefined : facts.attempt,
    commit: toCommit(facts.commit),
    headCommit: toCommit(facts.headCommit),
    build: `${found.provider}.${pipeline}`,
    traceparent: /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(set['TRACEPARENT'] ?? '')?.[0],
  }
}

/** The name of the run for `printRunId`: `github.7351001` or `github.7351001~2`. */
export function ciRunName(ci: Ci): string {
  return `${ci.provider}.${ci.pipeline}${ci.attempt === undefined ? '' : `~${ci.attempt}`}`
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

/**
 * GITHUB_SHA is not always the commit that is tested: it is a merge commit on `pull_request`, and the tip of the default branch on
 * `pull_request_target`, `issue_comment` and `workflow_run`, together with a ref that would put foreign results on that branch.
 */
function readGithub(env: Environment, event: Json): Omit<Ci, 'provider' | 'build' | 'traceparent'> {
  const name = env['GITHUB_EVENT_NAME'] ?? ''
  const pull = toJson(event['pull_request'])
  const upstream = toJson(event['workflow_run'])
  const issue = toJson(event['issue'])
  const server = env['GITHUB_SERVER_URL'] ?? 'https://github.com'
  const about = {
    pipeline: env['GITHUB_RUN_ID'] ?? '',
    attempt: env['GITHUB_RUN_ATTEMPT'],
    job: env['GITHUB_JOB'],
    url: `${server}/${env['GITHUB_REPOSITORY']}/actions/runs/${env['GITHUB_RUN_ID']}`,
    repository: toRepository(`${server}/${env['GITHUB_REPOSITORY'] ?? ''}`),
    repositoryId: env['GITHUB_REPOSITORY_ID'],
    actorId: env['GITHUB_ACTOR_ID'],
  }
  const head = toText(toJson(pull['head'])['sha'])
  if (name === 'pull_request_target' || (name === 'issue_comment' && issue['pull_request'] !== undefined)) {
    const change = toText(pull['number'] ?? issue['number'])
    return { ...about, change, ref: toPull(change), headCommit: head } // which commit is tested only the checkout knows
  }
  if (name === 'workflow_run') {
    const pulls: unknown = upstream['pull_requests']
    const change = toText(toJson(Array.isArray(pulls) ? pulls[0] : undefined)['number'])
    const branch = upstream['event'] === 'push' ? toBranch(toText(upstream['head_branch'])) : undefined
    return { ...about, commit: toText(upstream['head_sha']), change, ref: toPull(change) ?? branch }
  }
  const change = /^refs\/pull\/(\d+)\//.exec(env['GITHUB_REF'] ?? '')?.[1]
  return { ...about, commit: env['GITHUB_SHA'], headCommit: head, change, ref: env['GITHUB_REF'] }
}

function azureAttempt(stage: string | undefined, job: string | undefined): string | undefined {
  return stage === undefined || stage === '1' ? job : `${stage}-${job ?? '1'}`
}

function azureUrl(env: Environment): string | undefined {
  const collection = env['SYSTEM_TEAMFOUNDATIONCOLLECTIONURI'] ?? env['SYSTEM_COLLECTIONURI']
  const project = env['SYSTEM_TEAMPROJECT']
  if (collection === undefined || project === undefined) return undefined
  return `${collection.replace(/\/*$/, '/')}${encodeURIComponent(project)}/_build/results?buildId=${env['BUILD_BUILDID'] ?? ''}`
}

const isTrue = (text: string | undefined): boolean => text?.toLowerCase() === 'true' // Azure writes True
const isParallel = (total: string | undefined): boolean => Number(total ?? 1) > 1
const notFalse = (text: string | undefined): string | undefined => (text === 'false' ? undefined : text)
const toTag = (name: string | undefined): string | undefined => (name === undefined ? undefined : `refs/tags/${name}`)
const toBranch = (name: string | undefined): string | undefined =>
  name === undefined ? undefined : `refs/heads/${name}`
const toPull = (change: string | undefined): string | undefined =>
  change === undefined ? undefined : `refs/pull/${change}/head`
const toCommit = (text: string | undefined): string | undefined =>
  /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.exec(text ?? '')?.[0]
const toText = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
const toJson = (value: unknown): Json => (typeof value === 'object' && value !== null ? { ...value } : {})
