import { z } from 'zod'
import { shownDisposition } from './decisions.ts'
import { noBody, nothing, route } from './route.ts'
import { commit, count, path, recordId, repository, runId, testType, text, time } from './shapes.ts'

/** What happened to a line, and to a file. */

const when = z.string().min(10).max(40).describe('a day (2026-11-23, UTC) or an RFC 3339 time with an offset')

const question = {
  repository,
  path,
  ref: z.string().max(256).optional().describe('default: the main branch'),
  test_type: testType.optional(),
  from: when.optional().describe('recorded_at from here on; default: a year before `to`'),
  to: when.optional().describe('recorded_at before this; default: the end of the last day as of which is asked'),
  at: commit
    .optional()
    .describe('the commit whose line numbers are meant; default: the newest on the ref that has the file'),
  as_of: z
    .string()
    .max(100)
    .optional()
    .describe('sizes as an answer prints them (unit:184471,integration:99210,changes:513), or a time; default: now'),
}

export const linesQuery = z.strictObject({
  ...question,
  line: z
    .string()
    .regex(/^[1-9]\d{0,9}(?:-[1-9]\d{0,9})?$/, 'a line, or a range of lines: 12 or 12-20')
    .describe('12 or 12-20; at most 100 lines'),
})
export const filesQuery = z.strictObject(question)

const head = {
  as_of: z.string().describe('asked again with it, the answer has the same bytes'),
  rules: z.string().describe('version of the rules by which the answer was made'),
  repository: text,
  path,
  ref: z.string(),
  from: time,
  to: time,
  at: z.object({ commit, blob: z.string().nullable() }).describe('the version that line numbers are of'),
  order: z.object({
    by: z.enum(['ancestry', 'committed_at', 'recorded_at']).describe('by what the weakest place was decided'),
    commits: count,
    undecided: count.describe('places at which ancestry did not decide what comes next'),
    left: count.describe('commits that the ref has left behind'),
  }),
}
const name = {
  test_type: testType,
  generation: z.int().min(2).optional().describe('of the ledger, where a loss was accepted and it is not the first'),
  suite: text,
  definition: text,
}
const lineState = z.enum([
  'covered',
  'partial',
  'missed',
  'not instrumented',
  'line absent',
  'not measured',
  'file absent',
])

const point = z.object({
  run: runId,
  commit,
  recorded_at: time,
  path: path.nullable(),
  line: count.nullable().describe('its number at this commit'),
  seal: recordId,
  records: z.array(recordId).describe('coverage records of the file'),
})
const interval = z
  .object({
    state: lineState,
    by_number: z.literal(true).optional().describe('no line maps lead here: this is the line of that number'),
    runs: count,
    late: count.optional().describe('runs recorded after one of a later commit'),
    first: point,
    last: point,
  })
  .meta({ id: 'LineInterval' })

const day = z.iso.date()
const reasons = z.record(z.string(), count)
const evidence = z
  .object({
    ...name,
    runs: count,
    left_out: z.object({ runs: count, reasons }),
    before_first_record: count
      .optional()
      .describe('days before anything of the repository was recorded: they are in no list'),
    no_evidence: z.array(
      z.object({ from: day, to: day.describe('the day after the last'), days: count, left_out: reasons.optional() }),
    ),
    same_production: z
      .array(z.object({ day, commits: z.array(commit), as: z.object({ run: runId, commit }) }))
      .describe(
        'days without a counting run whose commits have the same production files, by digest, as one that was measured',
      ),
  })
  .meta({ id: 'SuiteEvidence' })

const dispositions = z
  .array(
    shownDisposition.extend({
      path: path.describe('as it was noted: it may be an earlier name'),
      lines: z.string().optional().describe('as they were noted; absent for a note on the whole file'),
      at: z.string().nullable().optional().describe('which of the lines asked about these are; null when none of them'),
      by_number: z.literal(true).optional().describe('no line maps lead there: these are lines of the same numbers'),
    }),
  )
  .optional()
  .describe('what people said of the file and of lines of it; it changes no state. Absent when as_of names no changes')
const leftOut = count.optional().describe('older ones of the file, which were not looked at: the newest 200 were')

const intervals = z.array(interval)
export const linesAnswer = z
  .object({
    ...head,
    lines: z.array(
      z.object({
        line: count,
        series: z.array(
          z.object({
            ...name,
            intervals,
            rewritten: intervals.optional().describe('of commits that the ref has left behind'),
          }),
        ),
      }),
    ),
    dispositions,
    dispositions_left_out: leftOut,
    evidence: z.array(evidence),
  })
  .meta({ id: 'LineHistory' })
export type LinesAnswer = z.infer<typeof linesAnswer>

const end = z.object({ run: runId, commit, recorded_at: time })
const columns = z.array(
  z.object({
    first: end,
    last: end,
    runs: count,
    late: count.optional(),
    states: z.string().describe('12c3m: twelve lines covered, three missed; capital letters go by number'),
  }),
)
export const filesAnswer = z
  .object({
    ...head,
    lines: count,
    letters: z.record(lineState, z.string()),
    series: z.array(z.object({ ...name, columns, rewritten: columns.optional() })),
    dispositions,
    dispositions_left_out: leftOut,
    evidence: z.array(evidence),
  })
  .meta({ id: 'FileHistory' })
export type FilesAnswer = z.infer<typeof filesAnswer>

const asking = {
  method: 'GET',
  scope: ['audit'],
  open: 'never',
  records: 'summed',
  params: nothing,
  body: noBody,
  problems: ['history_behind', 'integrity'],
} as const

export const lineHistory = route({
  ...asking,
  name: 'lineHistory',
  path: '/v1/history/lines',
  summary: 'What every counting run said of a line, as intervals of equal state',
  query: linesQuery,
  answers: [{ status: 200, what: 'The history', content: { 'application/json': linesAnswer } }],
})

export const fileHistory = route({
  ...asking,
  name: 'fileHistory',
  path: '/v1/history/files',
  summary: 'All lines of a file at every run at which something about it changed',
  query: filesQuery,
  answers: [{ status: 200, what: 'The history', content: { 'application/json': filesAnswer } }],
})

export const historyRoutes = [lineHistory, fileHistory] as const
