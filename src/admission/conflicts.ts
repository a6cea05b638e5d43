import { isDeepStrictEqual } from 'node:util'
import type { Queryable } from '../database/database.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { findSubmissions } from '../ledger/store.ts'
import { Problem } from '../record/problem.ts'
import { printTime } from '../record/record.ts'
import { keys } from './run.ts'
import type { Offered } from './submissions.ts'

/**
 * A conflict as it goes on record and back to the caller: with the digests of both, which for a part are those of the reports themselves
 * (they can be looked up and compared), with what differs, and with what to do when both are right. Mostly two jobs send the same thing
 * and do not know it.
 */
export interface Conflicts {
  /** Fills in what was offered and what stands there, and answers the problem that says both. Any other problem comes back as it is. */
  explain(problem: Problem, offered: Offered): Promise<Problem>
}

type Fields = Readonly<Record<string, unknown>>

/** What is recorded under the name that was offered again. */
export interface Standing {
  seq: number
  /** RFC 3339. */
  recordedAt: string
  fields: Fields
}

export function createConflicts(db: Queryable, reader: Pick<LedgerReader, 'payload'>): Conflicts {
  return {
    async explain(problem, offered) {
      const key = keyOf(problem, offered)
      if (key === undefined) return problem
      const [found] = await findSubmissions(db, offered.ledger, [key], [])
      if (found === undefined) return explainConflict(problem, offered, undefined)
      const payload = await reader.payload(offered.ledger, found.firstSeq)
      const fields = JSON.parse(payload.toString()) as Fields // our own record
      return explainConflict(problem, offered, { seq: found.firstSeq, recordedAt: printTime(found.firstTime), fields })
    },
  }
}

function keyOf({ code }: Problem, { run, part }: Offered): string | undefined {
  if (run === undefined) return undefined
  if (code === 'run_conflict') return keys.run(run)
  if (code === 'part_conflict') return part === undefined ? undefined : keys.part(run, part)
  return code === 'seal_conflict' || code === 'run_sealed' ? keys.end(run) : undefined
}

/** The same without I/O; fills in `offered`. */
export function explainConflict(problem: Problem, offered: Offered, stands: Standing | undefined): Problem {
  if (problem.code === 'part_conflict') return explainPart(problem, offered, stands)
  if (problem.code === 'run_sealed')
    return stands === undefined
      ? problem
      : new Problem(problem.code, printSealed(offered, stands), { cause: problem, extra: problem.extra })
  const { first_sha256, offered_sha256 } = problem.extra // by ledger/decide.ts
  if (typeof first_sha256 !== 'string' || typeof offered_sha256 !== 'string') return problem
  offered.sha256 = offered_sha256
  delete offered.bytes
  if (stands !== undefined) offered.first = { sha256: first_sha256, seq: stands.seq }
  const text = problem.code === 'run_conflict' ? printDeclared(offered, stands) : printEnded(offered, stands)
  return new Problem(problem.code, text(`digest ${first_sha256}, not ${offered_sha256}`), {
    cause: problem,
    extra: { first_sha256, offered_sha256, ...(stands === undefined ? {} : { first_seq: stands.seq }) },
  })
}

function explainPart(problem: Problem, offered: Offered, stands: Standing | undefined): Problem {
  const { run, part = '', sha256 } = offered
  if (sha256 === undefined) return problem
  const { code } = problem
  if (stands === undefined)
    return new Problem(
      code,
      `${part} of ${run} was begun with other content, and is not recorded yet: repeat that upload to end it. ${twoJobs}`,
      { cause: problem, extra: { offered_sha256: sha256 } },
    )
  const { artifact_sha256: first, shard } = stands.fields as { artifact_sha256: string; shard?: { job?: string } } // written by partPayload
  offered.first = { sha256: first, seq: stands.seq }
  const by = shard?.job === undefined ? '' : ` by the job ${shard.job}`
  const differs =
    first === sha256
      ? `from the same bytes, ${sha256}, with another format, section, strip or root, or as another shard (outcome and test totals are of it)`
      : `from other bytes: those of sha256 ${first}, not of ${sha256}`
  return new Problem(code, `${part} of ${run} was recorded at ${stands.recordedAt}${by} ${differs}. ${twoJobs}`, {
    cause: problem,
    extra: { first_sha256: first, offered_sha256: sha256, first_seq: stands.seq },
  })
}

const twoJobs =
  'Two jobs that send reports of one path: give each --shard NAME and all --parts N, or each another --suite or --part NAME; what one job made anew goes under another run: --run NAME.'

function printDeclared({ run, declared }: Offered, stands: Standing | undefined): (digests: string) => string {
  const names = stands === undefined || declared === undefined ? [] : differingMembers(stands.fields, declared)
  const todo = 'All jobs of a run declare it alike; what is to differ is another --suite, or another run: --run NAME.'
  return (digests) =>
    `${run} was declared before with other content: ${names.length === 0 ? digests : `${names.join(', ')} (${digests})`}. ${todo}`
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

function printEnded(offered: Offered, stands: Standing | undefined): (digests: string) => string {
  const todo = 'The first end stands; what ran again is another run: --run NAME.'
  if (stands === undefined)
    return (digests) => `${offered.run} was ended before with another outcome or other test totals: ${digests}. ${todo}`
  if (stands.fields['kind'] === 'abandonment')
    return (digests) => `${printAbandoned(offered, stands)}: ${digests}. ${todo}`
  const what = [...(offered.lacks ?? []), printEnd(stands.fields)].join('; ')
  return (digests) => `${offered.run} ended at ${stands.recordedAt} with other content: ${what} (${digests}). ${todo}`
}

function printSealed(offered: Offered, stands: Standing): string {
  const { fields, recordedAt } = stands
  return fields['kind'] === 'abandonment'
    ? printAbandoned(offered, stands)
    : `${offered.run} ended at ${recordedAt} with ${String(fields['parts'])} parts and takes no more`
}

const printAbandoned = ({ run }: Offered, { recordedAt }: Standing): string =>
  `${run} was abandoned at ${recordedAt}, since nobody ended it in time`

function printEnd({ outcome, tests }: Fields): string {
  if (typeof tests !== 'object' || tests === null) return `${String(outcome)}, test totals unknown`
  const { total, passed, failed, skipped } = tests as Record<string, number> // written by sealSubmission
  return `${String(outcome)}, ${total} tests: ${passed} passed, ${failed} failed, ${skipped} skipped`
}
