import { z } from 'zod'
import { recording } from './decisions.ts'
import { noBody, nothing, route } from './route.ts'
import { count, ledgerName, seq, text, time } from './shapes.ts'

/** Who pulls the feed under a name, and how far each is. */

export const consumer = z
  .object({
    consumer: text,
    ledger: ledgerName,
    next: seq.describe('the position it asked for: everything before is its own'),
    lag: count.describe('published records that it has not asked for, those too that its filters would leave out'),
    waiting_since: time.nullable().describe('recorded_at of the first of these; null without any'),
    lag_s: z.number().min(0).describe('seconds since then'),
    by: z.string().describe('the credential that asked last'),
    seen_at: time,
    moved_at: time.describe('when it was last at another position than before'),
    rewound: z
      .object({ at: time, from: seq, to: seq })
      .nullable()
      .describe('the last time it asked for a position before the one it had asked for'),
  })
  .meta({ id: 'Consumer' })
export type ConsumerTold = z.infer<typeof consumer>

export const consumerList = z.object({ consumers: z.array(consumer) })

export const listConsumers = route({
  name: 'listConsumers',
  method: 'GET',
  path: '/v1/consumers',
  summary: 'Those that pull the feed under a name, with their positions and their lag',
  scope: ['operate', 'audit'],
  open: 'never',
  records: 'no',
  params: nothing,
  query: nothing,
  body: noBody,
  answers: [{ status: 200, what: 'The consumers', content: { 'application/json': consumerList } }],
  problems: [],
})

export const forgotten = z.object({ forgotten: text })

export const forgetConsumer = route({
  name: 'forgetConsumer',
  method: 'POST',
  path: '/v1/consumers/{consumer}/forget',
  summary: 'Take a puller that will not come again off the list; one that comes again is there again',
  scope: ['operate'],
  open: 'never',
  records: 'no', // the command is itself a record
  params: z.strictObject({ consumer: text }),
  query: nothing,
  body: { kind: 'json', schema: z.strictObject({ reason: text }) },
  answers: [{ status: 200, what: 'Forgotten', content: { 'application/json': forgotten } }],
  problems: recording,
})

export const consumerRoutes = [listConsumers, forgetConsumer] as const
