import { z } from 'zod'
import { periodAnswer, reportAnswer } from './report-shapes.ts'
import { noBody, nothing, route } from './route.ts'
import { recordId, repository, text } from './shapes.ts'

/** Coverage reports. */

export const commitPrefix = z
  .string()
  .regex(/^[0-9a-f]{7,64}$/, 'a git object id in lower-case hex, or at least its first 7 digits')

const when = z.string().min(10).max(40).describe('a day (2026-11-23, UTC) or an RFC 3339 time with an offset')

export const reportQuery = z.strictObject({
  repository,
  commit: commitPrefix.optional(),
  build: text.optional(),
  deployment: text.optional().describe('what was recorded before it'),
  from: when.optional().describe('a period, by recorded_at, from here on; default: a year before `to`'),
  to: when.optional().describe('and before this; default: the end of the last day as of which is asked'),
  ref: z.string().max(256).optional().describe('of a period; default: the main branch'),
  after: recordId.optional().describe('of a period: deployments behind this one'),
  files: z.string().max(1_024).optional().describe('lists name only paths that begin so; sums are of all'),
  as_of: z
    .string()
    .max(120)
    .optional()
    .describe('sizes as an answer prints them (unit:184471,integration:99210,changes:513), or a time; default: now'),
})

export const coverageReport = route({
  name: 'coverageReport',
  method: 'GET',
  path: '/v1/reports/coverage',
  summary: 'What the tests of a commit, a build, a deployment or a period executed, and all that speaks against it',
  scope: ['audit'],
  open: 'never',
  records: 'summed',
  params: nothing,
  query: reportQuery,
  body: noBody,
  answers: [
    { status: 200, what: 'The report', content: { 'application/json': z.union([reportAnswer, periodAnswer]) } },
  ],
  problems: ['history_behind', 'integrity', 'expired'],
})

export const reportRoutes = [coverageReport] as const
