/** What a CI system says about a job, as the providers document it. No names and no e-mail addresses are taken. */

export type Environment = Readonly<Record<string, string | undefined>>
export type Json = Readonly<Record<string, unknown>>

export interface Ci {
  provider: 'github' | 'gitlab' | 'jenkins' | 'buildkite' | 'circleci' | 'azure'
  /** The provider's id of the pipeline run: a piece of the run id. */
  pipeline: string
  /** Where the whole pipeline run was repeated: the same for all its jobs. */
  attempt?: string | undefined
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
  stage?: string | undefined
  /** Why the provider hands this job no secrets. */
  withoutSecrets?: 'fork' | 'dependabot' | undefined
  /** W3C trace context of the job, where the CI system hands one on. */
  traceparent?: string | undefined
  job: CiJob
}

/** What holds for this job alone: it stays out of what several jobs of one run must say alike. */
export interface CiJob {
  name?: string | undefined
  /** Tells a run of this job alone from that of another try of it. */
  run?: string | undefined
  /** How often this job was started, where the provider repeats single jobs; the first is 1. */
  attempt?: number | undefined
  /** Which of how many parallel jobs of the same kind, from 1. */
  shard?: { index: number; total: number } | undefined
  stage?: string | undefined
  environment?: string | undefined
}

/** What a provider's variables say; the rest of `Ci` follows from it. */
export type Facts = Omit<Ci, 'provider' | 'build' | 'traceparent'>
