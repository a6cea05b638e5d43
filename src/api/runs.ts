import { z } from 'zod'
import {
  checkpoint,
  commit,
  count,
  instant,
  ledgerName,
  path,
  recordId,
  repository,
  runId,
  seq,
  sha256,
  span,
  testType,
  text,
  time,
} from './shapes.ts'

/** What CI sends and what it gets back: the shapes and types of the routes in run-routes.ts. */

const ci = z
  .object({ provider: text, pipeline: text.optional(), job: text.optional(), attempt: text.optional() })
  .catchall(text)

export const declaration = z
  .strictObject({
    repository,
    repository_id: text.optional(),
    test_type: testType,
    suite: text,
    commit,
    head_commit: commit.optional(),
    ref: text.optional(),
    change: text.optional(),
    parents: z.array(commit).max(16).optional(),
    committed_at: instant.optional(),
    first_parents: z.array(commit).max(256).optional().describe('first-parent commits, newest first'),
    build: text.optional(),
    url: text.optional(),
    environment: text.optional(),
    stage: text.optional(),
    ci: ci.refine((value) => Object.keys(value).length <= 24, 'at most 24 members').optional(),
    client: z.strictObject({ name: text, version: text }).optional(),
    configuration: z.array(z.strictObject({ path, sha256 })).max(32).optional(),
    flags: z.array(text).max(32).optional(),
    contract: text.optional(),
    traceparent: text.optional(),
    occurred_at: instant.optional().describe('what the client claims; never used for order'),
  })
  .meta({ id: 'Declaration' })
export type Declaration = z.infer<typeof declaration>

export const declarationAnswer = z
  .object({
    run: runId,
    ledger: ledgerName,
    id: recordId,
    seq,
    recorded_at: time,
    missing: z.object({
      inventory: z.boolean(),
      line_maps: z.array(z.object({ from: commit, to: commit })).describe('commits to compare, most wanted first'),
    }),
  })
  .meta({ id: 'DeclarationAnswer' })
export type DeclarationAnswer = z.infer<typeof declarationAnswer>

export const inventoryAnswer = z
  .object({
    repository,
    commit,
    files: count,
    records: z.tuple([seq, seq]).nullable().describe('first and last seq; null for an empty inventory'),
  })
  .meta({ id: 'InventoryAnswer' })
export type InventoryAnswer = z.infer<typeof inventoryAnswer>

export const lineMapsQuery = z.strictObject({
  from: commit.describe('the older commit of the pair, as the answer to the declaration names it'),
  to: commit.describe('the newer one'),
  definition: text.describe('how the two were compared, for example git.patience@1'),
})
export type LineMapsQuery = z.infer<typeof lineMapsQuery>

/** As many first entries as the record has room for; with a digest where that is not all, the whole is an artifact (JSON lines). */
const listed = <T extends z.ZodType>(entry: T) => z.object({ count, sha256: sha256.optional(), first: z.array(entry) })

export const lineMapsAnswer = z
  .object({
    repository,
    from: commit,
    to: commit,
    id: recordId,
    seq,
    recorded_at: time,
    mapped: count.describe('files that have a map between the two commits'),
    renamed: count,
    unmapped: listed(z.object({ path: z.string(), reason: z.string() })).describe('files that differ and have no map'),
    refused: listed(z.object({ where: z.string(), reason: z.string() })),
  })
  .meta({ id: 'LineMapsAnswer' })
export type LineMapsAnswer = z.infer<typeof lineMapsAnswer>

const pair = z.object({ found: count, covered: count })

/** Declared totals may lack what the format does not say; recomputed ones have partial and missed always. */
const lineCounts = z.object({
  files: count.optional(),
  lines: z.object({ found: count, covered: count, partial: count.optional(), missed: count.optional() }),
  branches: pair.optional(),
  functions: pair.optional(),
  statements: pair.optional(),
  regions: pair.optional(),
  mcdc: pair.optional(),
  calls: pair.optional(),
})
/** Of metric `mutation`: never added to lines. */
const mutationCounts = z.object({
  files: count,
  mutated_lines: z.object({ found: count, detected: count, survived: count, uncovered: count, undecided: count }),
  mutants: z
    .object({ found: count, detected: count, undetected: count })
    .catchall(count)
    .describe('also by status, in the words of the tools'),
})
export const counts = z.union([lineCounts, mutationCounts]).meta({ id: 'Counts' })
export type Counts = z.infer<typeof counts>
export type LineCounts = z.infer<typeof lineCounts>
const metric = z.enum(['line', 'mutation'])

/** As the report says itself; what it does not say is absent. `executed` is covered and partial lines together. */
export const declaredTotals = z.object({
  lines: z.object({ found: count, executed: count }).optional(),
  branches: pair.optional(),
  statements: pair.optional(),
  excluded: count.optional().describe("lines that the tool's configuration left out"),
})
export type DeclaredTotals = z.infer<typeof declaredTotals>

/** Stands beside a list that its record had no room for: the list is then the first entries, the whole an artifact (JSON lines). */
const digested = z.object({ count, sha256 })

const tool = z.object({ name: text, version: text.optional() }).nullable()

const measure = {
  metric,
  definition: z.string(),
  tool: tool.optional(),
  parts: count.optional().describe('summed up: with more than one, a file that several of them name counts in each'),
  declared: declaredTotals.optional().describe('absent when one of the parts declares none'),
}

export const partReceipt = z
  .object({
    schema: z.literal('proofline.receipt.v1'),
    ledger: ledgerName,
    run: runId,
    part: path,
    artifact_sha256: sha256,
    bytes: count.describe('of the decoded body'),
    format: z.string(),
    metric: metric.optional().describe('absent in parts recorded before there was another than line'),
    definition: z.string(),
    tool,
    incomplete: z.string().nullable().describe('why the report cannot count, for example lines-only data of a format'),
    files: count,
    records: span.nullable(),
    ranges: z.array(z.tuple([seq, seq])).describe('closed seq ranges of the part, in order'),
    ranges_digest: digested.optional(),
    part_record: z.object({ id: recordId, seq }),
    recorded_at: time,
    totals: z.object({ recomputed: counts, declared: declaredTotals.nullable() }),
    refused: z.object({ count, first: z.array(z.object({ where: z.string(), reason: z.string() })) }),
    unresolved: z.object({ count, first: z.array(z.string()) }),
    checkpoint,
  })
  .meta({ id: 'PartReceipt' })
export type PartReceipt = z.infer<typeof partReceipt>

export const outcome = z.enum(['completed', 'failed', 'aborted'])
export const testTotals = z
  .strictObject({ total: count, passed: count, failed: count, skipped: count })
  .meta({ id: 'TestTotals' })
export type TestTotals = z.infer<typeof testTotals>

export const sealRequest = z.strictObject({ outcome, tests: testTotals.nullable() })
export type SealRequest = z.infer<typeof sealRequest>

/** What changed since the last run of the suite that counts, which no change of the software explains. */
export const unexplainedChange = z
  .object({
    run: runId,
    seq,
    count,
    changes: z.array(
      z.object({
        what: z.enum(['tool', 'definition', 'configuration', 'found', 'executed']),
        measure: z.string().optional(),
        from: z.string().nullable(),
        to: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'UnexplainedChange' })

export const sealReceipt = z
  .object({
    schema: z.literal('proofline.receipt.v1'),
    ledger: ledgerName,
    run: runId,
    id: recordId,
    seq,
    recorded_at: time,
    admitted: z.boolean(),
    reasons: z.array(z.string()).describe('why it does not count: docs/contract.md has the list'),
    observed: z.array(z.string()).optional().describe('what a contract in mode observe has against it'),
    outcome,
    tests: testTotals.nullable(),
    parts: count,
    records: span.nullable(),
    root: z.string().describe("Merkle root over the run's leaf hashes, hex"),
    contract: sha256.optional().describe('the contract that it was judged by'),
    contract_version: count.optional(),
    contract_default: sha256.optional(),
    production_digest: sha256.optional(),
    unexplained_change: unexplainedChange.optional(),
    totals: z.array(z.union([lineCounts.extend(measure), mutationCounts.extend(measure)])),
    totals_digest: digested.optional(),
    checkpoint,
  })
  .meta({ id: 'SealReceipt' })
export type SealReceipt = z.infer<typeof sealReceipt>

export const pushAnswer = z.object({ run: declarationAnswer, part: partReceipt, seal: sealReceipt })
export type PushAnswer = z.infer<typeof pushAnswer>

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

export const partQuery = z.strictObject(partFields)
export type PartQuery = z.infer<typeof partQuery>

export const pushQuery = z.strictObject({
  run: runId,
  ...partFields,
  ...declaration.omit({
    parents: true,
    first_parents: true,
    ci: true,
    client: true,
    configuration: true,
    flags: true,
    traceparent: true,
  }).shape,
  outcome: outcome.default('completed'),
  tests: testsText.describe('total,passed,failed,skipped; without it the run is recorded but not admitted'),
})
export type PushQuery = z.infer<typeof pushQuery>
