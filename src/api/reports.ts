import { z } from 'zod'
import { reportAnswer } from './report-shapes.ts'
import { noBody, nothing, route } from './route.ts'
import { repository, text } from './shapes.ts'

/** Coverage reports. */

export const commitPrefix = z
  .string()
  .regex(/^[0-9a-f]{7,64}$/, 'a git object id in lower-case hex, or at least its first 7 digits')

export const reportQuery = z.strictObject({
  repository,
  commit: commitPrefix.optional(),
  build: text.optional(),
  deployment: text.optional().describe('what was recorded before it'),
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
  summary: 'What the tests of a commit, a build or a deployment executed, line by line, and all that speaks against it',
  scope: ['audit'],
  open: 'never',
  records: 'summed',
  params: nothing,
  query: reportQuery,
  body: noBody,
  answers: [{ status: 200, what: 'The report', content: { 'application/json': reportAnswer } }],
  problems: ['history_behind', 'integrity', 'expired'],
})

export const reportRoutes = [coverageReport] as const
