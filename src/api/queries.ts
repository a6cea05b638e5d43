import { z } from 'zod'
import { declaration, outcome } from './runs.ts'
import { path, runId, text, whole } from './shapes.ts'

/** What stands in the address where a report is the body. */

const partFields = {
  name: path.describe('name of the part within the run, usually the path of the report'),
  format: text.optional().describe('only where the content could be of several formats'),
  section: text
    .optional()
    .describe('which suite of a report that has several (SimpleCov), or * for all of them together'),
  strip: path.optional().describe('prefix taken off every path in the report'),
  root: path
    .optional()
    .describe('absolute folder of the checkout as the report names it: taken off the front of its paths'),
}

const testsText = z
  .string()
  .regex(/^\d{1,9},\d{1,9},\d{1,9},\d{1,9}$/, 'total,passed,failed,skipped')
  .optional()

/** Where several pushes make up one run: what this one brings beside its report. */
const shardFields = {
  shard: text.optional().describe('name of the shard, the same in each of its parts; default the name of the part'),
  shard_attempt: whole(1, 1_000_000).optional(),
  shard_parts: whole(1, 10_000).optional().describe('how many parts the shard has; default 1'),
  job: text.optional(),
}

export const partQuery = z.strictObject({
  ...partFields,
  ...shardFields,
  outcome: outcome.optional(),
  tests: testsText.describe('total,passed,failed,skipped of this shard'),
})
export type PartQuery = z.infer<typeof partQuery>

/** Members of a declaration that are no plain text, as one JSON object: a query has nothing else for them. */
const more = z
  .string()
  .max(12_000)
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text)
    } catch {
      context.addIssue({ code: 'custom', message: 'JSON is needed' })
      return z.NEVER
    }
  })
  .pipe(
    declaration
      .pick({
        parents: true,
        first_parents: true,
        ci: true,
        client: true,
        configuration: true,
        flags: true,
        traceparent: true,
        backfilled: true,
        late: true,
      })
      .partial(),
  )

export const pushQuery = z.strictObject({
  run: runId,
  ...partFields,
  ...shardFields,
  parts: whole(1, 10_000).optional().describe('how many shards the run has: it is sealed when the last has arrived'),
  ...declaration.omit({
    parents: true,
    first_parents: true,
    ci: true,
    client: true,
    configuration: true,
    flags: true,
    traceparent: true,
    backfilled: true,
    late: true,
  }).shape,
  more: more
    .optional()
    .describe('JSON with parents, first_parents, ci, client, configuration, flags, traceparent, backfilled, late'),
  outcome: outcome.default('completed'),
  tests: testsText.describe('total,passed,failed,skipped; without it the run is recorded but not admitted'),
})
export type PushQuery = z.infer<typeof pushQuery>
