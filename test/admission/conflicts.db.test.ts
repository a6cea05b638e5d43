import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createConflicts } from '../../src/admission/conflicts.ts'
import { partSubmission } from '../../src/admission/part-record.ts'
import { type RecordingRefusals, createRefusals } from '../../src/admission/refusals.ts'
import { runPayload } from '../../src/admission/run-record.ts'
import { decidePart, digestOf, keys, sealDigest } from '../../src/admission/run.ts'
import { type Offered, type RunFields, sealSubmission } from '../../src/admission/submissions.ts'
import type { Submission } from '../../src/ledger/decide.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import type { Problem } from '../../src/record/problem.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'
import { noContract } from './no-contract.ts'

const ledger = 'main/unit'
const by = { method: 'token', subject: 'token:1' }
const run = 'local.a.api.unit'
const link = { chain: 7n, index: 0, dictionary: undefined }
const body = { repository: 'r', test_type: 'unit', suite: 's', commit: 'c'.repeat(40) } as const

let database: TestDatabase
let node: TestNode
let recordingRefusals: RecordingRefusals
let fields: RunFields
beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  node = await openNode(database.db, await createMemorySigner())
  const conflicts = createConflicts(database.db, node.reader)
  recordingRefusals = createRefusals({ bookOf: () => node.book, conflicts, log: silentLogger })
  const declared = declaration('first')
  fields = runPayload(ledger, run, body, undefined, by).fields
  await node.book.appender.submit([declared])
  await node.book.appender.submit([slice('1')])
})
afterAll(async () => {
  await node.book.close()
  await database.drop()
})

const declaration = (text: string): Submission => {
  const { payload } = runPayload(ledger, run, body, undefined, by)
  return {
    key: keys.run(run),
    digest: digestOf(text),
    run,
    conflict: 'run_conflict',
    segments: [packSegment('run', [payload])],
  }
}
const slice = (text: string): Submission => {
  const payload = Buffer.from(JSON.stringify({ schema: 'proofline.coverage.v1', kind: 'coverage', ledger, run }))
  const decide = decidePart(run, 'p', digestOf(text))
  return {
    key: keys.slice(run, 'p', 0),
    digest: digestOf(text),
    run,
    conflict: 'part_conflict',
    decide,
    segments: [packSegment('coverage', [payload])],
  }
}
const part = (sha256: string, format?: string): Submission => {
  const totals = { recomputed: { files: 1, lines: { found: 1, covered: 1, partial: 0, missed: 0 } }, declared: null }
  const summary = {
    sha256, bytes: 1, format: 'lcov', metric: 'line' as const, definition: 'lcov.da@1', tool: null, incomplete: null, filesDigest: undefined, totals,
    refused: { count: 0, first: [] }, unresolved: { count: 0, first: [] },
  } // oxfmt-ignore
  return partSubmission(
    { id: fields, part: 'p', digest: digestOf([sha256, format]), parameters: { format }, summary },
    link,
    async () => {},
  )
}
const seal = (outcome: 'completed' | 'failed'): Submission =>
  sealSubmission(fields, { outcome, tests: null }, link, async () => {}, noContract)

/** Offers it and answers the problem, and the rejection that is on record then. */
async function refused(
  submission: Submission,
  more: Partial<Offered>,
): Promise<{ problem: Problem; rejection: Record<string, unknown> }> {
  const offered: Offered = { ledger, run, by, ...more }
  const problem = await recordingRefusals(offered, () => node.book.appender.submit([submission])).then(
    () => undefined,
    (error: unknown) => error as Problem,
  )
  const last = (await node.reader.readBatch(ledger, 0)).records.findLast(({ kind }) => kind === 'rejection')
  if (problem === undefined || last === undefined) throw new Error('nothing was refused')
  return { problem, rejection: JSON.parse(Buffer.from(last.bytes).toString()) as Record<string, unknown> }
}

const hex = (digest: Uint8Array): string => Buffer.from(digest).toString('hex')
const a = 'a'.repeat(64)
const b = 'b'.repeat(64)

describe('a conflict', () => {
  it('case 51: of two declarations names both digests, in the answer and on record', async () => {
    const { problem, rejection } = await refused(declaration('second'), { sha256: hex(digestOf('second')) })
    const [first_sha256, offered_sha256] = [hex(digestOf('first')), hex(digestOf('second'))]
    expect(problem).toMatchObject({ code: 'run_conflict', extra: { first_sha256, offered_sha256, first_seq: 0 } })
    expect(problem.message).toMatch(/--run NAME/)
    expect(rejection).toMatchObject({
      reason: 'run_conflict',
      offered: { sha256: offered_sha256 },
      first: { sha256: first_sha256, seq: 0 },
    })
  })

  it('with a part that is not recorded yet says that it was begun', async () => {
    const { problem, rejection } = await refused(slice('2'), { part: 'p', sha256: b })
    expect(problem).toMatchObject({ code: 'part_conflict', extra: { offered_sha256: b } })
    expect(problem.message).toMatch(/was begun with other content.*repeat that upload/)
    expect(rejection).toMatchObject({ offered: { sha256: b } })
    expect(rejection).not.toHaveProperty('first')
  })

  it('case 51: of two parts names the digests of both reports, and what two jobs are to do', async () => {
    const [recorded] = await node.book.appender.submit([part(a)])
    const { problem, rejection } = await refused(part(b), { part: 'p', sha256: b, bytes: 1 })
    expect(problem).toMatchObject({
      code: 'part_conflict',
      extra: { first_sha256: a, offered_sha256: b, first_seq: recorded?.firstSeq },
    })
    expect(problem.message).toMatch(/Two jobs .* --part NAME/)
    expect(rejection).toMatchObject({
      part: 'p',
      offered: { bytes: 1, sha256: b },
      first: { sha256: a, seq: recorded?.firstSeq },
    })
    const { problem: same } = await refused(part(a, 'lcov'), { part: 'p', sha256: a })
    expect(same.message).toMatch(/the same bytes.*another format, section, strip or root/)
  })

  it('case 51: of two ends names both digests', async () => {
    const [recorded] = await node.book.appender.submit([seal('completed')])
    const { problem, rejection } = await refused(seal('failed'), {})
    const [first_sha256, offered_sha256] = [
      hex(sealDigest({ outcome: 'completed', tests: null })),
      hex(sealDigest({ outcome: 'failed', tests: null })),
    ]
    expect(problem).toMatchObject({ code: 'seal_conflict', extra: { first_sha256, offered_sha256 } })
    expect(rejection).toMatchObject({
      offered: { sha256: offered_sha256 },
      first: { sha256: first_sha256, seq: recorded?.firstSeq },
    })
  })
})
