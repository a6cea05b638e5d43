import type { Contracts } from '../admission/contracts.ts'
import type { RunsStore } from '../admission/runs-store.ts'
import { isTracked } from '../contract/effective.ts'
import { durationMs, type Suite } from '../contract/form.ts'
import { findSuite } from '../contract/standing.ts'
import type { Queryable } from '../database/database.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { type LedgerName, ledgerKindOf } from '../record/record.ts'
import type { Finding } from '../watch/alerts.ts'
import { knownRepositories, lastCountingByRef, openRunsBefore, rejectionsBetween, sealsBetween } from '../watch/evidence-store.ts' // oxfmt-ignore
import { type Change, type EvidenceKnown, findEvidenceProblems, printSealChanges } from '../watch/evidence.ts'

/** Looks for evidence that is missing or asks for a person: what admission knows of runs and contracts, for the alerts. */
export interface EvidenceWatch {
  /** Looks again when the last look is over `everyMs` old; otherwise answers what it found. */
  findings(): Promise<Finding[]>
}

export interface EvidenceWatchDeps {
  db: Queryable
  reader: LedgerReader
  /** `<org>/unit` and `<org>/integration` */
  ofRuns: readonly LedgerName[]
  changes: LedgerName
  runs: Pick<RunsStore, 'getRun'>
  contracts: Pick<Contracts, 'contractAt'>
  everyMs: number
  /** A run without seal for longer is told, unless its suite has a shorter cadence. */
  unsealedMs: number
  now: () => Date
}

const dayMicros = 86_400_000_000
/** What happened while nobody looked: so far back the first look goes. What was told before stays open by itself. */
const lookBackMicros = 7 * dayMicros
const eventsAtOnce = 10_000
const runsAtOnce = 500

export function createEvidenceWatch(deps: EvidenceWatchDeps): EvidenceWatch {
  const { db, reader, ofRuns, changes, runs, contracts, everyMs, unsealedMs, now } = deps
  const unexplained = new Map<string, EvidenceKnown['unexplained'][number]>()
  const conflicts = new Map<string, EvidenceKnown['conflicts'][number]>()
  /** Next seq to look at, by ledger. */
  const next = new Map<LedgerName, number>()
  let kept: { at: number; findings: Finding[] } | undefined

  const cadenceOf = (suite: Suite | undefined): number | undefined =>
    suite?.cadence === undefined || suite.cadence === 'commit' ? undefined : durationMs(suite.cadence)

  async function openRuns(at: number): Promise<EvidenceKnown['openRuns'][number][]> {
    const found: EvidenceKnown['openRuns'][number][] = []
    for (const ledger of ofRuns) {
      for (let after = ''; ;) {
        const rows = await openRunsBefore(db, ledger, at, after, runsAtOnce)
        for (const { run, declaredAt } of rows) {
          const { repository, suite, test_type } = await runs.getRun(ledger, run)
          const { effective } = await contracts.contractAt(repository)
          const cadence = effective === undefined ? undefined : cadenceOf(findSuite(effective, { suite, test_type }))
          found.push({ ledger, repository, suite, run, declaredAt, limitMs: Math.min(unsealedMs, cadence ?? Infinity) })
        }
        const last = rows.at(-1)
        if (last === undefined || rows.length < runsAtOnce) break
        after = last.run
      }
    }
    return found
  }

  async function wantedSuites(): Promise<EvidenceKnown['suites'][number][]> {
    const found: EvidenceKnown['suites'][number][] = []
    for (const repository of await knownRepositories(db, ofRuns, changes)) {
      if (repository === '*') continue // the org's default is in what stands for each repository
      const { own, org, effective } = await contracts.contractAt(repository)
      const wantedSince = Date.parse((own ?? org)?.recorded_at ?? '') * 1000
      for (const suite of effective?.suites ?? []) {
        const cadenceMs = cadenceOf(suite)
        const ledger = ofRuns.find((one) => ledgerKindOf(one) === suite.test_type)
        if (cadenceMs === undefined || suite.cadence === undefined || !suite.required || ledger === undefined) continue
        const counting = await lastCountingByRef(db, ledger, repository, suite.name)
        const tracked = counting.filter(({ ref }) => effective?.refs === undefined || isTracked(effective, ref))
        const lastAt = await timeOf(ledger, Math.max(-1, ...tracked.map(({ seq }) => seq)))
        found.push({ ledger, repository, suite: suite.name, owner: suite.owner, cadence: suite.cadence, cadenceMs, lastAt, wantedSince }) // oxfmt-ignore
      }
    }
    return found
  }

  /** Null for what is not published yet: the next look finds it. */
  async function timeOf(ledger: LedgerName, seq: number): Promise<number | null> {
    if (seq < 0) return null
    return (await reader.readBatch(ledger, seq, { maxRecords: 1 })).records[0]?.recordedAt ?? null
  }

  const fieldsAt = async (ledger: LedgerName, seq: number): Promise<Record<string, unknown>> =>
    JSON.parse((await reader.payload(ledger, seq)).toString()) as Record<string, unknown> // our own record

  /** From where the last look ended up to what is published. */
  async function span(ledger: LedgerName, at: number): Promise<{ from: number; to: number }> {
    const from = next.get(ledger) ?? (await reader.seqAt(ledger, at - lookBackMicros))
    return { from, to: Math.max(from, (await reader.published(ledger))?.size ?? 0) }
  }

  async function readSeals(at: number): Promise<void> {
    for (const ledger of ofRuns) {
      const { from, to } = await span(ledger, at)
      for (const { repository, suite, ref, seq } of await sealsBetween(db, ledger, from, to, eventsAtOnce)) {
        const { effective } = await contracts.contractAt(repository)
        if (effective?.refs !== undefined && !isTracked(effective, ref)) continue
        const { run, unexplained_change: change } = await fieldsAt(ledger, seq)
        if (change === undefined) continue
        const { count, changes: list } = change as { count: number; changes: Change[] } // written by sealSubmission
        const subject = [ledger, repository, suite, ref].filter((part) => part !== '').join(' ')
        const happenedAt = (await timeOf(ledger, seq)) ?? at
        unexplained.set(subject, { subject, run: String(run), at: happenedAt, detail: printSealChanges(count, list) })
      }
      next.set(ledger, to)
    }
  }

  async function readRejections(at: number): Promise<void> {
    const { from, to } = await span(changes, at)
    for (const { seq, at: happenedAt } of await rejectionsBetween(db, changes, from, to, eventsAtOnce)) {
      const { reason, repository, detail } = await fieldsAt(changes, seq)
      if (reason !== 'contract_conflict') continue
      conflicts.set(String(repository), { subject: String(repository), at: happenedAt, detail: String(detail) })
    }
    next.set(changes, to)
  }

  return {
    async findings() {
      const at = now().getTime() * 1000
      if (kept !== undefined && at - kept.at < everyMs * 1000) return kept.findings
      await readSeals(at)
      await readRejections(at)
      const found = findEvidenceProblems({
        now: at,
        lookedAt: String(at),
        openRuns: await openRuns(at),
        suites: await wantedSuites(),
        unexplained: [...unexplained.values()],
        conflicts: [...conflicts.values()],
      })
      kept = { at, findings: found }
      return found
    },
  }
}
