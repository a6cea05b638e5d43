import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { catchUpDecisions, rebuildDecisions } from '../../src/history/decisions.ts'
import {
  decidedRepositories,
  decisionsBetween,
  decisionsByName,
  decisionsOfBuild,
  decisionsOfCommit,
} from '../../src/history/decision-store.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import type { RecordKind } from '../../src/record/record.ts'
import { printPayload } from '../../src/record/run.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'

const ledger = 'main/changes'
const going = new AbortController().signal
let database: TestDatabase
let node: TestNode
let submitted = 0

beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  node = await openNode(database.db, await createMemorySigner(), 'test', ledger)
})
afterAll(async () => {
  await node.book.close()
  await database.drop()
})

async function decide(kind: RecordKind, fields: object): Promise<number> {
  const segments = [packSegment(kind, [printPayload(kind, ledger, fields)])]
  const [recorded] = await node.book.appender.submit([
    { key: `test:${++submitted}`, digest: Buffer.alloc(32), firstWins: true, conflict: 'internal', segments },
  ])
  return recorded?.firstSeq ?? -1
}
const deps = () => ({ db: database.db, reader: node.reader })
const published = async (): Promise<number> => (await node.reader.published(ledger))?.size ?? 0
const content = async (): Promise<unknown[]> =>
  (await database.owner.query({ text: 'select * from proofline_derived.decisions order by seq' })).rows

const [a, b] = ['a'.repeat(40), 'b'.repeat(40)]

describe('decisions', () => {
  it('are found by name, commit, build and time, as of any size', async () => {
    const build = await decide('build', { repository: 'r', build: '1', commit: a, ref: 'refs/heads/main' })
    await decide('rejection', { repository: 'r', reason: 'contract_conflict' })
    const gate = await decide('gate', { repository: 'r', commit: a, build: '1', verdict: 'pass' })
    const deployment = await decide('deployment', {
      repository: 'r',
      deployment: 'd1',
      environment: 'prod',
      build: '1',
      commit: a,
    })
    const other = await decide('deployment', { repository: 's', deployment: 'd1', environment: 'prod', commit: b })
    expect(await catchUpDecisions(deps(), ledger, await published(), going)).toBe(other + 1)

    const seqs = (found: { seq: number }[]): number[] => found.map(({ seq }) => seq)
    const size = await published()
    expect(seqs(await decisionsOfCommit(database.db, ledger, size, 'r', a))).toEqual([build, gate, deployment])
    expect(seqs(await decisionsOfBuild(database.db, ledger, size, 'r', '1'))).toEqual([build, gate, deployment])
    expect(seqs(await decisionsOfBuild(database.db, ledger, gate, 'r', '1'))).toEqual([build])
    const [found] = await decisionsByName(database.db, ledger, size, {
      repository: 's',
      kind: 'deployment',
      name: 'd1',
    })
    expect(found).toMatchObject({ seq: other, environment: 'prod', commit: b, build: null })
    expect(JSON.parse(found?.fields ?? '')).toMatchObject({
      id: found?.id,
      seq: other,
      kind: 'deployment',
      repository: 's',
    })
    const window = { kind: 'deployment', from: 0, to: (found?.recordedAt ?? 0) + 1, before: size, limit: 10 } as const
    expect(seqs(await decisionsBetween(database.db, ledger, ['r', 's'], window))).toEqual([other, deployment])
    expect(seqs(await decisionsBetween(database.db, ledger, ['r', 's'], { ...window, to: window.to - 1 }))).toEqual([
      deployment,
    ])
    expect(seqs(await decisionsBetween(database.db, ledger, ['r', 's'], { ...window, before: other }))).toEqual([
      deployment,
    ])
    expect(await decidedRepositories(database.db, ledger, size)).toEqual(['r', 's'])
    expect(await decidedRepositories(database.db, ledger, other)).toEqual(['r'])
  })

  it('are made again to the same content, and two that follow insert each once', async () => {
    for (let i = 0; i < 20; i++)
      await decide('disposition', { repository: 'r', target: { kind: 'file', path: `f${i}` }, note: 'n' })
    const size = await published()
    await Promise.all([1, 2, 3].map(() => catchUpDecisions(deps(), ledger, size, going)))
    const before = await content()
    expect(before).toHaveLength(24)
    const [rebuilt] = await Promise.all([
      rebuildDecisions(deps(), ledger, going),
      catchUpDecisions(deps(), ledger, size, going),
    ])
    expect(rebuilt).toEqual({ size })
    expect(await content()).toEqual(before)
  })
})
