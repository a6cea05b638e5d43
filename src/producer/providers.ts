import { readGithub } from './github.ts'
import type { Ci, Environment, Facts, Json } from './ci-facts.ts'
import { toRepository } from './run-identity.ts'
import { withoutTrailing } from '../record/trailing.ts'

/** The six CI systems by the variables that they document: one row each. docs/ci.md has the same table for people. */

export interface Provider {
  provider: Ci['provider']
  /** The variable that only this provider sets. */
  mark: string
  read(env: Environment, event: Json): Facts
}

export const providers: readonly Provider[] = [
  { provider: 'github', mark: 'GITHUB_ACTIONS', read: readGithub },
  { provider: 'gitlab', mark: 'GITLAB_CI', read: readGitlab },
  { provider: 'buildkite', mark: 'BUILDKITE', read: readBuildkite },
  { provider: 'circleci', mark: 'CIRCLECI', read: readCircleci },
  { provider: 'azure', mark: 'TF_BUILD', read: readAzure },
  // Last: other systems' agents are sometimes started by a Jenkins and inherit its variables.
  { provider: 'jenkins', mark: 'JENKINS_URL', read: readJenkins },
]

function readGitlab(env: Environment): Facts {
  const source = env['CI_MERGE_REQUEST_SOURCE_PROJECT_ID']
  const change = env['CI_MERGE_REQUEST_IID'] ?? env['CI_EXTERNAL_PULL_REQUEST_IID']
  return {
    pipeline: env['CI_PIPELINE_ID'] ?? '',
    url: env['CI_PIPELINE_URL'],
    ref:
      env['CI_MERGE_REQUEST_REF_PATH'] ??
      toPull(env['CI_EXTERNAL_PULL_REQUEST_IID']) ??
      toTag(env['CI_COMMIT_TAG']) ??
      toBranch(env['CI_COMMIT_BRANCH'] ?? env['CI_COMMIT_REF_NAME']),
    commit: env['CI_COMMIT_SHA'],
    // The first is set in pipelines for merged results only; in others of a merge request CI_COMMIT_SHA is the author's commit itself.
    headCommit: env['CI_MERGE_REQUEST_SOURCE_BRANCH_SHA'] ?? env['CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA'],
    change,
    repository: toRepository(env['CI_PROJECT_URL'] ?? ''),
    repositoryId: env['CI_PROJECT_ID'],
    actorId: env['GITLAB_USER_ID'],
    stage: env['CI_JOB_STAGE'],
    withoutSecrets: source !== undefined && source !== env['CI_MERGE_REQUEST_PROJECT_ID'] ? 'fork' : undefined,
    job: {
      name: withoutShard(env['CI_JOB_NAME']),
      run: env['CI_JOB_ID'], // every job has its own, also a repeated one
      attempt: next(env['CI_JOB_RETRY_COUNT']),
      shard: toShard(env['CI_NODE_INDEX'], env['CI_NODE_TOTAL'], 1),
      environment: env['CI_ENVIRONMENT_NAME'],
    },
  }
}

function readBuildkite(env: Environment): Facts {
  const change = notFalse(env['BUILDKITE_PULL_REQUEST'])
  const repository = toRepository(env['BUILDKITE_REPO'] ?? '')
  const head = toRepository(env['BUILDKITE_PULL_REQUEST_REPO'] ?? '')
  const attempt = next(env['BUILDKITE_RETRY_COUNT'])
  return {
    pipeline: env['BUILDKITE_BUILD_ID'] ?? '',
    url: env['BUILDKITE_BUILD_URL'],
    ref: toPull(change) ?? toTag(env['BUILDKITE_TAG']) ?? toBranch(env['BUILDKITE_BRANCH']),
    commit: env['BUILDKITE_COMMIT'], // the word HEAD for a build started by hand, until the checkout resolved it
    change,
    repository,
    withoutSecrets: change !== undefined && head !== undefined && head !== repository ? 'fork' : undefined,
    job: {
      name: env['BUILDKITE_STEP_KEY'] ?? env['BUILDKITE_LABEL'],
      run: repeated(attempt),
      attempt,
      shard: toShard(env['BUILDKITE_PARALLEL_JOB'], env['BUILDKITE_PARALLEL_JOB_COUNT'], 0),
    },
  }
}

function readCircleci(env: Environment): Facts {
  const change = env['CIRCLE_PR_NUMBER'] ?? /\/(\d+)$/.exec(env['CIRCLE_PULL_REQUEST'] ?? '')?.[1]
  const workflow = env['CIRCLE_WORKFLOW_ID']
  // A rerun is a new workflow in the workspace of the first one: that names the run, the workflow its attempt.
  const workspace = env['CIRCLE_WORKFLOW_WORKSPACE_ID'] ?? workflow
  return {
    pipeline: workspace ?? '',
    attempt: workflow === workspace ? undefined : workflow?.slice(0, 8),
    url: workflow && `https://app.circleci.com/pipelines/workflows/${workflow}`,
    ref: toPull(change) ?? toTag(env['CIRCLE_TAG']) ?? toBranch(env['CIRCLE_BRANCH']),
    commit: env['CIRCLE_SHA1'],
    change,
    repository: toRepository(env['CIRCLE_REPOSITORY_URL'] ?? ''),
    withoutSecrets: env['CIRCLE_PR_USERNAME'] === undefined ? undefined : 'fork', // set for forks only
    job: {
      name: env['CIRCLE_JOB'],
      shard: toShard(env['CIRCLE_NODE_INDEX'], env['CIRCLE_NODE_TOTAL'], 0),
    },
  }
}

function readAzure(env: Environment): Facts {
  const [stage, job] = [Number(env['SYSTEM_STAGEATTEMPT'] ?? 1), Number(env['SYSTEM_JOBATTEMPT'] ?? 1)]
  const id = env['BUILD_REPOSITORY_ID']
  return {
    pipeline: env['BUILD_BUILDID'] ?? '',
    url: azureUrl(env),
    ref: env['BUILD_SOURCEBRANCH'], // refs/heads/..., refs/tags/... or refs/pull/N/merge, always whole
    commit: env['BUILD_SOURCEVERSION'],
    headCommit: env['SYSTEM_PULLREQUEST_SOURCECOMMITID'],
    // The number is set for GitHub only, where the id is GitHub's own and known to nobody.
    change: env['SYSTEM_PULLREQUEST_PULLREQUESTNUMBER'] ?? env['SYSTEM_PULLREQUEST_PULLREQUESTID'],
    repository: toRepository(env['BUILD_REPOSITORY_URI'] ?? ''),
    repositoryId: isGuid(id) ? id : undefined, // of a repository at GitHub it is its name, which changes
    actorId: env['BUILD_REQUESTEDFORID'],
    stage: notDefault(env['SYSTEM_STAGENAME']),
    withoutSecrets: isTrue(env['SYSTEM_PULLREQUEST_ISFORK']) ? 'fork' : undefined,
    job: {
      name: env['SYSTEM_PHASENAME'] ?? notDefault(env['SYSTEM_JOBNAME']) ?? env['AGENT_JOBNAME'],
      run: stage > 1 ? `${stage}-${job}` : repeated(job),
      attempt: (stage - 1) * 100 + job, // grows with either, and no two are the same
      shard: toShard(env['SYSTEM_JOBPOSITIONINPHASE'], env['SYSTEM_TOTALJOBSINPHASE'], 1),
      environment: env['ENVIRONMENT_NAME'],
    },
  }
}

/** The job as it is written, of "unit 1/3" (`parallel: 3`) and "unit: [a, b]" (`parallel: matrix`). */
function withoutShard(name: string | undefined): string | undefined {
  const matrix = name?.endsWith(']') === true ? name.indexOf(': [') : -1
  return matrix < 0 ? name?.replace(/[\s:]{1,3}\d{1,9}\/\d{1,9}$/, '') : name?.slice(0, matrix)
}

function azureUrl(env: Environment): string | undefined {
  const collection = env['SYSTEM_TEAMFOUNDATIONCOLLECTIONURI'] ?? env['SYSTEM_COLLECTIONURI']
  const project = env['SYSTEM_TEAMPROJECT']
  if (collection === undefined || project === undefined) return undefined
  return `${withoutTrailing(collection, '/')}/${encodeURIComponent(project)}/_build/results?buildId=${env['BUILD_BUILDID'] ?? ''}`
}

function readJenkins(env: Environment): Facts {
  return {
    pipeline: [env['JOB_NAME'], env['BUILD_NUMBER']].filter(Boolean).join('-'),
    url: env['BUILD_URL'],
    // CHANGE_BRANCH of a fork may well be called main: a pull request never goes by its branch.
    ref:
      toPull(env['CHANGE_ID']) ??
      toTag(env['TAG_NAME']) ??
      toBranch(env['BRANCH_NAME'] ?? env['GIT_BRANCH']?.replace(/^origin\//, '')),
    commit: env['GIT_COMMIT'],
    change: env['CHANGE_ID'],
    repository: toRepository(env['GIT_URL'] ?? ''),
    withoutSecrets: env['CHANGE_FORK'] === undefined ? undefined : 'fork',
    job: { name: env['JOB_NAME'], stage: env['STAGE_NAME'] }, // parallel branches of a pipeline are stages of their own
  }
}

/** `first` is what the provider calls the first one; ours are counted from 1. */
function toShard(index: string | undefined, total: string | undefined, first: 0 | 1): Ci['job']['shard'] {
  const [at, of] = [Number(index ?? Number.NaN) - first + 1, Number(total ?? 1)]
  return Number.isInteger(at) && Number.isInteger(of) && of > 1 && at >= 1 && at <= of
    ? { index: at, total: of }
    : undefined
}

/** A count of repetitions as the number of the attempt. */
function next(retries: string | undefined): number | undefined {
  return retries !== undefined && /^\d{1,6}$/.test(retries) ? Number(retries) + 1 : undefined
}

const repeated = (attempt: number | undefined): string | undefined =>
  attempt === undefined || attempt <= 1 ? undefined : String(attempt)
const isGuid = (text: string | undefined): boolean => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text ?? '')
export const isTrue = (text: string | undefined): boolean => text?.toLowerCase() === 'true' // Azure writes True
const notFalse = (text: string | undefined): string | undefined => (text === 'false' ? undefined : text)
const notDefault = (text: string | undefined): string | undefined => (text === '__default' ? undefined : text)
const toTag = (name: string | undefined): string | undefined => (name === undefined ? undefined : `refs/tags/${name}`)
const toBranch = (name: string | undefined): string | undefined =>
  name === undefined ? undefined : `refs/heads/${name}`
const toPull = (change: string | undefined): string | undefined =>
  change === undefined ? undefined : `refs/pull/${change}/head`
