import { z } from 'zod'
import { counts, declaredTotals, lineCounts, metric, mutationCounts } from './counts.ts'
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
    configuration: z.array(z.strictObject({ path, sha256 })).max(1_024).optional(),
    flags: z.array(text).max(32).optional(),
    contract: text.optional(),
    backfilled: z
      .literal(true)
      .optional()
      .describe('pushed from an old artifact, long after its tests ran: never on time'),
    late: z
      .literal(true)
      .optional()
      .describe('kept by the client while the service could not be reached, and sent later'),
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

/** Stands beside a list that its record had no room for: the list is then the first entries, the whole an artifact (JSON lines). */
const digested = z.object({ count, sha256 })

export const outcome = z.enum(['completed', 'failed', 'aborted'])
export const testTotals = z
  .strictObject({ total: count, passed: count, failed: count, skipped: count })
  .meta({ id: 'TestTotals' })
export type TestTotals = z.infer<typeof testTotals>

/** What one of several pushes brings to a run; the same in each of its parts, so that the seal can sum up what no client knows alone. */
export const shard = z
  .object({
    name: text,
    attempt: count
      .min(1)
      .optional()
      .describe('of the job, where the run has no attempts; the highest complete one counts'),
    parts: count.min(1).describe('how many parts this push has: with fewer of them it is not complete'),
    job: text.optional(),
    outcome,
    tests: testTotals.nullable().describe('null: unknown'),
  })
  .meta({ id: 'Shard' })
export type Shard = z.infer<typeof shard>

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
    shard: shard.optional(),
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

export const sealRequest = z.strictObject({
  outcome: outcome
    .optional()
    .describe('absent: the worst of what the shards brought, and failed where `tests` has any that failed'),
  tests: testTotals.nullable().optional().describe('null: unknown; absent: the sum of what the shards brought'),
  parts: count
    .min(1)
    .max(10_000)
    .optional()
    .describe('how many shards the run must have; while there are fewer it stays open, and the answer is 202'),
  earlier: z
    .array(runId)
    .max(64)
    .optional()
    .describe('earlier attempts, newest first: their parts count for the shards that this one did not run again'),
  earlier_found: z
    .literal(true)
    .optional()
    .describe(
      'the names of earlier attempts were worked out by the client: one that was never declared is passed over',
    ),
})
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
    parts: count.describe('that count, those of earlier attempts among them'),
    shards: count.optional(),
    earlier: z
      .array(z.object({ run: runId, part: path, seq, artifact_sha256: sha256 }))
      .optional()
      .describe('parts of earlier attempts that count'),
    earlier_digest: digested.optional(),
    left_out: z
      .array(path)
      .optional()
      .describe('own parts that do not count: of an older attempt of a shard, or of one that is not complete'),
    left_out_digest: digested.optional(),
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

/** The run has not ended: shards are missing that the seal asked for. Nothing was recorded; the same seal again later is safe. */
export const sealWaiting = z
  .object({
    run: runId,
    ledger: ledgerName,
    expected: count,
    arrived: count,
    shards: z.array(text).describe('names of those that are complete; at most 1,000'),
    incomplete: z.array(text).describe('names of those of which parts are missing; at most 1,000'),
    unknown: z.array(runId).describe('earlier attempts that were never declared'),
  })
  .meta({ id: 'SealWaiting' })
export type SealWaiting = z.infer<typeof sealWaiting>

export const sealAnswer = z.union([sealReceipt, sealWaiting])

export const pushAnswer = z.object({
  run: declarationAnswer,
  part: partReceipt,
  seal: sealAnswer.describe('waiting while `parts` was given and shards are missing'),
})
export type PushAnswer = z.infer<typeof pushAnswer>
