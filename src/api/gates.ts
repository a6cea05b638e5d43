import { z } from 'zod'
import { gateReasons, verdicts } from '../record/changes.ts'
import { by, dispositions, listed, listing, named, page, recorded, recording, someCommit } from './decisions.ts'
import { nothing, route } from './route.ts'
import { commit, count, recordId, sha256, testType, text } from './shapes.ts'

/** Whether a commit or a build may go on. */

const subject = { repository: text, commit, ref: text.optional(), build: text.optional(), build_seq: count.optional() }
const rest = z.object({ count, sha256 }).optional().describe('the whole list lies in the artifact store')

export const override = z
  .object({
    ...recorded,
    ...subject,
    verdict: z.literal('overridden'),
    overrides: recordId,
    overridden: z.enum(['fail', 'incomplete']),
    enforced: z.boolean(),
    reason: text,
    ticket: text,
    by,
  })
  .meta({ id: 'GateOverride' })

const check = z.object({
  limit: z.enum(['lines', 'changed_lines']),
  test_type: testType,
  suite: text.optional().describe('absent: over all suites of the test type'),
  definition: text,
  wanted: z.number().describe('per cent'),
  executed: count,
  found: count,
  met: z.boolean().describe('also where nothing was found'),
})
const missing = z.object({ test_type: testType, suite: text, owner: text.optional(), reason: z.string() })

export const gate = z
  .object({
    ...recorded,
    ...subject,
    contract: sha256.nullable(),
    contract_version: count.optional(),
    contract_default: sha256.optional(),
    enforced: z.boolean().describe('false: the contract only observes, and nothing is to stop'),
    as_of: z.string(),
    verdict: z.enum(verdicts),
    reasons: z.array(z.enum(gateReasons)),
    checks: z.array(check),
    checks_digest: rest,
    missing: z.array(missing),
    missing_digest: rest,
    counted: count.describe('runs'),
    seals: sha256.describe('over the seals that count and what is missing: as long as it is the same, pass and fail stand'),
    report: sha256.describe('what it was decided by'),
    base: commit.optional().describe('what changed lines are counted against'),
    previous: recordId.optional(),
    rules: z.string(),
    by,
    override: override.nullable(),
  })
  .meta({ id: 'Gate' }) // oxfmt-ignore
export type GateAnswer = z.infer<typeof gate>

export const gateWaiting = z
  .object({ verdict: z.null(), waiting_for: z.array(z.object({ test_type: testType, suite: text, reason: z.string() })) })
  .meta({ id: 'GateWaiting' }) // oxfmt-ignore

export const decideGate = route({
  name: 'decideGate',
  method: 'POST',
  path: '/v1/gates',
  summary: 'Decide whether a commit or a build may go on, by the contract and the report as of now',
  scope: ['push', 'operate'],
  open: 'never',
  records: 'no', // the decision is itself a record
  params: nothing,
  query: nothing,
  body: {
    kind: 'json',
    schema: z
      .strictObject({
        ...named,
        base: commit.optional().describe('what changed lines are counted against; default: the commit before on a tracked ref'),
        wait_s: z.int().min(0).max(30).default(0).describe('how long to wait for missing suites; nothing is recorded when it is over'),
      })
      .meta({ id: 'GateQuestion' }),
  },
  answers: [
    { status: 201, what: 'Decided', content: { 'application/json': gate } },
    { status: 200, what: 'Decided before, and nothing it rests on has changed', content: { 'application/json': gate } },
    { status: 202, what: 'Suites are still missing and the time to wait is over', content: { 'application/json': gateWaiting } },
  ],
  problems: ['history_behind', 'integrity', ...recording],
}) // oxfmt-ignore

export const overrideGate = route({
  name: 'overrideGate',
  method: 'POST',
  path: '/v1/gates/{id}/override',
  summary: 'Let go on what a gate did not let pass; the decision stays what it was',
  scope: ['operate'],
  open: 'never',
  records: 'no',
  params: z.strictObject({ id: recordId }),
  query: nothing,
  body: { kind: 'json', schema: z.strictObject({ reason: text, ticket: text }) },
  answers: [
    { status: 201, what: 'On record', content: { 'application/json': override } },
    { status: 200, what: 'On record before', content: { 'application/json': override } },
  ],
  problems: recording,
})

export const gateList = z.object({ ...listed, gates: z.array(gate.extend({ dispositions })) }).meta({ id: 'Gates' })
export const listGates = route({
  ...listing,
  name: 'listGates',
  path: '/v1/gates',
  summary: 'Gate decisions with their overrides, newest first',
  query: z.strictObject({ ...page, commit: someCommit, build: text.optional(), verdict: z.enum(verdicts).optional() }),
  answers: [{ status: 200, what: 'Gates', content: { 'application/json': gateList } }],
})

export const gateRoutes = [decideGate, overrideGate, listGates] as const
