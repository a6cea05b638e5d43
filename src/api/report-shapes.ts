import { z } from 'zod'
import { shownDisposition } from './decisions.ts'
import { commit, count, path, recordId, repository, runId, sha256, testType, text, time } from './shapes.ts'

/** What a coverage report consists of. */

const difference = z.int()

const sums = z
  .object({ files: count, found: count, covered: count, partial: count, missed: count, executed: count })
  .meta({ id: 'LineSums', description: 'executed = covered + partial: the figure that tools print' })
const lineSums = sums.omit({ files: true })

const bothSums = z
  .object({
    files: count,
    found: count,
    executed: count,
    only_unit: count,
    only_integration: count,
    both: count,
    none: count,
  }) // oxfmt-ignore
  .meta({ id: 'BothSums', description: 'lines of both test types together; the last four add up to found' })

const definitionFigures = z
  .object({
    definition: text.describe('what counts as a line that was executed: figures of two definitions are never added up'),
    unit: sums.nullable(),
    integration: sums.nullable(),
    both: bothSums.describe('of files that only one test type measured, or both by this definition'),
    not_comparable: z
      .object({ files: count, unit: sums.nullable(), integration: sums.nullable() })
      .describe('files that the other test type measured by another definition'),
    suites: z.array(sums.extend({ test_type: testType, suite: text })),
  })
  .meta({ id: 'DefinitionFigures' })

const missingSuite = z.object({
  test_type: testType,
  suite: text,
  owner: z.string().nullable(),
  reasons: z.array(z.string()).describe('why its runs do not count (docs/contract.md), or no_run'),
})

const deploymentName = z.object({
  deployment: text,
  environment: z.string().nullable(),
  build: z.string().nullable(),
  commit: commit.nullable(),
  recorded_at: time,
  id: recordId,
})

const contractName = z
  .object({
    contract: sha256,
    version: count,
    from: z.enum(['repository', 'org']),
    mode: z.enum(['observe', 'enforce']),
  }) // oxfmt-ignore
  .nullable()
  .describe('that held as of these sizes')

const countedRun = z.object({
  test_type: testType,
  suite: text,
  run: runId,
  commit,
  ref: z.string().nullable(),
  build: z.string().nullable(),
  recorded_at: time,
  seal: recordId,
})
const leftOutRun = z.object({
  test_type: testType,
  suite: text,
  run: runId,
  recorded_at: time,
  id: recordId.describe('of the record that ended it, or of the one that declared it'),
  reasons: z.array(z.string()),
})
const refusal = z.object({ test_type: testType, run: z.string().nullable(), recorded_at: time, id: recordId, reason: z.string() }) // oxfmt-ignore

const delta = z.object({ files: difference, found: difference, executed: difference }).nullable()
const reportChanges = {
  suites: z.array(
    z.object({
      test_type: testType,
      suite: text,
      changes: z.array(
        z.object({
          what: z.enum(['suite', 'tool', 'definition', 'configuration', 'found', 'executed']),
          measure: z.string().optional(),
          from: z.string().nullable(),
          to: z.string().nullable(),
        }),
      ),
    }),
  ),
  figures: z
    .array(z.object({ definition: text, unit: delta, integration: delta, both: delta }))
    .describe('later minus earlier; null where one of them has no such figure'),
}

const hidden = z.object({
  path,
  definition: text,
  lines: count,
  unit: z.enum(['missed', 'not_measured']),
  ranges: z.string(),
})
const fileMeasure = z.object({
  definition: text,
  unit: lineSums.nullable(),
  integration: lineSums.nullable(),
  both: bothSums.omit({ files: true }).nullable().describe('null where definitions differ'),
})
const reportFile = z
  .object({ path, blob: z.string().nullable(), figures: z.array(fileMeasure) })
  .meta({ id: 'ReportFile' })
const mutation = z.object({
  test_type: testType,
  suite: text,
  run: runId,
  metric: z.string(),
  definition: text,
  tool: z.object({ name: z.string(), version: z.string().optional() }).nullable(),
  files: count,
  mutants: z.record(z.string(), count),
})

const standing = {
  complete: z.boolean().describe('every required suite of the contract has a counting run'),
  reason: z.enum(['no_contract', 'no_run']).optional(),
  missing: z.array(missingSuite),
  answered_from: z
    .object({ commit, production_digest: sha256 })
    .nullable()
    .describe('a commit with the same production files, whose evidence is complete, where that of this one is not'),
}

const reportHead = {
  as_of: z.string().describe('asked again with it, the answer has the same bytes'),
  rules: z.string().describe('version of the rules by which the answer was made'),
  repository,
}

export const reportAnswer = z
  .object({
    ...reportHead,
    subject: z.object({
      commit,
      build: z.object({ build: text, id: recordId }).optional(),
      deployment: deploymentName.optional(),
    }),
    contract: contractName,
    production: z
      .enum(['contract', 'all_measured_files'])
      .describe('which files the figures are of; without a contract that names them, all that were measured'),
    ...standing,
    runs: z.array(countedRun).describe('that count'),
    of_build: count.optional().describe('how many of them name the build'),
    left_out: z.array(leftOutRun),
    refused: z.array(refusal).describe('pushes about the commit that were refused'),
    figures: z.array(definitionFigures).describe('of production files'),
    not_production: z.array(definitionFigures.pick({ definition: true, unit: true, integration: true })),
    mutation: z.array(mutation).describe('by run; never added to lines'),
    inventory: z.object({ files: count, production_files: count.nullable() }).nullable(),
    changed: z
      .object({
        against: z.object({
          why: z.enum(['first_parent', 'previous_deployment']),
          commit,
          deployment: text.optional(),
        }),
        ...reportChanges,
      })
      .nullable()
      .describe('since the nearest first parent that was measured, or the deployment before in the environment'),
    own: z
      .object({ left_out: count, missing: z.array(z.string()) })
      .optional()
      .describe('of the commit itself, where it is answered from another one'),
    only: z.string().optional().describe('the lists below name paths that begin so'),
    cut: z.record(z.string(), count).optional().describe('lists that are longer than what is shown, and how long'),
    hidden: z.array(hidden).describe('lines that integration tests execute and unit tests do not, most first'),
    not_measured: z.array(path).nullable().describe('production files that no counting run measured; null: not known'),
    not_measured_by: z.object({ unit: z.array(path), integration: z.array(path) }),
    not_comparable: z.array(z.object({ path, unit: z.array(text), integration: z.array(text) })),
    blob_differs: z.array(path).describe('files of which runs of the commit name different contents'),
    files: z.array(reportFile).describe('production files, by path'),
    dispositions: z
      .array(shownDisposition.extend({ path, lines: z.string().optional() }))
      .describe('what people said of files of the commit and of lines of them, by path; it changes no number'),
  })
  .meta({ id: 'CoverageReport' })
export type ReportAnswer = z.infer<typeof reportAnswer>

const day = z.iso.date()
const standingBefore = z
  .object({ commit, ...standing, figures: z.array(definitionFigures), not_measured: count.nullable() })
  .nullable()
  .describe('of the newest commit of the ref of which a run counted before then')

export const periodAnswer = z
  .object({
    ...reportHead,
    ref: z.string(),
    from: time,
    to: time,
    contract: contractName,
    start: standingBefore,
    end: standingBefore,
    changed: z.object(reportChanges).nullable(),
    runs: z
      .object({ counted: count, left_out: count, reasons: z.record(z.string(), count) })
      .describe('of the ref, recorded within the period'),
    suites: z.array(
      z.object({
        test_type: testType,
        generation: z.int().min(2).optional(),
        suite: text,
        runs: count.describe('that count'),
        before_first_record: count
          .optional()
          .describe('days before anything of the repository was recorded: they are in no list'),
        no_evidence: z.array(z.object({ from: day, to: day.describe('the day after the last'), days: count })),
      }),
    ),
    deployments: z
      .array(
        deploymentName.extend({
          decision: z.string().describe('of the gate that stood when it was recorded'),
          ...standing,
          figures: z.array(
            definitionFigures
              .omit({ suites: true })
              .describe('production code executed by automated tests before release'),
          ),
        }),
      )
      .describe('recorded within the period, oldest first'),
    next: recordId.nullable().describe('of the last deployment, where there are more: ask on with `after`'),
  })
  .meta({ id: 'PeriodReport' })
export type PeriodAnswer = z.infer<typeof periodAnswer>
