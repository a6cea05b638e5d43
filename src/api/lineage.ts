import { z } from 'zod'
import { noBody, route } from './route.ts'
import { count, recordId, repository, runId, sha256, text, time } from './shapes.ts'

/** Where something comes from, and what came of it. */

export const lineageKinds = ['record', 'run', 'build', 'commit', 'deployment', 'attempt'] as const

const asOf = z
  .string()
  .max(100)
  .optional()
  .describe('sizes as an answer prints them (unit:184471,integration:99210,changes:513), or a time; default: now')

export const lineageNode = z
  .looseObject({
    kind: z.enum(['commit', 'build', 'stage', 'run', 'part', 'record', 'checkpoint', 'gate', 'override', 'deployment', 'disposition']),
    id: z.string(),
    records: z.array(recordId).optional().describe('what says so'),
    get children() {
      return z.array(lineageNode).optional()
    },
    left_out: z.record(z.string(), count).optional().describe('what is there and not shown, by kind'),
  })
  .meta({ id: 'LineageNode' }) // oxfmt-ignore
export type LineageNode = z.infer<typeof lineageNode>

const attempt = z.looseObject({
  attempt: z.string().describe('destination:ledger:first seq:try'),
  first: count,
  last: count,
  try: count,
  target: z.string(),
  opened_at: time,
  request_sha256: sha256,
  steps: z.array(z.looseObject({ step: count, at: time, source: z.string() })),
})

export const lineageAnswer = z
  .object({
    as_of: z.string().describe('asked again with it, the chain has the same bytes'),
    rules: z.string().describe('version of the rules by which the answer was made'),
    chain: z.array(lineageNode),
    deliveries: z
      .object({
        observed_at: time,
        deliveries: z.array(
          z.looseObject({
            destination: z.string(),
            ledger: z.string(),
            record: recordId.optional(),
            state: z.string().optional(),
            attempts: z.array(attempt),
            left_out: z.record(z.string(), count).optional(),
          }),
        ),
      })
      .describe('where the records went; as it is now, outside as_of'),
  })
  .meta({ id: 'Lineage' })
export type LineageAnswer = z.infer<typeof lineageAnswer>

const lineageRoute = <K extends (typeof lineageKinds)[number]>(kind: K, id: z.ZodString, summary: string) =>
  route({
    name: `${kind}Lineage`,
    method: 'GET',
    path: `/v1/lineage/${kind}/{id}`,
    summary,
    scope: ['audit'],
    open: 'never',
    records: 'summed',
    params: z.strictObject({ id }),
    query: z.strictObject({
      repository: repository.optional().describe('where several have one of the name'),
      as_of: asOf,
    }),
    body: noBody,
    answers: [{ status: 200, what: 'The chain', content: { 'application/json': lineageAnswer } }],
    problems: ['history_behind', 'integrity', 'expired'],
  })

const commitPrefix = z.string().regex(/^[0-9a-f]{7,64}$/, 'a commit, or its first digits: at least 7, in lower case')

export const lineageRoutes = [
  lineageRoute('record', recordId, 'From a record to its commit, the bytes it was made from, and what became of both'),
  lineageRoute('run', runId, 'The whole chain that a run stands in'),
  lineageRoute('build', text, 'The whole chain of a build'),
  lineageRoute('commit', commitPrefix, 'Everything that is known of a commit: builds, runs, gates, deployments'),
  lineageRoute('deployment', text, 'What was deployed: build, gate, runs, bytes'),
  lineageRoute('attempt', z.string().max(300), 'What an attempt to send carried, and where that comes from'),
] as const
