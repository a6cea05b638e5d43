import { isDeepStrictEqual } from 'node:util'
import { Problem } from '../record/problem.ts'
import type { RunsStore } from './runs-store.ts'
import { keys } from './run.ts'
import type { Offered } from './submissions.ts'

/** Says what differs between what stands under a name and what is offered now: mostly two jobs send the same thing and do not know it. */

type Fields = Readonly<Record<string, unknown>>

/** The same problem with a message that names the difference, where what is recorded tells it. Never fails for not knowing. */
export async function explainConflict(problem: Problem, offered: Offered, runs: RunsStore): Promise<Problem> {
  const key = keyOf(problem, offered)
  const recorded = key && (await runs.recordOf(offered.ledger, key).catch(() => undefined))
  const said = recorded && describe(problem, offered, recorded)
  return said === undefined ? problem : new Problem(problem.code, said, { cause: problem, extra: { ...problem.extra } })
}

function keyOf({ code }: Problem, { run, part }: Offered): string | undefined {
  if (code === 'run_conflict') return keys.run(run)
  if (code === 'part_conflict') return part === undefined ? undefined : keys.part(run, part)
  return code === 'seal_conflict' || code === 'run_sealed' ? keys.end(run) : undefined
}

function describe({ code }: Problem, offered: Offered, recorded: Fields): string | undefined {
  const { run, part } = offered
  const at = String(recorded['recorded_at'])
  if (code === 'run_conflict') {
    const names = offered.declared === undefined ? [] : differingMembers(recorded, offered.declared)
    return names.length === 0 ? undefined : `${run} was declared before with other content: ${names.join(', ')}`
  }
  if (code === 'part_conflict') {
    const sha256 = String(recorded['artifact_sha256'])
    const { job } = (recorded['shard'] ?? {}) as { job?: string } // written by partSubmission
    const by = job === undefined ? '' : ` by the job ${job}`
    const before = `part ${part} of ${run} was recorded at ${at}${by}`
    if (offered.sha256 === undefined) return undefined
    return sha256 === offered.sha256
      ? `${before} with other parameters or test totals`
      : `${before} from other bytes: ${short(sha256)}, these are ${short(offered.sha256)}`
  }
  if (recorded['kind'] === 'abandonment') return `${run} was abandoned at ${at}: nobody ended it in time`
  return code === 'seal_conflict'
    ? `${run} ended at ${at} with other content: ${printEnd(recorded)}`
    : `${run} ended at ${at} with ${String(recorded['parts'])} parts and takes no more`
}

/** Members of a `run` record that a declaration asserts; not what the service adds, or what may differ from try to try. */
const unasserted = new Set(['schema', 'kind', 'ledger', 'id', 'seq', 'recorded_at', 'run', 'build_seq', 'by'])
const varying = new Set(['first_parents', 'traceparent', 'occurred_at', 'client', 'late', 'configuration_digest'])

export function differingMembers(recorded: Fields, offered: Fields): string[] {
  const names = new Set([...Object.keys(recorded), ...Object.keys(offered)])
  return [...names]
    .filter((name) => !unasserted.has(name) && !varying.has(name))
    .filter((name) => !isDeepStrictEqual(recorded[name], offered[name]))
    .toSorted()
}

function printEnd({ outcome, tests }: Fields): string {
  if (typeof tests !== 'object' || tests === null) return `${String(outcome)}, test totals unknown`
  const { total, passed, failed, skipped } = tests as Record<string, number> // written by sealSubmission
  return `${String(outcome)}, ${total} tests: ${passed} passed, ${failed} failed, ${skipped} skipped`
}

const short = (sha256: string): string => sha256.slice(0, 12)
