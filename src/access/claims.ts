import type { BoundRef } from './bound.ts'
import type { IssuerSettings } from './identity-settings.ts'

/**
 * What the claims of a verified token say of a job, for each CI system by its own documentation. Pure. What is not there is undefined, never
 * taken from elsewhere; a claim of the wrong type is as good as none.
 */

export interface JobFacts {
  /** As the ledger calls it: `github.com/acme/payments`. Undefined where the issuer knows pipelines only. */
  repository?: string | undefined
  repositoryId?: string | undefined
  ownerId?: string | undefined
  commit?: string | undefined
  ref?: BoundRef | undefined
  /** Names that a run of this job may have; none when the claims do not tell the run. */
  runs: readonly string[]
  event?: string | undefined
  /** The workflow file, without the ref it was taken from. */
  workflow?: string | undefined
  environment?: string | undefined
  actorId?: string | undefined
  /** The one job, as the issuer calls it. */
  job?: string | undefined
  isSelfHosted: boolean
  /** Why no token like this is ever taken. */
  refused?: string | undefined
}

export type Claims = Readonly<Record<string, unknown>>

/** `host` is that of the repositories. */
export function readClaims(
  issuer: Pick<IssuerSettings, 'provider' | 'name' | 'host' | 'mapping'>,
  claims: Claims,
): JobFacts {
  const of = (name: string | undefined): string | undefined => (name === undefined ? undefined : toText(claims[name]))
  switch (issuer.provider) {
    case 'github':
      return readGithub(issuer.host ?? '', of)
    case 'gitlab':
      return readGitlab(issuer.host ?? '', of)
    case 'buildkite':
      return readBuildkite(of)
    case 'circleci':
      return readCircleci(claims, of)
    case 'other':
      return readMapped(issuer, of)
  }
}

type Of = (name: string | undefined) => string | undefined

function readGithub(host: string, of: Of): JobFacts {
  const [run, attempt, name, ref] = [of('run_id'), of('run_attempt'), of('repository'), of('ref')]
  const event = of('event_name')
  return {
    repository: name && `${host}/${name}`,
    repositoryId: of('repository_id'),
    ownerId: of('repository_owner_id'),
    commit: of('sha'),
    ref: ref === undefined ? undefined : { exact: ref, below: [] },
    // Without its attempt a second try of a job could push to the run of the first.
    runs: run === undefined || attempt === undefined ? [] : [`github.${run}${attempt === '1' ? '' : `~${attempt}`}`],
    event,
    workflow: (of('job_workflow_ref') ?? of('workflow_ref'))?.split('@')[0],
    environment: of('environment'),
    actorId: of('actor_id'),
    job: of('check_run_id'),
    isSelfHosted: of('runner_environment') !== 'github-hosted',
    // It runs with the rights and the ref of the base branch, on code that anybody may have written: its results would stand on that branch.
    refused:
      event === 'pull_request_target'
        ? 'a workflow on pull_request_target speaks for a branch whose code it does not test'
        : undefined,
  }
}

function readGitlab(host: string, of: Of): JobFacts {
  const [pipeline, job, path, event] = [of('pipeline_id'), of('job_id'), of('project_path'), of('pipeline_source')]
  const ref = of('ref_path')
  return {
    repository: path && `${host}/${path}`,
    repositoryId: of('project_id'),
    ownerId: of('namespace_id'),
    commit: of('sha'),
    // In a merge request the claim is its source branch, which may be called `main`: such a run is never one of a branch.
    ref:
      event === 'merge_request_event'
        ? { below: ['refs/merge-requests/'] }
        : ref === undefined
          ? undefined
          : { exact: ref, below: [] },
    runs:
      pipeline === undefined ? [] : [`gitlab.${pipeline}`, ...(job === undefined ? [] : [`gitlab.${pipeline}~${job}`])],
    event,
    workflow: of('ci_config_ref_uri')?.split('@')[0],
    environment: of('environment'),
    actorId: of('user_id'),
    job,
    isSelfHosted: of('runner_environment') !== 'gitlab-hosted',
  }
}

function readBuildkite(of: Of): JobFacts {
  const [build, branch, tag, commit] = [of('build_id'), of('build_branch'), of('build_tag'), of('build_commit')]
  const ref = tag === undefined ? branch && `refs/heads/${branch}` : `refs/tags/${tag}`
  return {
    repositoryId: of('pipeline_id'),
    ownerId: of('organization_id'),
    commit: commit === 'HEAD' ? undefined : commit, // of a build started by hand, until the checkout resolved it
    // It does not tell pull requests from branches: a run may say that it is of one, which is less.
    ref: ref === undefined ? undefined : { exact: ref, below: ['refs/pull/'] },
    runs: build === undefined ? [] : [`buildkite.${build}`, `buildkite.${build}~*`], // how often the step was retried is not told
    event: of('build_source'),
    job: of('job_id'),
    isSelfHosted: of('runner_environment') !== 'buildkite-hosted',
  }
}

function readCircleci(claims: Claims, of: Of): JobFacts {
  const at = (name: string): string | undefined => of(`oidc.circleci.com/${name}`)
  const [workflow, ref] = [at('workflow-id'), at('vcs-ref')]
  return {
    repository: at('vcs-origin')
      ?.replace(/^https?:\/\//, '')
      .replace(/\.git$/, ''),
    repositoryId: at('project-id'),
    ownerId: at('org-id') ?? /^https:\/\/oidc\.circleci\.com\/org\/([^/]+)$/.exec(of('iss') ?? '')?.[1],
    ref: ref === undefined ? undefined : { exact: ref, below: ['refs/pull/'] },
    // The run is named by the workspace, which is the first workflow; a rerun is a workflow of its own in it.
    runs: workflow === undefined ? [] : [`circleci.${workflow}`, `circleci.*~${workflow.slice(0, 8)}`],
    actorId: /\/user\/([0-9a-f-]{36})(?:\/|$)/.exec(of('sub') ?? '')?.[1],
    job: at('job-id'),
    isSelfHosted: false, // not told
    refused:
      claims['oidc.circleci.com/ssh-rerun'] === true
        ? 'the job was rerun with SSH: somebody had a shell in it'
        : undefined,
  }
}

/** Any other issuer: the settings say which claim is what. */
function readMapped({ name, host, mapping }: Pick<IssuerSettings, 'name' | 'host' | 'mapping'>, of: Of): JobFacts {
  if (mapping === undefined) return { runs: [], isSelfHosted: false }
  const [run, attempt, path, ref] = [of(mapping.run), of(mapping.attempt), of(mapping.repository), of(mapping.ref)]
  const isCounted = mapping.attempt !== undefined
  return {
    repository: path && host !== undefined ? `${host}/${path}` : path,
    repositoryId: of(mapping.repository_id),
    ownerId: of(mapping.owner_id),
    commit: of(mapping.commit),
    ref: ref === undefined ? undefined : { exact: ref, below: [] },
    runs:
      run === undefined || (isCounted && attempt === undefined)
        ? []
        : [`${name}.${run}${attempt === undefined || attempt === '1' ? '' : `~${attempt}`}`],
    environment: of(mapping.environment),
    actorId: of(mapping.actor_id),
    job: of(mapping.job),
    isSelfHosted: false,
  }
}

/** Ids come as texts and as numbers. */
function toText(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined
  return typeof value === 'string' && value !== '' && value.length <= 1_024 ? value : undefined
}
