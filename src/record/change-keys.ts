import type {
  DeploymentFields,
  DispositionFields,
  DispositionTarget,
  GateCheck,
  GateFields,
  MissingSuite,
  OverrideFields,
  ReportFields,
} from './changes.ts'
import { sha256, sha256Hex } from './sha256.ts'

/**
 * The keys under which records of `changes` are submitted. Each follows from the record itself, so that `proofline recover` puts a record back
 * under the one it had. Names stand in keys as JSON: `a/b` with build `c` and `a` with build `b/c` are two things.
 */

const encoder = new TextEncoder()
const hashOf = (value: unknown): Uint8Array => sha256(encoder.encode(JSON.stringify(value)))
const digestOf = (value: unknown): string => sha256Hex(encoder.encode(JSON.stringify(value)))

export type GateSubject = Pick<GateFields, 'repository' | 'commit' | 'build'>

/** Begins the keys of all decisions about a subject: a commit, or a build of one. */
export function gatePrefix({ repository, commit, build }: GateSubject): string {
  return `gate:${JSON.stringify(build === undefined ? [repository, commit] : [repository, commit, build])}/`
}

/** The same of all subjects of a commit: behind this there is the end of the list, or a build. */
export function commitPrefix({ repository, commit }: Pick<GateSubject, 'repository' | 'commit'>): string {
  return `gate:${JSON.stringify([repository, commit]).slice(0, -1)}`
}

/** What decides whether two decisions are the same one: not when, by whom, and as of which sizes it was found. */
export function gateDigest(
  fields: Omit<GateFields, 'as_of' | 'report' | 'rules' | 'by' | 'build_seq' | 'ref'>,
): string {
  const { contract, contract_version, contract_default, enforced, verdict, reasons, checks, checks_digest } = fields
  const { missing, missing_digest, seals, base, previous } = fields
  return digestOf([
    [contract, contract_version, contract_default, enforced],
    [verdict, reasons, checks.map(checkKey), checks_digest?.sha256],
    [missing.map(missingKey), missing_digest?.sha256],
    [seals, base, previous],
  ])
}

const checkKey = ({ limit, test_type, suite, definition, wanted, executed, found }: GateCheck): unknown[] =>
  [limit, test_type, suite, definition, wanted, executed, found] // oxfmt-ignore
const missingKey = ({ test_type, suite, reason }: MissingSuite): unknown[] => [test_type, suite, reason]

export const changeKeys = {
  gate: (fields: GateFields): string => `${gatePrefix(fields)}${fields.contract ?? 'none'}/${gateDigest(fields)}`,
  override: ({ overrides, reason, ticket, by }: OverrideFields): string =>
    `${overridePrefix(overrides)}${digestOf([reason, ticket, by.method, by.issuer, by.subject, by.actor_id])}`,
  deployment: ({ repository, deployment }: Pick<DeploymentFields, 'repository' | 'deployment'>): string =>
    `deployment:${JSON.stringify([repository, deployment])}`,
  disposition: (fields: DispositionFields): string => `disposition:${dispositionDigest(fields)}`,
  report: ({ sha256 }: Pick<ReportFields, 'sha256'>): string => `report:${sha256}`,
}

export const overridePrefix = (gate: string): string => `override:${gate}/`

/** What a deployment asserts: not the decision, which is ours, and not who says so. */
export function deploymentDigest(fields: Omit<DeploymentFields, 'decision' | 'enforced' | 'gate' | 'by'>): Uint8Array {
  const { repository, deployment, environment, build, commit, artifact, url, deployed_at } = fields
  return hashOf([repository, deployment, environment, build, commit, artifact, url, deployed_at])
}

export function dispositionDigest({ repository, subject, note, verdict, until, blob, by }: DispositionFields): string {
  return digestOf([repository, subject, note, verdict, until, blob, by.method, by.issuer, by.subject, by.actor_id])
}

/** `lines:src/refund.ts:12-20`, `deployment:2026-11-23.1`: as people write it, and as records name it. */
export function printTarget(target: DispositionTarget): string {
  switch (target.kind) {
    case 'lines':
      return `lines:${target.path}:${target.lines}`
    case 'file':
      return `file:${target.path}`
    case 'day':
      return ['day:' + target.day, target.test_type, target.suite].filter((part) => part !== undefined).join('/')
    case 'run':
      return `run:${target.run}`
    case 'gate':
      return `gate:${target.id}`
    case 'alert':
      return `alert:${target.alert}`
    case 'dead_letter':
      return `dead_letter:${target.destination}/${target.id}`
    case 'deployment':
      return `deployment:${target.id}`
  }
}
