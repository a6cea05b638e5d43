import type { LedgerName, TestType } from './record.ts'
import { type By, printPayload } from './run.ts'

/** Payloads of what is decided about the software, in the ledger `changes`, in the key order of their schemas. Keys: change-keys.ts. */

export interface BuildFields {
  repository: string
  build: string
  commit: string
  ref?: string | undefined
}

export const verdicts = ['pass', 'fail', 'incomplete'] as const
export type Verdict = (typeof verdicts)[number]

/** Why a gate did not pass, in the order in which a record names them. All but the last leave it incomplete. */
export const gateReasons = [
  'no_contract',
  'suite_missing',
  'not_sealed',
  'nothing_measured',
  'changed_lines_unknown',
  'below_threshold',
] as const
export type GateReason = (typeof gateReasons)[number]

/** One limit of the contract at one definition; `suite` absent: over all suites of the test type. */
export interface GateCheck {
  limit: 'lines' | 'changed_lines'
  test_type: TestType
  suite?: string | undefined
  definition: string
  /** Per cent. */
  wanted: number
  executed: number
  found: number
  met: boolean
}

/** A required suite without a counting run. */
export interface MissingSuite {
  test_type: TestType
  suite: string
  owner?: string | undefined
  /** Of its runs that do not count; `no_run` where there is none. */
  reason: string
}

/** What did not fit: the whole list lies in the artifact store under this digest, as JSON lines. */
export interface Rest {
  count: number
  sha256: string
}

export interface GateFields {
  repository: string
  commit: string
  ref?: string | undefined
  build?: string | undefined
  build_seq?: number | undefined
  /** Digest and version of the repository's contract, or of the org's default where it has none; and the default it inherits from. */
  contract: string | null
  contract_version?: number | undefined
  contract_default?: string | undefined
  /** Whether the contract says `enforce`. */
  enforced: boolean
  as_of: string
  verdict: Verdict
  reasons: readonly GateReason[]
  checks: readonly GateCheck[]
  checks_digest?: Rest | undefined
  missing: readonly MissingSuite[]
  missing_digest?: Rest | undefined
  /** How many runs count, and the digest over their seals and over what is missing. */
  counted: number
  seals: string
  /** The bytes of the report that it was decided by: `/v1/reports/{sha256}`. */
  report: string
  /** What changed lines are counted against. */
  base?: string | undefined
  /** Id of the decision before, of the same subject. */
  previous?: string | undefined
  rules: string
  by: By
}

/** A gate record too: stands beside the decision, which stays as it is. */
export interface OverrideFields {
  repository: string
  commit: string
  ref?: string | undefined
  build?: string | undefined
  build_seq?: number | undefined
  verdict: 'overridden'
  /** Id and verdict of the decision. */
  overrides: string
  overridden: Exclude<Verdict, 'pass'>
  enforced: boolean
  reason: string
  ticket: string
  by: By
}

export const decisions = [...verdicts, 'none', 'overridden'] as const
export type DeploymentDecision = (typeof decisions)[number]

export interface DeploymentFields {
  repository: string
  deployment: string
  environment: string
  build?: string | undefined
  build_seq?: number | undefined
  commit: string
  /** SHA-256 of what was deployed. */
  artifact?: string | undefined
  /** What stood when it was recorded: of the newest gate of its build or commit, or of who overrode that. */
  decision: DeploymentDecision
  /** Whether the contract that stood says `enforce`. */
  enforced: boolean
  gate: string | null
  override?: string | undefined
  url?: string | undefined
  /** What the client claims. */
  deployed_at?: string | undefined
  by: By
}

export type DispositionTarget =
  | { kind: 'lines'; path: string; lines: string; commit?: string | undefined }
  | { kind: 'file'; path: string; commit?: string | undefined }
  | { kind: 'day'; day: string; test_type?: TestType | undefined; suite?: string | undefined }
  | { kind: 'run'; run: string }
  | { kind: 'gate'; id: string }
  | { kind: 'alert'; alert: string }
  | { kind: 'dead_letter'; destination: string; id: string }
  | { kind: 'deployment'; id: string }

export const dispositionVerdicts = ['accepted', 'false_positive', 'planned'] as const
export type DispositionVerdict = (typeof dispositionVerdicts)[number]

export interface DispositionFields {
  /** `*` for what belongs to none: alerts and dead letters. */
  repository: string
  target: DispositionTarget
  /** The target in one text, for who searches. */
  subject: string
  note: string
  verdict?: DispositionVerdict | undefined
  /** The last day on which it holds. */
  until?: string | undefined
  /** Of the file: with another one it holds no more. */
  blob?: string | undefined
  by: By
}

export interface ReportFields {
  repository: string
  query: object
  as_of: string
  rules: string
  sha256: string
  bytes: number
  envelope_sha256: string
  by: By
}

/** Members in the order of the schema, whatever order they come in; what is undefined is left out by JSON. */
export function buildPayload(ledger: LedgerName, { repository, build, commit, ref }: BuildFields): Uint8Array {
  return printPayload('build', ledger, { repository, build, commit, ref })
}

export function gatePayload(ledger: LedgerName, fields: GateFields): Uint8Array {
  const { repository, commit, ref, build, build_seq, contract, contract_version, contract_default, enforced } = fields
  const { as_of, verdict, reasons, checks, checks_digest, missing, missing_digest, counted, seals, report } = fields
  const { base, previous, rules, by } = fields
  return printPayload('gate', ledger, {
    repository, commit, ref, build, build_seq, contract, contract_version, contract_default, enforced, as_of, verdict, reasons,
    checks: checks.map(toCheck), checks_digest, missing: missing.map(toMissing), missing_digest, counted, seals, report, base, previous, rules, by,
  }) // oxfmt-ignore
}

const toCheck = ({ limit, test_type, suite, definition, wanted, executed, found, met }: GateCheck): GateCheck => ({ limit, test_type, suite, definition, wanted, executed, found, met }) // oxfmt-ignore
const toMissing = ({ test_type, suite, owner, reason }: MissingSuite): MissingSuite => ({
  test_type,
  suite,
  owner,
  reason,
})

export function overridePayload(ledger: LedgerName, fields: OverrideFields): Uint8Array {
  const { repository, commit, ref, build, build_seq, verdict, overrides, overridden, enforced, reason, ticket, by } = fields // oxfmt-ignore
  return printPayload('gate', ledger, {
    repository, commit, ref, build, build_seq, verdict, overrides, overridden, enforced, reason, ticket, by,
  }) // oxfmt-ignore
}

export function deploymentPayload(ledger: LedgerName, fields: DeploymentFields): Uint8Array {
  const { repository, deployment, environment, build, build_seq, commit, artifact } = fields
  const { decision, enforced, gate, override, url, deployed_at, by } = fields
  return printPayload('deployment', ledger, {
    repository, deployment, environment, build, build_seq, commit, artifact, decision, enforced, gate, override, url, deployed_at, by,
  }) // oxfmt-ignore
}

export function dispositionPayload(ledger: LedgerName, fields: DispositionFields): Uint8Array {
  const { repository, target, subject, note, verdict, until, blob, by } = fields
  return printPayload('disposition', ledger, { repository, target, subject, note, verdict, until, blob, by })
}

export function reportPayload(ledger: LedgerName, fields: ReportFields): Uint8Array {
  const { repository, query, as_of, rules, sha256, bytes, envelope_sha256, by } = fields
  return printPayload('report', ledger, { repository, query, as_of, rules, sha256, bytes, envelope_sha256, by })
}
