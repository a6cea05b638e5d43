import { describe, expect, it } from 'vitest'
import { submissionOf } from '../../src/recover/submission-of.ts'
import { changeKeys, commitPrefix, deploymentDigest, gatePrefix, printTarget } from '../../src/record/change-keys.ts'
import {
  type DeploymentFields,
  type DispositionFields,
  type GateFields,
  type OverrideFields,
  deploymentPayload,
  dispositionPayload,
  gatePayload,
  overridePayload,
  reportPayload,
} from '../../src/record/changes.ts'
import type { RecordKind } from '../../src/record/record.ts'

const by = { method: 'token', subject: 'token:1' }
const commit = 'a'.repeat(40)
const repository = 'github.com/acme/payments'
const gate: GateFields = {
  repository, commit, ref: 'refs/heads/main', build: 'b1', build_seq: 7, contract: 'c'.repeat(64), contract_version: 2, enforced: true,
  as_of: 'unit:3,integration:4,changes:5', verdict: 'fail', reasons: ['below_threshold'],
  checks: [{ limit: 'lines', test_type: 'unit', definition: 'lcov.da@1', wanted: 80, executed: 7, found: 10, met: false }],
  missing: [], counted: 1, seals: 'd'.repeat(64), report: 'e'.repeat(64), rules: 'gate@1', by,
} // oxfmt-ignore
const override: OverrideFields = {
  repository, commit, verdict: 'overridden', overrides: 'main.changes-1-0000000000000000', overridden: 'fail', enforced: true, reason: 'r', ticket: 'T-1', by,
} // oxfmt-ignore
const deployment: DeploymentFields = {
  repository, deployment: 'd1', environment: 'production', build: 'b1', build_seq: 7, commit, artifact: 'f'.repeat(64),
  decision: 'pass', enforced: true, gate: 'main.changes-1-0000000000000000', by,
} // oxfmt-ignore
const disposition: DispositionFields = {
  repository, target: { kind: 'lines', path: 'src/a.ts', lines: '12-20' }, subject: 'lines:src/a.ts:12-20', note: 'n', verdict: 'accepted', until: '2026-12-01', blob: 'b'.repeat(40), by,
} // oxfmt-ignore

const told = (kind: RecordKind, payload: Uint8Array) => {
  const fields = JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown>
  return submissionOf({ id: 'main.changes-9-0000000000000000', seq: 9, recordedAt: 0, kind, fields })
}

describe('keys of changes', () => {
  it('follow from the record, so that one that was lost is put back under its own', () => {
    expect(told('gate', gatePayload('main/changes', gate))?.key).toBe(changeKeys.gate(gate))
    expect(told('gate', gatePayload('main/changes', { ...gate, contract: null, build: undefined }))?.key).toBe(
      changeKeys.gate({ ...gate, contract: null, build: undefined }),
    )
    expect(told('gate', overridePayload('main/changes', override))?.key).toBe(changeKeys.override(override))
    expect(told('deployment', deploymentPayload('main/changes', deployment))).toEqual({
      key: changeKeys.deployment(deployment),
      digest: deploymentDigest(deployment),
    })
    expect(told('disposition', dispositionPayload('main/changes', disposition))?.key).toBe(changeKeys.disposition(disposition)) // oxfmt-ignore
    const report = { repository, query: { commit }, as_of: 'unit:1', rules: 'report@1', sha256: 'a'.repeat(64), bytes: 1, envelope_sha256: 'b'.repeat(64), by } // oxfmt-ignore
    expect(told('report', reportPayload('main/changes', report))?.key).toBe(`report:${'a'.repeat(64)}`)
  })

  it('of a gate are the same for the same decision, whoever asked and when, and another where anything else differs', () => {
    const key = changeKeys.gate(gate)
    expect(changeKeys.gate({ ...gate, as_of: 'unit:9', report: '0'.repeat(64), by: { method: 'token', subject: 'x' } })).toBe(key) // oxfmt-ignore
    const others: Partial<GateFields>[] = [
      { build: 'b2' },
      { build: undefined },
      { contract: null },
      { contract_version: 3 },
      { contract_default: 'd'.repeat(64) },
      { enforced: false },
      { verdict: 'incomplete' },
      { reasons: [] },
      { checks: gate.checks.map((check) => ({ ...check, executed: 8 })) },
      { missing: [{ test_type: 'unit', suite: 'a', reason: 'no_run' }] },
      { seals: '0'.repeat(64) },
      { base: commit },
      { previous: 'main.changes-1-0000000000000000' },
    ]
    expect(new Set(others.map((other) => changeKeys.gate({ ...gate, ...other }))).add(key).size).toBe(others.length + 1)
  })

  it('keep names apart that hold separators', () => {
    const subjects = [
      { repository: 'a/b', build: 'c', commit },
      { repository: 'a', build: 'b/c', commit },
      { repository: `a","${commit}`, build: 'c', commit },
      { repository: 'a', commit, build: undefined },
      { repository: 'a', build: commit, commit },
    ]
    const prefixes = subjects.map(gatePrefix)
    for (const [i, one] of prefixes.entries())
      expect(prefixes.filter((other, j) => i !== j && other.startsWith(one))).toEqual([])
    const ofCommit = commitPrefix({ repository: 'a', commit })
    expect(prefixes.map((one) => one.startsWith(ofCommit))).toEqual([false, true, false, true, true])
    expect(changeKeys.deployment({ repository: 'a/b', deployment: 'c' })).not.toBe(
      changeKeys.deployment({ repository: 'a', deployment: 'b/c' }),
    )
  })

  it('bind a deployment to what was said of it, not to the decision that stood', () => {
    expect(deploymentDigest({ ...deployment, decision: 'fail', gate: null } as DeploymentFields)).toEqual(deploymentDigest(deployment)) // oxfmt-ignore
    expect(deploymentDigest({ ...deployment, environment: 'staging' })).not.toEqual(deploymentDigest(deployment))
  })

  it('name a target as people write it', () => {
    expect(printTarget({ kind: 'day', day: '2026-11-20', test_type: 'unit', suite: 'api' })).toBe('day:2026-11-20/unit/api') // oxfmt-ignore
    expect(printTarget({ kind: 'dead_letter', destination: 'siem', id: 'x' })).toBe('dead_letter:siem/x')
  })
})
