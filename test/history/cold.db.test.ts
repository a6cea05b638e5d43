import { afterAll, beforeAll, expect, it } from 'vitest'
import { createHistoryAnswers } from '../../src/answers/history.ts'
import { archiveDays } from '../../src/archive/run-archive.ts'
import { detachDueMonths } from '../../src/archive/detach.ts'
import { createProjection, rebuildHistory } from '../../src/history/projection.ts'
import { createFolderObjects } from '../../src/objects/folder.ts'
import type { LineCoverage } from '../../src/record/coverage.ts'
import { type ArchiveNode, openArchiveNode } from '../archive/archive.ts'
import { createSettableClock } from '../support/clock.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { recordInventory, recordRun } from '../support/record-runs.ts'
import { temporaryFolder } from '../support/service.ts'

/** Months that left the tables: the history is made anew from the archive, and its answers name the same records. */
const going = new AbortController().signal
const ledgers = ['main/unit', 'main/operations'] as const
let database: TestDatabase
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let node: ArchiveNode

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('cold-history')
})
afterAll(async () => {
  await node.close()
  await database.drop()
  await folder.remove()
})

const file = (path: string, covered: number[], missed: number[]): LineCoverage => ({
  path, blob: 'b'.repeat(40), metric: 'line', definition: 'lcov.da@1', covered, partial: [], missed,
}) // oxfmt-ignore

it('a history is the same when its first months are read back from the archive', async () => {
  const objects = await createFolderObjects(folder.path)
  const clock = await createSettableClock(database.owner, '2027-11-02T10:00:00Z')
  await database.db.query({ text: `select ensure_partitions('2027-11-01', 36)` })
  node = await openArchiveNode({ db: database.db, objects, ledgers })
  const book = node.books.get('main/unit')!
  const commits = ['a', 'b', 'c'].map((digit) => digit.repeat(40))
  for (const [i, at] of ['2027-11-02T10:00:00Z', '2027-12-20T10:00:00Z', '2028-01-10T10:00:00Z'].entries()) {
    await clock.set(at)
    const run = {
      run: `local.${i}.api.unit`, repository: 'acme/pay', suite: 'api', ref: 'refs/heads/main', commit: commits[i]!, parents: commits.slice(0, i).reverse(),
      parts: [{ name: 'lcov.info', files: [file('a.ts', [1, 9], i === 1 ? [] : [10, 12]), file('b.ts', [1, 1], [])] }],
    } // oxfmt-ignore
    // A clock that was set looks like one that stepped: refused once, then read again.
    await recordRun(book, run).catch(() => recordRun(book, run))
    await recordInventory(book, 'acme/pay', commits[i]!, { 'a.ts': 'b'.repeat(40), 'b.ts': 'b'.repeat(40) })
  }
  await clock.set('2028-02-01T01:00:00Z')
  await archiveDays(node.writer('main/unit'), 900_000_000, going)
  const size = (await node.reader.published('main/unit'))?.size ?? 0
  const depsOf = ({ reader }: ArchiveNode) => ({ db: database.db, reader, readList: async () => undefined })
  await createProjection(depsOf(node), 'main/unit').catchUp(size, going)
  const ask = ({ reader }: ArchiveNode) =>
    createHistoryAnswers(database.db, reader).lines(['main/unit'], {
      repository: 'acme/pay',
      path: 'a.ts',
      first: 10,
      last: 11,
      from: '2027-11-01',
      asOf: `unit:${size}`,
    })
  const before = await ask(node)
  expect(before.lines[0]?.series[0]?.intervals.map(({ state }) => state)).toEqual([
    'missed',
    'not instrumented',
    'missed',
  ])

  await clock.set('2029-04-01T00:00:00Z')
  const moved = await detachDueMonths(
    { db: database.db, operations: node.books.get('main/operations')!, online: 15, archived: ledgers.map(node.writer) },
    going,
  )
  expect(moved.map(({ month }) => month)).toEqual(['2027-11-01', '2027-12-01'])
  const fresh = await openArchiveNode({ db: database.db, objects, ledgers, signer: node.signer })
  try {
    expect(await ask(fresh)).toEqual(before)
    await expect(rebuildHistory(depsOf(fresh), 'main/unit', going)).resolves.toEqual({ size })
    expect(await ask(fresh)).toEqual(before)
  } finally {
    await fresh.close()
  }
})
