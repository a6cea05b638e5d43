import { hash } from 'node:crypto'
import type { Principal } from '../access/principal.ts'
import type { Builds } from '../admission/builds.ts'
import { fitList } from '../admission/fit-list.ts'
import type { RecordingRefusals } from '../admission/refusals.ts'
import { byOf } from '../admission/identity.ts'
import { printAsOf, toAsOf } from '../answers/position.ts'
import { type SubjectDeps, askAsOf } from '../answers/subject.ts'
import { gateRules } from '../contract/decide-gate.ts'
import type { Book } from '../ledger/book.ts'
import { packSegment } from '../ledger/segments.ts'
import { changeKeys } from '../record/change-keys.ts'
import { type GateFields, type OverrideFields, gatePayload } from '../record/changes.ts'
import type { LedgerName } from '../record/record.ts'
import { type Found, type Settled, lookAtSubject, settle } from './decide.ts'
import { type Standing, type StandingDeps, newestGate, newestOverride, readStanding } from './standing.ts'
import { type Named, type Resolved, demandDecider, resolveNamed } from './subjects.ts'
import { waitForRuns } from './wait.ts'

/**
 * Decides whether a commit or a build may go on, and puts that on record. A decision that passed or failed stands as long as nothing it rests
 * on has changed; one that is incomplete is made anew each time, and is the same record where it says the same.
 */

export interface GateOffer extends Named {
  /** What changed lines are counted against. */
  base?: string | undefined
  /** How long to wait for suites that are missing. */
  waitMs: number
}

export interface Decided {
  /** False where this very decision stood already. */
  created: boolean
  gate: Standing<GateFields>
  override: Standing<OverrideFields> | undefined
}

/** Suites that are still missing when the time is over; nothing is on record then. */
export interface Waiting {
  waitingFor: { test_type: string; suite: string; reason: string }[]
}

export interface GatesDeps extends StandingDeps {
  org: string
  builds: Builds
  /** `<org>/changes` */
  book: Book
  subjects: SubjectDeps
  /** All generations of unit, integration and changes, oldest first. */
  ledgers: readonly LedgerName[]
  /** Durable when it resolves, under the digest of the bytes. */
  keep: (bytes: Uint8Array) => Promise<void>
  recordingRefusals: RecordingRefusals
  tail: Parameters<typeof waitForRuns>[0]['tail']
}

export type DecideGate = (who: Principal, offer: GateOffer, signal: AbortSignal) => Promise<Decided | Waiting>

export function createGates(deps: GatesDeps): DecideGate {
  return (who, offer, signal) => {
    const { repository, commit } = offer
    const offered = { ledger: deps.book.ledger, repository, commit, by: byOf(who) }
    return deps.recordingRefusals(offered, () => decide(deps, who, offer, signal))
  }
}

async function decide(
  deps: GatesDeps,
  who: Principal,
  { base, waitMs, ...named }: GateOffer,
  signal: AbortSignal,
): Promise<Decided | Waiting> {
  demandDecider(who, deps.org, named.repository)
  const subject = await resolveNamed(deps.builds, who, named)
  const until = performance.now() + waitMs
  for (;;) {
    const asOf = await publishedNow(deps)
    const found = await askAsOf(deps.subjects, deps.ledgers, subject.repository, asOf, (question) =>
      lookAtSubject(deps.subjects, question, subject, base),
    )
    if (waitMs === 0 || found.missing.length === 0) return decideNow(deps, who, subject, found)
    const left = until - performance.now()
    if (left <= 0 || signal.aborted) return { waitingFor: found.missing.map(({ test_type, suite, reason }) => ({ test_type, suite, reason })) }
    await waitForRuns(deps, found.sizes, left, signal)
  }
} // oxfmt-ignore

/** All that is published, by sizes: what the history has not got to yet is waited for, and never left out in silence. */
async function publishedNow({ subjects: { reader }, ledgers }: GatesDeps): Promise<string> {
  const sizes = ledgers.map(async (ledger) => ({ ledger, size: (await reader.published(ledger))?.size ?? 0 }))
  return printAsOf(toAsOf(await Promise.all(sizes)))
}

async function decideNow(deps: GatesDeps, who: Principal, subject: Resolved, found: Found): Promise<Decided> {
  const before = await newestGate(deps, subject)
  if (before !== undefined && before.fields.verdict !== 'incomplete' && restsOn(before.fields, found))
    return answer(deps, before, false)
  const settled = await settle(deps.subjects, found)
  const { fields, lists } = toFields(who, subject, found, settled)
  // What the one before said already is no new decision.
  const again = { ...fields, previous: before?.fields.previous }
  if (before !== undefined && changeKeys.gate(again) === changeKeys.gate(before.fields))
    return answer(deps, before, false)
  return put(deps, { ...fields, previous: before?.id }, [settled.report, ...lists])
}

/** Whether a decision rests on what is there now: contract, runs that count, suites that are missing, and base. */
function restsOn(fields: GateFields, { contract, seals, base }: Found): boolean {
  return (
    fields.seals === seals &&
    fields.base === base &&
    fields.contract === contract.contract &&
    fields.contract_version === contract.contract_version &&
    fields.contract_default === contract.contract_default &&
    fields.enforced === contract.enforced
  )
}

/** Bytes of JSON: a record holds no more, and the artifact store has the rest. */
const maxCheckBytes = 1_600
const maxMissingBytes = 900

function toFields(
  who: Principal,
  { repository, commit, ref, build, build_seq }: Resolved,
  { contract, asOf, missing, counted, seals, base }: Found,
  { verdict, reasons, checks, report }: Settled,
): { fields: GateFields; lists: Uint8Array[] } {
  const [shown, without] = [fitList(checks, maxCheckBytes), fitList(missing, maxMissingBytes)]
  const fields = {
    repository, commit, ref, build, build_seq, ...contract, as_of: asOf, verdict, reasons,
    checks: shown.shown, checks_digest: shown.digest, missing: without.shown, missing_digest: without.digest,
    counted, seals, report: hash('sha256', report, 'hex'), base, rules: gateRules, by: byOf(who),
  } // oxfmt-ignore
  return { fields, lists: [shown.list, without.list].filter((list) => list !== undefined) }
}

async function put(deps: GatesDeps, fields: GateFields, named: readonly Uint8Array[]): Promise<Decided> {
  const { book, keep } = deps
  // Before the record that names them; a crash from here on leaves bytes that nothing names, and the next gate keeps its own.
  for (const bytes of named) await keep(bytes)
  const key = changeKeys.gate(fields)
  const [recorded] = await book.appender.submit([
    // Two that decide the same at once have one key: the first is the record, and the second is answered with it.
    { key, digest: hash('sha256', key, 'buffer'), firstWins: true, conflict: 'internal', segments: [packSegment('gate', [gatePayload(book.ledger, fields)])] },
  ])
  if (recorded === undefined) throw new Error('the appender answered nothing')
  return answer(deps, await readStanding(deps, book.ledger, recorded), !recorded.repeated)
} // oxfmt-ignore

async function answer(deps: GatesDeps, gate: Standing<GateFields>, created: boolean): Promise<Decided> {
  const override = gate.fields.verdict === 'pass' ? undefined : await newestOverride(deps, gate.id)
  return { created, gate, override }
}
