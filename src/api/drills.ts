import { z } from 'zod'
import { noBody, nothing, route } from './route.ts'
import { ledger, ledgerName, seq, text, time, whole } from './shapes.ts'

/** Drills of destinations: one ledger of one is held for a while, and has to catch up. */

export const drill = z.object({
  destination: z.string(),
  ledger: ledgerName,
  n: z.int().min(1),
  state: z.enum(['holding', 'closing', 'ended']),
  started_at: time,
  measure_at: time.describe('when what is missing there is measured, and the ledger is let go'),
  hold_until: time.describe('when it is let go whatever happens'),
  why: z.string(),
  by: z.string(),
  verdict: z
    .enum(['held', 'not_held', 'inconclusive'])
    .nullable()
    .describe('held: what was missing while it was held is there now, each once and unchanged; null until it has ended'),
  reason: z.string().nullable(),
  boundary: seq.nullable().describe('what was recorded from here on came while it was held'),
  to: seq.nullable(),
  paused: z.looseObject({}).nullable().describe('counts, sums of check and read-back records of both sides, while it was held'),
  resumed: z.looseObject({}).nullable().describe('the same once it had caught up'),
}) // oxfmt-ignore
export type DrillTold = z.infer<typeof drill>
export const drillList = z.object({ drills: z.array(drill) })

const json = (schema: z.ZodType) => ({ 'application/json': schema })

export const drillDestination = route({
  method: 'POST',
  scope: ['operate'],
  open: 'never',
  records: 'no',
  name: 'drillDestination',
  path: '/v1/destinations/{name}/drill',
  summary: 'Holds one ledger for a while, measures what is missing there, lets it go and proves that it caught up',
  params: z.strictObject({ name: z.string().max(40) }),
  query: nothing,
  body: {
    kind: 'json',
    schema: z.strictObject({
      reason: text.describe('why, for who reads the record'),
      ledger: ledger.optional().describe('without it the one whose last drill is the longest ago'),
      for_s: z.int().min(10).max(86_400).optional().describe('how long it is held; without it as the settings say'),
    }),
  },
  answers: [{ status: 200, what: 'It has begun', content: json(drill) }],
  problems: ['destination_not_running', 'recording_stopped', 'clock_step', 'signer_not_current', 'rollback_detected'],
})

export const listDrills = route({
  method: 'GET',
  scope: ['operate', 'audit'],
  open: 'never',
  records: 'no',
  name: 'listDrills',
  path: '/v1/drills',
  summary: 'Drills and how they ended, newest first',
  params: nothing,
  query: z.strictObject({ destination: text.optional(), limit: whole(1, 1_000).default(100).describe('100 unless told') }),
  body: noBody,
  answers: [{ status: 200, what: 'The drills', content: json(drillList) }],
  problems: [],
}) // oxfmt-ignore

export const drillRoutes = [drillDestination, listDrills] as const
