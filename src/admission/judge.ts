import { type Standing, standing } from '../contract/standing.ts'
import { type Measured, type UnexplainedChange, unexplainedChanges } from '../contract/unexplained.ts'
import type { TestTotals } from '../api/runs.ts'
import type { AtHead } from '../ledger/decide.ts'
import type { Contracts } from './contracts.ts'
import { type Production, digestOfParts } from './production.ts'
import type { MeasureTotals, PartSummary } from './run.ts'
import type { RunFields } from './submissions.ts'

/**
 * What a seal says beside sums: whether the run counts by the contract that stands, and what changed since the suite's last counting run.
 * Asked at the head that the seal extends, and asked again when that head was lost: the seal names the contract it was made with.
 */
export interface Judge {
  judge(
    run: RunFields,
    ending: HowItEnded,
    parts: readonly PartSummary[],
    totals: readonly MeasureTotals[],
    at: AtHead,
  ): Promise<Judgement>
  /** Computes ahead what takes long, so that the ledger need not wait for it. */
  prepare(run: RunFields): Promise<void>
}

export interface HowItEnded {
  outcome: 'completed' | 'failed' | 'aborted'
  tests: TestTotals | null
  /** Parts of a shard are missing, and nothing stands in for it. */
  shardsIncomplete: boolean
}

export interface Judgement extends Standing {
  /** Digest and version of the repository's contract, or of the org's default where it has none; and the default it inherits from. */
  contract?: string | undefined
  contract_version?: number | undefined
  contract_default?: string | undefined
  production_digest?: string | undefined
  unexplained?: { run: unknown; seq: number; changes: UnexplainedChange[] } | undefined
}

export interface JudgeDeps {
  contracts: Pick<Contracts, 'contractAt'>
  production: Production
}

export function createJudge({ contracts, production }: JudgeDeps): Judge {
  return {
    async judge(run, how, parts, totals, at) {
      const { own, org, effective } = await contracts.contractAt(run.repository)
      const facts = { ...run, method: run.by.method, weak: run.by.weak, configuration: run.configuration_digest }
      const ending = { kind: 'seal', ...how, parts, atMs: at.time / 1000 } as const
      const found = effective === undefined ? undefined : await production.digestOf(run, effective)
      const production_digest = found ?? (effective?.production === undefined ? digestOfParts(parts) : undefined)
      const { repository, suite, ref = '' } = run
      const last = await at.lastCounting({ repository, suite, ref })
      const inherits = own !== undefined && own.parsed.inherit ? org?.contract : undefined
      return {
        ...standing(facts, ending, effective),
        contract: (own ?? org)?.contract,
        contract_version: (own ?? org)?.contract_version,
        contract_default: own === undefined ? org?.contract : inherits,
        production_digest,
        unexplained:
          last === undefined
            ? undefined
            : changesSince(last, JSON.parse((await at.payload(last)).toString()) as SealFields, {
                totals,
                configuration: run.configuration_digest,
                production_digest,
              }),
      }
    },
    async prepare(run) {
      const { effective } = await contracts.contractAt(run.repository)
      if (effective !== undefined) await production.digestOf(run, effective)
    },
  }
}

/** Of a seal record, which sealSubmission wrote. */
interface SealFields extends Measured {
  run: string
  totals_digest?: unknown
}

function changesSince(seq: number, { run, ...before }: SealFields, now: Measured): Judgement['unexplained'] {
  // A list that was cut says nothing of what is missing from it.
  const comparable =
    before.totals_digest === undefined
      ? { before, now }
      : { before: { ...before, totals: [] }, now: { ...now, totals: [] } }
  const changes = unexplainedChanges(comparable.before, comparable.now)
  return changes.length === 0 ? undefined : { run, seq, changes }
}
