import type { SealRequest, SealWaiting } from '../api/runs.ts'
import type { Book } from '../ledger/book.ts'
import type { Submission } from '../ledger/decide.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import type { Judge } from './judge.ts'
import type { RunsStore } from './runs-store.ts'
import { whatSealLacks } from './sealed.ts'
import { type Counting, type RecordedPart, countingShards } from './shards.ts'
import { type RunFields, sealSubmission } from './submissions.ts'

/** What comes before a seal: are all shards there, and which earlier attempts may stand in for some. */
export interface Closing {
  /**
   * The seal, or what it waits for. Safe for any number of pushes at once: each asks after its own parts are committed, so whichever
   * commits last sees all of them; a shard that is complete stays so. Throws Problem('attempt_mismatch').
   */
  prepare(run: RunFields, request: SealRequest): Promise<Prepared | { waiting: SealWaiting }>
}

export interface Prepared {
  seal: Submission
  /** What a seal that stands already has otherwise than this one, beside outcome and totals. */
  lacks: readonly string[]
}

export interface ClosingDeps {
  bookOf: (ledger: LedgerName) => Book
  runs: RunsStore
  keepList: (list: Uint8Array) => Promise<void>
  judge: Judge
}

const maxNames = 1_000

export function createClosing({ bookOf, runs, keepList, judge }: ClosingDeps): Closing {
  /** The parts of earlier attempts. An attempt that died before it declared anything brings none, and is named. */
  const readEarlier = async (run: RunFields, named: readonly string[]) => {
    const found: RecordedPart[][] = []
    const unknown: string[] = []
    for (const name of named) {
      const other = await runs.getRun(run.ledger, name).catch((error: unknown) => {
        if (error instanceof Problem && error.code === 'run_unknown') return undefined
        throw error
      })
      if (other === undefined) {
        unknown.push(name)
        continue
      }
      const differs = whatDiffers(run, other)
      if (differs !== undefined)
        throw new Problem('attempt_mismatch', `${name} is no earlier attempt of ${run.run}: ${differs}`)
      found.push((await runs.stateOf(run.ledger, name)).parts)
    }
    return { found, unknown }
  }

  return {
    async prepare(run, request) {
      const { parts: expected, earlier = [], earlier_found: guessed } = request
      const { found, unknown } = await readEarlier(run, earlier)
      const asserts = request.outcome !== undefined || request.tests !== undefined
      let lacks: string[] = []
      let satisfied = false
      // A seal that says all by itself needs no look at what is there.
      if (!asserts || expected !== undefined || earlier.length > 0) {
        const { end, parts } = await runs.stateOf(run.ledger, run.run)
        const counting = countingShards(parts, end === undefined ? found : recordedBefore(end.seq, found))
        if (expected !== undefined && end === undefined && counting.shards.length < expected)
          return { waiting: waitingFor(run, expected, counting, unknown) }
        if (end?.fields['kind'] === 'seal') {
          lacks = whatSealLacks(run.run, end.fields, request, counting)
          // Whoever says neither outcome nor totals is content with any seal that has what is asked for, also one that another push made.
          satisfied = !asserts && lacks.length === 0
        }
      }
      if (unknown.length > 0 && guessed !== true)
        throw new Problem(
          'attempt_mismatch',
          `no earlier attempt of ${run.run}: ${unknown.join(', ')} was never declared in ${run.ledger}`,
        )
      await judge.prepare(run)
      const link = await bookOf(run.ledger).link(run.repository, run.suite, ':seal', 0)
      return {
        seal: { ...sealSubmission(run, request, link, keepList, judge.judge, found), firstWins: satisfied },
        lacks,
      }
    },
  }
}

function waitingFor(
  { run, ledger }: RunFields,
  expected: number,
  { shards, incomplete }: Counting,
  unknown: string[],
): SealWaiting {
  return {
    run,
    ledger,
    expected,
    arrived: shards.length,
    shards: shards.map(({ name }) => name).slice(0, maxNames),
    incomplete: incomplete.slice(0, maxNames),
    unknown,
  }
}

/** As the seal found them: an earlier attempt may have been pushed to since. */
const recordedBefore = (seq: number, attempts: readonly RecordedPart[][]): RecordedPart[][] =>
  attempts.map((parts) => parts.filter((part) => part.seq < seq))

/** Attempts are of the same tests of the same code. A repository that was renamed in between is known by its id. */
function whatDiffers(run: RunFields, other: RunFields): string | undefined {
  if (other.run === run.run) return 'it is this run'
  const renamed = run.repository_id !== undefined && run.repository_id === other.repository_id
  if (other.repository !== run.repository && !renamed) return `it is of ${other.repository}`
  if (other.commit !== run.commit) return `it tested ${other.commit}`
  if (other.suite !== run.suite) return `it ran the suite ${other.suite}`
  return undefined
}
