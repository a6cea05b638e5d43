import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { abandonmentSubmission, runAbandonment } from '../../src/admission/abandon.ts'
import { runPayload } from '../../src/admission/run-record.ts'
import { decidePart, digestOf, keys } from '../../src/admission/run.ts'
import { type RunsStore, createRunsStore } from '../../src/admission/runs-store.ts'
import { sealSubmission } from '../../src/admission/submissions.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { noContract } from './no-contract.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'

const ledger = 'main/unit'
const tests = { total: 1, passed: 1, failed: 0, skipped: 0 }

let database: TestDatabase
let node: TestNode
let runs: RunsStore
beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  node = await openNode(database.db, await createMemorySigner())
  runs = createRunsStore(database.db, node.reader)
})
afterAll(async () => {
  await node.book.close()
  await database.drop()
})

const nameOf = (name: string): string => `local.${name}.api.unit`
const declare = async (name: string): Promise<string> => {
  const run = nameOf(name)
  const body = { repository: 'r', test_type: 'unit', suite: 's', commit: 'c'.repeat(40) } as const
  const { payload } = runPayload(ledger, run, body, undefined, { method: 'token', subject: 'token:1' })
  await node.book.appender.submit([
    {
      key: keys.run(run),
      digest: digestOf(run),
      run,
      conflict: 'run_conflict',
      segments: [packSegment('run', [payload])],
    },
  ])
  return run
}
const seal = async (run: string) => {
  const link = await node.book.link('r', 's', ':seal', 0)
  return node.book.appender.submit([
    sealSubmission(await runs.getRun(ledger, run), { outcome: 'completed', tests }, link, async () => {}, noContract),
  ])
}
const slice = (run: string) =>
  node.book.appender.submit([
    {
      key: keys.slice(run, 'p', 0),
      digest: digestOf(1),
      run,
      conflict: 'part_conflict',
      decide: decidePart(run, 'p', digestOf(1)),
      segments: [
        packSegment('coverage', [
          Buffer.from(JSON.stringify({ schema: 'proofline.coverage.v1', kind: 'coverage', ledger, run })),
        ]),
      ],
    },
  ])
const abandonments = async (): Promise<Record<string, unknown>[]> => {
  const { records } = await node.reader.readBatch(ledger, 0)
  return records
    .filter(({ kind }) => kind === 'abandonment')
    .map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>)
}
/** Looks until it had time for several looks. */
const look = async (ageMs: number): Promise<void> => {
  const end = new AbortController()
  const running = runAbandonment(
    { db: database.db, ledgers: [ledger], bookOf: () => node.book, runs, log: silentLogger, ageMs, intervalMs: 20 },
    end.signal,
  )
  await sleep(200)
  end.abort()
  await running
}

describe('runAbandonment', () => {
  it('ends the runs that nobody ended in time, once, and names what was open', async () => {
    const [forgotten, open, sealed] = [await declare('forgotten'), await declare('open'), await declare('sealed')]
    await slice(open)
    await seal(sealed)
    await look(86_400_000)
    expect(await abandonments()).toEqual([])
    await look(1)
    const found = await abandonments()
    expect(new Set(found.map(({ run }) => run))).toEqual(new Set([forgotten, open]))
    expect(found).toHaveLength(2)
    expect(found.find(({ run }) => run === open)).toMatchObject({
      admitted: false,
      reasons: ['abandoned'],
      open_parts: { count: 1, first: ['p'] },
      records: { count: 2 },
    })
    expect(found.find(({ run }) => run === forgotten)).toMatchObject({
      open_parts: { count: 0, first: [] },
      records: { count: 1 },
      commit: 'c'.repeat(40),
    })
  })

  it('closes a run for good, and a seal that comes first stands', async () => {
    const run = nameOf('forgotten')
    await expect(seal(run)).rejects.toMatchObject({ code: 'seal_conflict' })
    await expect(slice(run)).rejects.toMatchObject({ code: 'run_sealed' })
    const sealed = nameOf('sealed')
    const [joined] = await node.book.appender.submit([abandonmentSubmission(await runs.getRun(ledger, sealed), 1)])
    expect(joined).toMatchObject({ key: keys.end(sealed), repeated: true })
    expect(await abandonments()).toHaveLength(2)
  })

  it('rejects when it cannot look, so that its worker tries again', async () => {
    const failing = { query: () => Promise.reject(new Error('away')) }
    await expect(
      runAbandonment(
        { db: failing, ledgers: [ledger], bookOf: () => node.book, runs, log: silentLogger },
        new AbortController().signal,
      ),
    ).rejects.toThrow('away')
  })
})
