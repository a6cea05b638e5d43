import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Queryable } from '../../src/database/database.ts'
import { dispositionsOnFiles } from '../../src/history/decision-pages.ts'
import { catchUpDecisions, rebuildDecisions } from '../../src/history/decisions.ts'
import {
  decidedRepositories,
  decisionsByName,
  decisionsOfBuild,
  decisionsOfCommit,
  deploymentsBetween,
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
    const window = { from: 0, to: (found?.recordedAt ?? 0) + 1 }
    expect(seqs(await deploymentsBetween(database.db, ledger, size, 's', window))).toEqual([other])
    expect(seqs(await deploymentsBetween(database.db, ledger, size, 's', { ...window, to: window.to - 1 }))).toEqual([])
    expect(seqs(await deploymentsBetween(database.db, ledger, other, 's', window))).toEqual([])
    expect(seqs(await deploymentsBetween(database.db, ledger, size, 'r', window))).toEqual([deployment])
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

  it('on files are found by the files, however many there are on others, and no more are read', async () => {
    const note = (repository: string, path: string, lines?: string): Promise<number> =>
      decide('disposition', { repository, target: { kind: lines === undefined ? 'file' : 'lines', path, ...(lines === undefined ? {} : { lines }) }, subject: lines === undefined ? `file:${path}` : `lines:${path}:${lines}`, note: 'n' }) // oxfmt-ignore
    const onFile = await note('n', 'src/a.ts')
    await note('m', 'src/a.ts')
    for (let i = 0; i < 40; i++) await note('n', `src/a.ts.${i}`, '1-3')
    const onLines = await note('n', 'src/a.ts', '3,12-20')
    const longer = await note('n', 'src/a.ts:2', '4')
    const later = await note('n', 'src/b.ts')
    const size = await published()
    await catchUpDecisions(deps(), ledger, size, going)
    let rows = 0
    const counting: Queryable = {
      async query(statement) {
        const answer = await database.db.query<never>(statement)
        rows += answer.rows.length
        return answer
      },
    }
    const found = async (paths: string[], until = size) =>
      (await dispositionsOnFiles(counting, ledger, until, 'n', paths)).map(({ seq }) => seq)
    expect(await found(['src/a.ts'])).toEqual([onFile, onLines])
    expect(rows).toBe(2)
    expect(await found(['src/b.ts', 'src/a.ts'], later)).toEqual([onFile, onLines])
    expect(await found(['src/a.ts:2', 'src/a.ts'])).toEqual([onFile, onLines, longer])
    expect(await found([])).toEqual([])
    // More files than notes: these are looked through instead.
    const many = Array.from({ length: 100 }, (_, i) => `other/${i}.ts`)
    rows = 0
    expect(await found([...many, 'src/a.ts'])).toEqual([onFile, onLines])
    expect(rows).toBe(44)
    rows = 0
    expect(await found([...many.slice(0, 20), 'src/a.ts'])).toEqual([onFile, onLines])
    expect(rows).toBe(22 + 2)
    expect(await found([...many, 'src/a.ts:2', 'src/a.ts', 'src/b.ts'], later)).toEqual([onFile, onLines, longer])
  })
})
