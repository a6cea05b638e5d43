import { Problem } from '../record/problem.ts'
import type { Ci } from './ci-facts.ts'

/** Whether this push is one of several that make up a run, and which. Pure. */
export interface Share {
  /** Stands behind the path in part names: two jobs push a report of the same path. */
  suffix: string
  /** Of the shard; undefined: it goes by its first part. */
  name: string | undefined
  attempt: number | undefined
  job: string | undefined
  /** How many shards end the run; undefined: `proofline seal` does. */
  total: number | undefined
}

export interface SharingOptions {
  /** Undefined: as many as the CI system says. */
  parts?: number
  shard?: string
  /** False with --no-seal. */
  seal: boolean
}

/** Undefined for a push that is a run by itself. Throws `request_invalid` for what contradicts itself. */
export function readShare({ parts, shard, seal }: SharingOptions, ci: Ci | undefined): Share | undefined {
  const job = ci?.job
  const total = parts ?? job?.shard?.total ?? 1
  if (!seal && parts !== undefined)
    throw new Problem(
      'request_invalid',
      'say --parts to end the run with the last of them, or --no-seal to end it yourself',
    )
  if (seal && shard !== undefined && total === 1)
    throw new Problem(
      'request_invalid',
      '--shard says that others push to this run: say with --parts how many they are, or --no-seal and `proofline seal` at the end',
    )
  if (seal && total === 1) return undefined
  const name = shard ?? (job?.shard === undefined || total === 1 ? undefined : String(job.shard.index))
  const attempt = job?.attempt !== undefined && job.attempt > 1 ? job.attempt : undefined
  return {
    suffix: `${name === undefined ? '' : `#${name}`}${attempt === undefined ? '' : `~${attempt}`}`,
    name,
    attempt,
    job: job?.name,
    total: seal ? total : undefined,
  }
}
