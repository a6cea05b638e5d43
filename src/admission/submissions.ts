import { hash } from 'node:crypto'
import type { SealRequest } from '../api/runs.ts'
import type { AtHead, Submission } from '../ledger/decide.ts'
import { type ChainLink, packSegment } from '../ledger/segments.ts'
import type { Problem } from '../record/problem.ts'
import { type LedgerName, maxPayloadBytes } from '../record/record.ts'
import { type By, type RunIdentity, printPayload } from '../record/run.ts'
import { type Fitted, fitList, fitText, jsonBytes } from './fit-list.ts'
import { readRunAtHead } from './run-at-head.ts'
import type { Judge, Judgement } from './judge.ts'
import { type Counting, type RecordedPart, countingShards, outcomeOf } from './shards.ts'
import { decideEnd, keys, sealDigest, totalsByMeasure } from './run.ts'

/** What admission hands to the appender beside parts: the record that ends a run, and rejections. */

export interface RunFields extends RunIdentity {
  by: By
  repository_id?: string | undefined
  url?: string | undefined
  configuration_digest?: string | undefined
  stage?: string | undefined
  /** What the client claims. */
  occurred_at?: string | undefined
  /** Pushed from an old artifact; kept by the client and sent later: neither is on time. */
  backfilled?: boolean | undefined
  late?: boolean | undefined
}

/** The most bytes of what changed, in the seal; there are few things that can. */
const maxChangesBytes = 900
const maxTextBytes = 120

/**
 * The `seal` record: sums up the parts that count and binds the run's own records by the Merkle root over their leaf hashes in seq order.
 * `earlier` are the parts of earlier attempts, newest first; the record names those that count.
 */
export function sealSubmission(
  id: RunFields,
  request: SealRequest,
  link: ChainLink,
  keepList: (list: Uint8Array) => Promise<void>,
  judge: Judge['judge'],
  earlier: readonly RecordedPart[][] = [],
): Submission {
  return {
    key: keys.end(id.run),
    digest: sealDigest(request),
    run: id.run,
    conflict: 'seal_conflict',
    decide: decideEnd(id.run),
    async segments(at: AtHead) {
      const { parts: own, records, root } = await readRunAtHead(id.run, at)
      const counting = countingShards(own, earlier)
      const { tests = counting.tests } = request
      const outcome = request.outcome ?? outcomeOf(counting, request.tests)
      const counted = counting.shards.flatMap(({ parts }) => parts)
      const parts = counted.map(({ summary }) => summary)
      const totals = totalsByMeasure(parts)
      const ending = { outcome, tests, shardsIncomplete: counting.incomplete.length > 0 }
      const judged = await judge(id, ending, parts, totals, at)
      const chosen = await chosenParts(id.run, counting, keepList)
      const { repository, commit, ref, build, build_seq, suite, test_type } = id
      const fields = {
        run: id.run,
        repository,
        repository_id: id.repository_id,
        commit,
        ref,
        build,
        build_seq,
        suite,
        test_type,
        admitted: judged.counts,
        reasons: judged.reasons,
        ...(judged.observed.length === 0 ? {} : { observed: judged.observed }),
        outcome,
        tests,
        parts: parts.length,
        ...(own.some(({ summary }) => summary.shard !== undefined) || earlier.length > 0
          ? { shards: counting.shards.length, ...chosen }
          : {}),
        records,
        by: id.by,
        contract: judged.contract,
        contract_version: judged.contract_version,
        contract_default: judged.contract_default,
        configuration: id.configuration_digest,
        production_digest: judged.production_digest,
        url: id.url,
        unexplained_change: judged.unexplained && printUnexplained(judged.unexplained),
      }
      const fitted = fitList(totals, maxPayloadBytes - jsonBytes(fields) - jsonBytes(id.ledger) - 300) // schema, kind, root and digest

      if (fitted.list !== undefined) await keepList(fitted.list)
      const payload = printPayload('seal', id.ledger, {
        ...fields,
        totals: fitted.shown,
        ...(fitted.digest === undefined ? {} : { totals_digest: fitted.digest }),
        root,
      })
      const measure_digest = hash(
        'sha256',
        JSON.stringify(totals.map(({ metric, definition, tool }) => [metric, definition, tool])),
        'hex',
      )
      return {
        segments: [packSegment('seal', [payload], link)],
        seal: { repository, suite, ref: ref ?? '', admitted: judged.counts, measure_digest },
      }
    },
  }
}

/** Bytes of JSON for the parts of earlier attempts, and for own parts that do not count; more of them are an artifact. */
const maxEarlierBytes = 1_200
const maxLeftOutBytes = 400

/** Parts of earlier attempts that count, as the seal of the run names them. */
export function fitEarlier(run: string, { shards }: Counting): Fitted<object & { run: string }> {
  const entries = shards
    .flatMap(({ parts }) => parts)
    .filter((one) => one.run !== run)
    .map(({ run: of, part, seq, summary }) => ({ run: of, part, seq, artifact_sha256: summary.artifact_sha256 }))
  return fitList(entries, maxEarlierBytes)
}

/** Own parts count unless they are named here; parts of earlier attempts only where they are. */
async function chosenParts(
  run: string,
  counting: Counting,
  keepList: (list: Uint8Array) => Promise<void>,
): Promise<Record<string, unknown>> {
  const { leftOut } = counting
  const [stood, left] = [fitEarlier(run, counting), fitList(leftOut, maxLeftOutBytes)]
  for (const list of [stood.list, left.list]) if (list !== undefined) await keepList(list)
  return {
    ...(stood.shown.length === 0 && stood.digest === undefined
      ? {}
      : { earlier: stood.shown, earlier_digest: stood.digest }),
    ...(leftOut.length === 0 ? {} : { left_out: left.shown, left_out_digest: left.digest }),
  }
}

function printUnexplained({ run, seq, changes }: NonNullable<Judgement['unexplained']>): object {
  const short = (text: string | null): string | null => (text === null ? null : fitText(text, maxTextBytes))
  const cut = changes.map((change) => ({ ...change, from: short(change.from), to: short(change.to) }))
  return { run, seq, count: changes.length, changes: fitList(cut, maxChangesBytes).shown }
}

export interface Offered {
  ledger: LedgerName
  /** Absent for what belongs to no run: contracts. */
  run?: string | undefined
  part?: string | undefined
  repository?: string | undefined
  commit?: string | undefined
  bytes?: number | undefined
  sha256?: string | undefined
  /** What stands under the name already. */
  first?: { sha256: string; seq: number } | undefined
  /** What the seal that stands has otherwise than the one that is offered, beside outcome and totals. */
  lacks?: readonly string[] | undefined
  /** The run record that a declaration would make: tells what differs from the one that stands. */
  declared?: Readonly<Record<string, unknown>> | undefined
  by: By
}

/**
 * A `rejection`: what was offered, by whom, and why it was refused. The same refusal twice is one record. How much of a body was read before
 * it broke off or was given up differs from try to try, so bytes tell two refusals apart only with the digest of the whole.
 */
export function rejectionSubmission(offered: Offered, problem: Problem): Submission {
  const { ledger, run, part, repository, commit, bytes, sha256, first, by } = offered
  const of = run === undefined ? { repository } : { run, part }
  const asserted = { ...of, reason: problem.code, sha256, bytes: sha256 === undefined ? undefined : bytes, by }
  const digest = hash('sha256', JSON.stringify(asserted), 'buffer')
  const payload = printPayload('rejection', ledger, {
    run,
    part,
    repository,
    commit,
    reason: problem.code,
    detail: fitText(problem.message.slice(0, 512), 1_024),
    offered: { bytes, sha256 },
    first,
    by,
  })
  return {
    key: `reject:${digest.toString('hex')}`,
    digest,
    firstWins: true,
    conflict: 'internal',
    segments: [packSegment('rejection', [payload])],
  }
}
