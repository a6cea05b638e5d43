import { z } from 'zod'
import { periodAnswer, reportAnswer } from './report-shapes.ts'
import { by, recorded, recording } from './decisions.ts'
import { noBody, nothing, route } from './route.ts'
import { count, recordId, repository, sha256, text } from './shapes.ts'

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

export type ReportQuery = z.output<typeof reportQuery>

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

/** Of whose bytes a record holds the digest. */
export const issuedReport = z
  .object({
    ...recorded,
    repository,
    query: z.record(z.string(), z.unknown()),
    as_of: z.string(),
    rules: z.string(),
    sha256,
    bytes: count,
    envelope_sha256: sha256.describe('of the signed statement: DSSE, application/vnd.proofline.report+json'),
    by,
  })
  .meta({ id: 'IssuedReport' })

export const issueReport = route({
  name: 'issueReport',
  method: 'POST',
  path: '/v1/reports',
  summary: 'Signs a report, puts it on record and keeps its bytes for ever; of a period with all of its deployments',
  scope: ['audit'],
  open: 'never',
  records: 'before',
  params: nothing,
  query: nothing,
  body: { kind: 'json', schema: reportQuery.omit({ after: true }).meta({ id: 'ReportQuestion' }) },
  answers: [
    { status: 201, what: 'The record that names it', content: { 'application/json': issuedReport } },
    { status: 200, what: 'These bytes were issued before', content: { 'application/json': issuedReport } },
  ],
  problems: ['history_behind', 'integrity', 'expired', 'storage_refused', ...recording],
})

export const getReport = route({
  name: 'getReport',
  method: 'GET',
  path: '/v1/reports/{sha256}',
  summary: 'The bytes of an issued report, of its signed envelope, or of the report that a gate was decided by',
  scope: ['audit'],
  open: 'never',
  records: 'summed',
  params: z.strictObject({ sha256 }),
  query: nothing,
  body: noBody,
  answers: [
    {
      status: 200,
      what: 'The report, or the envelope',
      content: { 'application/json': z.union([reportAnswer, periodAnswer]), 'application/vnd.dsse+json': z.string() },
    },
    { status: 304, what: 'The bytes that the caller has' },
  ],
  problems: ['integrity', 'storage_refused', 'history_behind'],
})

export const reportRoutes = [coverageReport, issueReport, getReport] as const
