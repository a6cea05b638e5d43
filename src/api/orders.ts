import { z } from 'zod'
import { deadLetterKind } from './operations.ts'
import { noBody, nothing, route } from './route.ts'
import { count, ledger, ledgerName, seq, text, time, whole } from './shapes.ts'

/** What operators do about records that were sent, or should be there: each is a `command` record before it counts. */

const json = (schema: z.ZodType) => ({ 'application/json': schema })
const recording = ['recording_stopped', 'clock_step', 'signer_not_current', 'rollback_detected'] as const
const operating = { scope: ['operate'], open: 'never', records: 'no' } as const
const command = { ...operating, method: 'POST', query: nothing, problems: recording } as const
const params = z.strictObject({ name: z.string().max(40) })
const reason = text.describe('why, for who reads the record')

/** By name, or all of a destination, a ledger, a kind. */
const choice = z
  .strictObject({
    letters: z.array(z.string().min(1).max(4_096)).min(1).max(1_000).optional(),
    destination: text.optional(),
    ledger: ledger.optional(),
    kind: deadLetterKind.optional(),
    reason,
  })
  .refine(({ letters, destination }) => letters !== undefined || destination !== undefined, {
    message: 'name letters, or a destination',
  })
export type Choice = z.infer<typeof choice>

export const decided = z.object({
  decided: count.describe('records that are sent again, or letters that were disposed of'),
  left: count.describe('letters that stay as they were: of a kind that is not sent again, or under way already'),
})
export type Decided = z.infer<typeof decided>

export const retryDeadLetters = route({
  ...command,
  name: 'retryDeadLetters',
  path: '/v1/dead-letters/retry',
  summary: 'Send dead letters again: parked records, and what a comparison found missing',
  params: nothing,
  body: { kind: 'json', schema: choice },
  answers: [{ status: 200, what: 'They are ordered', content: json(decided) }],
})

export const discardDeadLetters = route({
  ...command,
  name: 'discardDeadLetters',
  path: '/v1/dead-letters/discard',
  summary: 'Take dead letters off the list for good, with a justification',
  params: nothing,
  body: { kind: 'json', schema: choice },
  answers: [{ status: 200, what: 'They are disposed of', content: json(decided) }],
})

export const redelivered = z.object({
  destination: z.string(),
  orders: z.array(z.object({ ledger: ledgerName, n: z.int().min(1), first: seq, last: seq })),
  records: count.describe('at most; what the destination does not select is passed over'),
  left: count.describe('missing as well, and for the next comparison to find'),
})
export type Redelivered = z.infer<typeof redelivered>

const place = z.string().max(40).describe('a seq, or a time (RFC 3339)')
const redelivery = z
  .strictObject({
    ledger: ledger.optional(),
    from: place.optional(),
    to: place.optional().describe('a seq is included, a time is not'),
    missing: z.boolean().default(false).describe('what the last comparison found missing'),
    reason,
  })
  .refine(
    ({ missing, ledger: of, from, to }) =>
      missing ? from === undefined && to === undefined : of !== undefined && from !== undefined && to !== undefined,
    { message: 'give ledger, from and to; or missing' },
  )
export type RedeliveryAsked = z.infer<typeof redelivery>

export const redeliverDestination = route({
  ...command,
  name: 'redeliverDestination',
  path: '/v1/destinations/{name}/redeliver',
  summary: 'Send a stretch of a ledger again, or what is missing; Splunk shows the copies as possible duplicates',
  params,
  body: { kind: 'json', schema: redelivery },
  answers: [{ status: 200, what: 'It is ordered', content: json(redelivered) }],
})

export const lookup = z.object({
  destination: z.string(),
  searches: z.array(
    z.object({ ledger: ledgerName, first: seq, last: seq, records: count, from: time, to: time, search: z.string() }),
  ),
})
export type Lookup = z.infer<typeof lookup>

export const lookUpDestination = route({
  ...operating,
  method: 'GET',
  name: 'lookUpDestination',
  path: '/v1/destinations/{name}/lookup',
  summary: 'The searches that tell what became of everything unresolved, to be run by hand in Splunk',
  params,
  query: nothing,
  body: noBody,
  answers: [{ status: 200, what: 'The searches', content: json(lookup) }],
  problems: [],
})

export const settled = z.object({
  destination: z.string(),
  rows: count,
  ledgers: z.array(
    z.object({
      ledger: ledgerName,
      delivered: count,
      altered: count.describe('there, with other bytes'),
      absent: count.describe('not there: sent again'),
      duplicates: count.describe('copies beyond the first'),
      open: count.describe('not in the export, which proves nothing about them'),
    }),
  ),
})
export type SettledTold = z.infer<typeof settled>

export const settleDestination = route({
  ...command,
  name: 'settleDestination',
  path: '/v1/destinations/{name}/settle',
  summary: 'Settle what is unresolved by the export of a search',
  params,
  query: z.strictObject({
    complete: z
      .enum(['true', 'false'])
      .default('false')
      .describe('the searches ended without a warning: what is not there counts'),
    reason: reason.default('settled by an export'),
  }),
  body: { kind: 'stream', types: ['text/csv'], what: 'What Splunk exports of the searches of lookup' },
  answers: [{ status: 200, what: 'What became of it', content: json(settled) }],
})

export const estimate = z.object({
  destination: z.string(),
  keeps: z.string().nullable(),
  ledgers: z.array(
    z.object({
      ledger: ledgerName,
      days: z.number(),
      recorded: count,
      sampled: count,
      selected: count,
      records: count.describe('a day'),
      stored_bytes: count.describe('a day; Splunk: what the license counts; Elastic: documents before compression'),
      wire_bytes: count.describe('a day; requests as they are sent'),
    }),
  ),
})
export type EstimateTold = z.infer<typeof estimate>

export const estimateDestination = route({
  ...operating,
  method: 'GET',
  scope: ['operate', 'audit'],
  name: 'estimateDestination',
  path: '/v1/destinations/{name}/estimate',
  summary: 'What the destination would get a day, from what was recorded lately',
  params,
  query: z.strictObject({ days: whole(1, 365).default(7).describe('7 unless told') }),
  body: noBody,
  answers: [{ status: 200, what: 'Ledger by ledger', content: json(estimate) }],
  problems: [],
})

export const moved = z.object({
  destination: z.string(),
  address: z.string(),
  cluster: z.string().nullable().describe('what the cluster there calls itself, where it tells'),
  changed: z.boolean(),
})
export type Moved = z.infer<typeof moved>

export const moveDestination = route({
  ...command,
  name: 'moveDestination',
  path: '/v1/destinations/{name}/moved',
  summary: 'What answers at the address in the configuration is the same SIEM as before',
  params,
  body: { kind: 'json', schema: z.strictObject({ reason }) },
  answers: [{ status: 200, what: 'It goes on there', content: json(moved) }],
})

export const orderRoutes = [
  retryDeadLetters,
  discardDeadLetters,
  redeliverDestination,
  lookUpDestination,
  settleDestination,
  estimateDestination,
  moveDestination,
] as const
