import { z } from 'zod'
import { noBody, nothing, route } from './route.ts'
import { commit, count, repository, runId, testType, text, time, whole } from './shapes.ts'

/** Where evidence is missing, and how the repositories stand. */

const when = z.string().min(10).max(40).describe('a day (2026-11-23, UTC) or an RFC 3339 time with an offset')
const asOf = z
  .string()
  .max(120)
  .optional()
  .describe('sizes as an answer prints them (unit:184471,integration:99210,changes:513,operations:7001), or a time; default: now') // oxfmt-ignore

export const gapsQuery = z.strictObject({
  repository,
  ref: z.string().max(256).optional().describe('only this ref; default: those that the contract tracks'),
  from: when.optional().describe('recorded_at from here on; default: a year before `to`'),
  to: when.optional().describe('recorded_at before this; default: the end of the last day as of which is asked'),
  as_of: asOf,
})

const reasons = z.record(z.string(), count).describe('codes of docs/contract.md, refusals, `unsealed`, `no_run`')
const leftOutRun = z.object({ run: runId, commit, recorded_at: time, reasons: z.array(z.string()) })
const lastRun = z.object({ run: runId, commit, recorded_at: time, counts: z.boolean(), reasons: z.array(z.string()) })
const contract = z
  .object({
    version: count.nullable().describe('of the repository; null where the default of the org holds by itself'),
    default_version: count.nullable(),
    mode: z.enum(['observe', 'enforce']),
  })
  .nullable()
  .describe('that holds; null for none')

const gap = z
  .object({
    commit: commit.optional().describe('of a suite that is to report for every commit'),
    from: time.describe('the last counting run, or when the commit was first heard of'),
    to: time.nullable().describe('the next counting run, or as of when is asked; null for a commit'),
    days: count.optional().describe('of a suite without a cadence: whole days'),
    open: z.literal(true).optional().describe('it lasts until what is asked as of'),
    reasons,
    runs: z.array(leftOutRun).describe('that did not count, the newest five, newest first'),
  })
  .meta({ id: 'Gap' })

const suiteGaps = z
  .object({
    test_type: testType,
    suite: text,
    unnamed: z.literal(true).optional().describe('it reported, and no contract names it'),
    owner: z.string().nullable().optional(),
    cadence: z.string().nullable().optional().describe('`commit`, or the longest time between two counting runs'),
    required: z.boolean().optional(),
    wanted_since: time.optional().describe('since when every contract that held named it'),
    runs: count.describe('that count, of the refs, within the time'),
    left_out: z.object({ runs: count, reasons }),
    last: lastRun.nullable().describe('the last that was sealed, within the time or before'),
    expected: count.optional().describe('commits that there is to be a run of'),
    missing: count.describe('gaps in all; the list has the newest thousand'),
    gaps: z.array(gap),
    same_production: z
      .object({ commits: count, list: z.array(z.object({ commit, as: z.object({ run: runId, commit }) })) })
      .optional()
      .describe('commits without a run whose production files are, by digest, those of one with a run: no gaps'),
  })
  .meta({ id: 'SuiteGaps' })

export const gapsAnswer = z
  .object({
    as_of: z.string().describe('asked again with it, the answer has the same bytes'),
    rules: z.string(),
    repository: text,
    refs: z.array(z.string()).describe('globs of the contract, or the one ref'),
    from: time,
    to: time,
    known_until: time.describe('when the last record below as_of was recorded: nothing is missing after it'),
    contract,
    suites: z.array(suiteGaps),
  })
  .meta({ id: 'Gaps' })
export type GapsAnswer = z.infer<typeof gapsAnswer>

export const repositoriesQuery = z.strictObject({
  silent: z
    .string()
    .regex(/^[1-9]\d{0,3}[mhd]$/, 'a time such as 12h or 7d')
    .optional()
    .describe('only those whose newest sealed run is older than this, by the time of as_of'),
  after: repository.optional().describe('only names behind this one: how the list is paged'),
  limit: whole(1, 500).default(100).describe('repositories; 100 unless told'),
  as_of: asOf,
})

const repositoryTold = z
  .object({
    repository: text,
    contract,
    refs: z.array(z.string()).describe('that the contract tracks'),
    owners: z.array(z.string()).describe('of its suites'),
    last_sealed_at: time.nullable(),
    suites: z.array(
      z.object({
        test_type: testType,
        suite: text,
        owner: z.string().nullable(),
        unnamed: z.literal(true).optional().describe('no contract names it'),
        last: lastRun.extend({ ref: z.string() }).nullable().describe('the last that was sealed'),
        last_counting: z.object({ run: runId, commit, ref: z.string(), recorded_at: time }).nullable(),
      }),
    ),
  })
  .meta({ id: 'RepositoryStanding' })

export const repositoriesAnswer = z
  .object({
    as_of: z.string(),
    rules: z.string(),
    known_until: time.describe('when the last record below as_of was recorded; what `silent` counts from'),
    repositories: z.array(repositoryTold).describe('by name'),
    next: z.string().nullable().describe('`after` of the next page; null at the end'),
  })
  .meta({ id: 'Repositories' })
export type RepositoriesAnswer = z.infer<typeof repositoriesAnswer>

const asking = {
  method: 'GET',
  scope: ['audit'],
  open: 'never',
  records: 'summed',
  params: nothing,
  body: noBody,
  problems: ['history_behind', 'integrity'],
} as const

export const gaps = route({
  ...asking,
  name: 'gaps',
  path: '/v1/gaps',
  summary: 'Commits, times and days without evidence of a suite, against what the contract promised',
  query: gapsQuery,
  answers: [{ status: 200, what: 'The gaps of each suite', content: { 'application/json': gapsAnswer } }],
})

export const repositories = route({
  ...asking,
  name: 'repositories',
  path: '/v1/repositories',
  summary: 'Of every repository the last run of each suite, and what its contract says',
  query: repositoriesQuery,
  answers: [{ status: 200, what: 'Repositories', content: { 'application/json': repositoriesAnswer } }],
})

export const gapRoutes = [gaps, repositories] as const
