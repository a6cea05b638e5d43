import { z } from 'zod'
import { noBody, nothing, route } from './route.ts'
import { count, ledgerName, seq, text, time, whole } from './shapes.ts'

/** What the service finds when it watches its destinations and itself. */

export const reconciled = z.object({
  destination: z.string(),
  ledger: ledgerName,
  at: time,
  verdict: z.enum(['same', 'differs', 'unknown']).describe('unknown: the destination could not be asked'),
  reason: z.string().optional(),
  from: seq,
  to: seq.describe('what was compared ends before it'),
  records: count.describe('how many should be there'),
  missing: count,
  duplicated: count,
  altered: count.describe('of those that were ever read back'),
  foreign: count,
  discarded: count.describe('differences that a person disposed of; they do not count above'),
  found: count.describe('parked records that turned out to be there'),
  sampled: count.describe('records that were read back and hashed'),
  first: z.array(z.object({ kind: z.string(), id: z.string(), detail: z.string() })),
})
export type ReconciledTold = z.infer<typeof reconciled>

export const alert = z.object({
  alert: z.string(),
  n: z.int().min(1),
  code: z.string(),
  subject: z.string(),
  state: z.enum(['opened', 'acknowledged', 'closed']),
  severity: z.enum(['low', 'medium', 'high', 'critical']),
  /** Whose it is to act. */
  owner: z.string(),
  /** File of the documentation. */
  playbook: z.string(),
  detail: z.string(),
  by: z.string(),
  at: time,
})
export type AlertTold = z.infer<typeof alert>
export const alertList = z.object({ alerts: z.array(alert) })

const json = (schema: z.ZodType) => ({ 'application/json': schema })
const reader = { method: 'GET', scope: ['operate', 'audit'], open: 'never', records: 'no', params: nothing, body: noBody } as const // oxfmt-ignore
const command = { method: 'POST', scope: ['operate'], open: 'never', records: 'no', query: nothing } as const
export const reconciliationList = z.object({ reconciliations: z.array(reconciled) })

export const reconcileDestination = route({
  ...command,
  name: 'reconcileDestination',
  path: '/v1/destinations/{name}/reconcile',
  summary: 'Compares a destination with the ledgers now: counts and sums, then ids; nothing is sent',
  params: z.strictObject({ name: text }),
  body: noBody,
  answers: [{ status: 200, what: 'What was found, ledger by ledger', content: json(reconciliationList) }],
  problems: [],
})

export const listReconciliations = route({
  ...reader,
  name: 'listReconciliations',
  path: '/v1/reconciliations',
  summary: 'What the last comparison with each destination found',
  query: nothing,
  answers: [{ status: 200, what: 'One for each destination and ledger', content: json(reconciliationList) }],
  problems: [],
})

export const listAlerts = route({
  ...reader,
  name: 'listAlerts',
  path: '/v1/alerts',
  summary: 'What is wrong, newest first',
  query: z.strictObject({
    all: z.enum(['true', 'false']).default('false').describe('closed ones too'),
    limit: whole(1, 1_000).default(100).describe('100 unless told'),
  }),
  answers: [{ status: 200, what: 'The alerts', content: json(alertList) }],
  problems: [],
})

export const acknowledgeAlert = route({
  ...command,
  name: 'acknowledgeAlert',
  path: '/v1/alerts/{alert}/acknowledge',
  summary: 'Somebody has seen it and takes care',
  params: z.strictObject({ alert: text.describe('its name, as the list gives it') }),
  body: { kind: 'json', schema: z.strictObject({ reason: text }) },
  answers: [{ status: 200, what: 'The alert as it stands now', content: json(alert) }],
  problems: [],
})

export const watchRoutes = [reconcileDestination, listReconciliations, listAlerts, acknowledgeAlert] as const
