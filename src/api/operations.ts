import { z } from 'zod'
import { noBody, nothing, route } from './route.ts'
import { count, ledger, ledgerName, seq, text, time, whole } from './shapes.ts'
import { closedLedger } from './closed.ts'
import { consumer } from './consumers.ts'
import { witness } from './witnesses.ts'

/** What operators and machines read about the service itself. */

const follower = z.looseObject({ name: z.string(), ledger: ledgerName, next: seq, lag: count })

export const status = z.looseObject({
  version: z.string(),
  org: z.string(),
  as_of: z.string().describe('sizes of the ledgers, as unit:184471,integration:99210'),
  ledgers: z.array(z.looseObject({ ledger: ledgerName, recorded: count, published: count })),
  closed: z.array(closedLedger).optional().describe('ledgers that were closed with a loss (docs/recovery.md)'),
  followers: z.array(follower),
  witnesses: z.array(witness).optional().describe('those of log.policy, for each ledger'),
  consumers: z.array(consumer),
})
export type Status = z.infer<typeof status>

export const redelivery = z.object({
  n: z.int().min(1),
  why: z.enum(['retry', 'missing', 'range']),
  first: seq,
  last: seq,
  next: seq.describe('how far it is taken on'),
  state: z.enum(['waiting', 'running', 'ended']),
  reason: z.string(),
  by: z.string(),
  at: time,
})

export const destination = z.looseObject({
  name: z.string(),
  kind: z.string(),
  state: z.enum(['running', 'paused', 'blocked']),
  proof: z.string().describe('what a delivery rests on: ack, search or answer'),
  ledgers: z.array(
    z.looseObject({
      ledger: ledgerName,
      state: z.enum(['running', 'paused', 'blocked']),
      reason: z.string().optional().describe('why it is paused or blocked, or weaker_proof'),
      detail: z.string(),
      sent_to: seq,
      proved_to: seq,
      published: seq,
      in_doubt: count,
      parked: count,
      redeliveries: z.array(redelivery).describe('that have not ended, or within a day'),
      failure: z
        .looseObject({ at: time, reason: z.string(), address: z.string().nullable(), phase: z.string().nullable() })
        .nullable()
        .optional()
        .describe('why what is open was not taken when it was tried last'),
    }),
  ),
})
export type DestinationStatus = z.infer<typeof destination>

export const deadLetterKind = z.enum([
  'refused',
  'unresolved',
  'unproved',
  'missing',
  'duplicated',
  'altered',
  'foreign',
])

export const deadLetter = z.looseObject({
  letter: z.string().describe('its name in this list'),
  kind: deadLetterKind.describe('the first three were parked by delivery, the others found by a comparison'),
  destination: z.string(),
  ledger: ledgerName,
  seq: seq.nullable(),
  id: z.string().describe('of the record, or what a foreigner wrote there'),
  reason: z.string(),
  since: time,
})
export type DeadLetter = z.infer<typeof deadLetter>

export const deadLetterQuery = z.strictObject({
  destination: text.optional(),
  ledger: ledger.optional(),
  kind: deadLetterKind.optional(),
  after: z.string().max(4_096).optional().describe('`next` of the page before'),
  limit: whole(1, 1_000).default(100).describe('100 unless told'),
})
export type DeadLetterQuery = z.infer<typeof deadLetterQuery>

const json = (schema: z.ZodType) => ({ 'application/json': schema })
const operator = {
  method: 'GET',
  scope: ['operate', 'audit'],
  open: 'never',
  records: 'no',
  params: nothing,
  body: noBody,
} as const
const machine = {
  method: 'GET',
  scope: [],
  open: 'always',
  records: 'no',
  params: nothing,
  query: nothing,
  body: noBody,
} as const

export const getStatus = route({
  ...operator,
  name: 'getStatus',
  path: '/v1/status',
  summary: 'What is recorded, signed and delivered, and how far everybody is',
  query: nothing,
  answers: [{ status: 200, what: 'The status', content: json(status) }],
  problems: [],
})

export const listDestinations = route({
  ...operator,
  name: 'listDestinations',
  path: '/v1/destinations',
  summary: 'The SIEMs that records are pushed to, with their positions',
  query: nothing,
  answers: [{ status: 200, what: 'The destinations', content: json(z.object({ destinations: z.array(destination) })) }],
  problems: [],
})

export const deadLetterPage = z.object({ dead_letters: z.array(deadLetter), next: z.string().nullable() })
export type DeadLetterPage = z.infer<typeof deadLetterPage>

export const listDeadLetters = route({
  ...operator,
  name: 'listDeadLetters',
  path: '/v1/dead-letters',
  summary: 'Records that a destination refused, holds in doubt, or does not hold as they are, until someone decides',
  query: deadLetterQuery,
  answers: [{ status: 200, what: 'A page', content: json(deadLetterPage) }],
  problems: [],
})

export const held = z.object({
  destination: z.string(),
  state: z.enum(['running', 'paused']).describe("the operator's word; circumstances may block it besides"),
  changed: z.boolean().describe('false when it was so already'),
})
export type Held = z.infer<typeof held>

export const setupReport = z.object({
  destination: z.string(),
  flavour: z.enum(['elasticsearch', 'opensearch', 'serverless']),
  version: z.string(),
  applied: z.boolean().describe('false for a dry run'),
  requests: z.array(z.object({ method: z.literal('PUT'), path: z.string(), body: z.looseObject({}) })),
  notes: z.array(z.string()),
})
export type SetupReport = z.infer<typeof setupReport>

export const checkReport = z.object({
  destination: z.string(),
  ok: z.boolean().describe('no step failed'),
  steps: z.array(
    z.object({
      step: z.string(),
      result: z.enum(['ok', 'warning', 'failed', 'skipped']),
      detail: z.string(),
      ms: count,
    }),
  ),
})
export type CheckReport = z.infer<typeof checkReport>

/** Told to a destination by name; each is a `command` record before it is carried out. */
const told = {
  method: 'POST',
  scope: ['operate'],
  open: 'never',
  records: 'no',
  params: z.strictObject({ name: z.string().max(40) }),
  query: nothing,
} as const
const recording = ['recording_stopped', 'clock_step', 'signer_not_current', 'rollback_detected'] as const
const because = {
  kind: 'json',
  schema: z.strictObject({ reason: text.describe('why, for who reads the record') }),
} as const

export const pauseDestination = route({
  ...told,
  name: 'pauseDestination',
  path: '/v1/destinations/{name}/pause',
  summary: 'Send nothing to a destination until it is resumed; what is on its way is not called back',
  body: because,
  answers: [{ status: 200, what: 'It is paused', content: json(held) }],
  problems: recording,
})

export const resumeDestination = route({
  ...told,
  name: 'resumeDestination',
  path: '/v1/destinations/{name}/resume',
  summary: 'Let a paused destination go on from where it is',
  body: because,
  answers: [{ status: 200, what: 'It is not paused', content: json(held) }],
  problems: recording,
})

export const setUpDestination = route({
  ...told,
  name: 'setUpDestination',
  path: '/v1/destinations/{name}/setup',
  summary: 'Install pipeline, lifecycle, templates and aliases in Elasticsearch or OpenSearch, or print them',
  body: { kind: 'json', schema: z.strictObject({ dry_run: z.boolean().default(false) }) },
  answers: [{ status: 200, what: 'What was installed, or would be', content: json(setupReport) }],
  problems: ['destination_refused', ...recording],
})

export const checkDestination = route({
  ...told,
  name: 'checkDestination',
  path: '/v1/destinations/{name}/check',
  summary: 'Go through everything that delivery needs, up to a canary that is sent and found again',
  body: {
    kind: 'json',
    schema: z.strictObject({ wait_s: z.int().min(1).max(600).default(60).describe('how long a canary is waited for') }),
  },
  answers: [{ status: 200, what: 'What was found, step by step', content: json(checkReport) }],
  problems: recording,
})

const word = (value: string) => ({ 'text/plain': z.literal(value) })

export const getHealth = route({
  ...machine,
  name: 'getHealth',
  path: '/healthz',
  summary: 'Whether the process answers',
  answers: [{ status: 200, what: 'It does', content: word('ok') }],
  problems: [],
})

export const getReadiness = route({
  ...machine,
  name: 'getReadiness',
  path: '/readyz',
  summary: 'Whether the service can record and read',
  answers: [
    { status: 200, what: 'It can', content: word('ready') },
    { status: 503, what: 'It cannot', content: word('unready') },
  ],
  problems: [],
})

export const getMetrics = route({
  ...machine,
  name: 'getMetrics',
  path: '/metrics',
  summary: 'Prometheus metrics',
  scope: ['operate'],
  open: 'loopback',
  answers: [{ status: 200, what: 'The metrics', content: { 'text/plain': z.string() } }],
  problems: [],
})

export const getPage = route({
  ...machine,
  name: 'getPage',
  path: '/',
  summary: 'What this is and where its parts are, for people',
  answers: [{ status: 200, what: 'A page', content: { 'text/html': z.string() } }],
  problems: [],
})

export const operationRoutes = [
  getStatus,
  listDestinations,
  listDeadLetters,
  pauseDestination,
  resumeDestination,
  setUpDestination,
  checkDestination,
  getHealth,
  getReadiness,
  getMetrics,
  getPage,
] as const
