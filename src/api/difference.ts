import { z } from 'zod'
import { noBody, nothing, route } from './route.ts'
import { commit, count, path, repository, runId, sha256, testType, text } from './shapes.ts'

/** Why two numbers disagree. */

const subject = z
  .string()
  .min(5)
  .max(700)
  .describe('commit:ID, build:NAME, deployment:ID, run:ID or suite:COMMIT/TEST_TYPE/NAME; behind it ;definition=D, ;test_type=T, ;files=production or all') // oxfmt-ignore

export const differenceQuery = z.strictObject({
  repository,
  a: subject,
  b: subject,
  as_of: z
    .string()
    .max(100)
    .optional()
    .describe('sizes as an answer prints them (unit:184471,integration:99210,changes:513), or a time; default: now'),
})

const delta = { found: z.int().describe('lines that count, b minus a'), executed: z.int().describe('of them, b minus a') } // oxfmt-ignore
const fileDelta = z.object({ path, ...delta })
const run = z.object({ run: runId, test_type: testType, suite: text, admitted: z.boolean() })
const suite = z.object({ test_type: testType, suite: text })

const side = z
  .object({
    subject: z.string(),
    commit,
    answered_from: z
      .object({ commit, production_digest: sha256 })
      .optional()
      .describe('the commit with the same production files whose runs these are'),
    definition: text,
    tools: z.array(z.string()).describe('that wrote the reports, where they say'),
    counts: z.enum(['production', 'all']).describe('which files'),
    files: count,
    found: count,
    executed: count,
    runs: z.array(run),
    missing: z.array(z.object({ ...suite.shape, owner: z.string().nullable(), reasons: z.array(z.string()) })),
  })
  .meta({ id: 'DifferenceSide' })

const step = z
  .object({
    kind: z.enum([
      'file_only',
      'line_only',
      'changed_line',
      'changed_file',
      'executed_by_other_suite',
      'executed_only',
    ]),
    side: z.enum(['a', 'b']).nullable().describe('which has what the other has not'),
    reason: z
      .enum(['excluded', 'not_measured', 'other_definition', 'not_comparable', 'not_in_commit', 'no_inventory'])
      .optional()
      .describe('why the other side has no such file'),
    lines_a: count.describe('lines of a that it explains; over all steps and `same` they are all lines of a'),
    lines_b: count,
    ...delta,
    files: count,
    largest: z.array(fileDelta).describe('the hundred with the largest difference'),
    by: z
      .array(z.object({ ...suite.shape, lines: count, runs: z.array(runId) }))
      .optional()
      .describe('how many of the lines each suite executed; several may have executed the same'),
    exclusions: z
      .array(z.object({ glob: z.string().nullable(), reason: z.string().nullable(), files: count, ...delta }))
      .optional()
      .describe('of the contract; null for files that it does not include'),
  })
  .meta({ id: 'DifferenceStep' })

const only = z.object({ suites: z.array(suite), runs: z.array(run) })

export const differenceAnswer = z
  .object({
    as_of: z.string().describe('asked again with it, the answer has the same bytes'),
    rules: z.string(),
    repository: text,
    a: side,
    b: side,
    difference: z.object(delta),
    steps: z.array(step).describe('they add up to the difference, exactly'),
    same: count.describe('lines of which both say the same'),
    only_a: only,
    only_b: only,
    files: z.array(fileDelta).describe('over all steps, the twenty with the largest difference'),
  })
  .meta({ id: 'Difference' })
export type DifferenceAnswer = z.infer<typeof differenceAnswer>

export const difference = route({
  name: 'difference',
  method: 'GET',
  path: '/v1/reports/difference',
  summary: 'Why two numbers of executed lines disagree, in steps that add up exactly',
  scope: ['audit'],
  open: 'never',
  records: 'summed',
  params: nothing,
  query: differenceQuery,
  body: noBody,
  answers: [{ status: 200, what: 'The steps from a to b', content: { 'application/json': differenceAnswer } }],
  problems: ['history_behind', 'integrity', 'expired'],
})

export const differenceRoutes = [difference] as const
