import { randomBytes } from 'node:crypto'
import type { Declaration } from '../api/runs.ts'
import type { TestType } from '../record/record.ts'
import type { Ci } from './ci-facts.ts'
import type { Configuration } from './configuration.ts'
import type { CommitFacts } from './git.ts'

/** The declaration of the run: what the user said, else what CI says, else what the checkout says. Pure but for a new trace id. */

export interface DeclareOptions {
  testType: TestType
  suite: string
  build?: string
  ref?: string
  stage?: string
  environment?: string
  flags?: string[]
  backfill?: boolean
  occurredAt?: string
}

export interface Facts {
  options: DeclareOptions
  /** Undefined outside CI, and for a backfill: the job that sends an old report is not the one that made it. */
  ci: Ci | undefined
  repository: string
  repositoryId: string | undefined
  commit: string
  /** Undefined where the checkout does not have the commit. */
  history: CommitFacts | undefined
  checkoutRef: string | undefined
  configuration: Configuration
  /** Several jobs declare this run: what differs from job to job stays out. */
  shared: boolean
  version: string
  now: Date
}

export function declare(facts: Facts): Declaration {
  const { options, ci, commit, history, configuration, shared } = facts
  const job = shared ? undefined : ci?.job
  const backfilled = options.backfill === true
  return {
    repository: facts.repository,
    test_type: options.testType,
    suite: options.suite,
    commit,
    ...defined({
      repository_id: facts.repositoryId,
      head_commit: ci?.headCommit === commit ? undefined : ci?.headCommit,
      ref: options.ref ?? ci?.ref ?? (backfilled ? undefined : facts.checkoutRef),
      change: ci?.change,
      parents: history?.parents,
      committed_at: history?.committedAt,
      first_parents: history?.firstParents,
      build: options.build ?? ci?.build,
      url: ci?.url,
      environment: options.environment ?? job?.environment,
      stage: options.stage ?? ci?.stage ?? job?.stage,
      ci: ci && {
        provider: ci.provider,
        pipeline: ci.pipeline,
        ...defined({ job: job?.name, attempt: ci.attempt ?? job?.run, actor_id: ci.actorId }),
      },
      configuration: configuration.files,
      flags: options.flags,
      contract: configuration.contract,
      backfilled: backfilled ? true : undefined,
      traceparent: ci?.traceparent ?? newTraceparent(),
      occurred_at: backfilled ? options.occurredAt : facts.now.toISOString(),
    }),
    client: { name: 'proofline', version: facts.version },
  }
}

/** W3C trace context of a push that no CI job gave one: its requests, and the deliveries that follow, are one trace. */
function newTraceparent(): string {
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without the members that are undefined. */
function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Defined<T> // just filtered
}
