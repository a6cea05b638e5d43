import { afterAll, beforeAll, expect, it } from 'vitest'
import type { FilesAnswer } from '../../src/answers/files.ts'
import { createHistoryAnswers } from '../../src/answers/history.ts'
import type { LinesAnswer } from '../../src/answers/lines.ts'
import { catchUpDecisions } from '../../src/history/decisions.ts'
import { createProjection } from '../../src/history/projection.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import { dispositionPayload, type DispositionTarget } from '../../src/record/changes.ts'
import { printTarget } from '../../src/record/change-keys.ts'
import { parseHunks } from '../../src/record/hunks.ts'
import { printLineHistory } from '../../src/commands/print-history.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'
import { recordInventory, recordMaps, recordRun } from '../support/record-runs.ts'

/** Notes on lines, followed to the version that is asked about: two lines are put before all others, then the file gets another name, and another file gets its old one. */

const going = new AbortController().signal
const repository = 'acme/pay'
const commits = ['a', 'b', 'c'].map((digit) => digit.repeat(40))
const versions = [
  { path: 'src/old.ts', blob: '1'.repeat(40) },
  { path: 'src/old.ts', blob: '2'.repeat(40) },
  { path: 'src/new.ts', blob: '3'.repeat(40) },
]
let database: TestDatabase
let runs: TestNode
let changes: TestNode
let notes = 0

async function note(target: DispositionTarget, more: { blob?: string; until?: string } = {}): Promise<void> {
  const by = { method: 'login', subject: 'login:x' } as const
  const fields = {
    repository,
    target,
    subject: printTarget(target),
    note: `note ${++notes}`,
    verdict: 'accepted',
    ...more,
    by,
  } as const
  const segments = [packSegment('disposition', [dispositionPayload('main/changes', fields)])]
  await changes.book.appender.submit([{ key: `note:${notes}`, digest: Buffer.alloc(32), firstWins: true, conflict: 'internal', segments }]) // oxfmt-ignore
}

beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  const signer = await createMemorySigner()
  runs = await openNode(database.db, signer, 'a', 'main/unit')
  changes = await openNode(database.db, signer, 'a', 'main/changes')
  for (const [i, { path, blob }] of versions.entries()) {
    const commit = commits[i] ?? ''
    const [run, before] = [`local.${i}.api.unit`, versions[i - 1]]
    await recordInventory(runs.book, repository, commit, {
      [path]: blob,
      'src/other.ts': '9'.repeat(40),
      ...(i === 2 ? { 'src/old.ts': '8'.repeat(40) } : {}),
    })
    if (before !== undefined)
      await recordMaps(runs.book, repository, { from: commits[i - 1] ?? '', to: commit, run }, [
        { from: before, to: { path, blob }, hunks: parseHunks(i === 1 ? '-0,0+1,2' : '-20,0+21,1') },
      ])
    const covered = { path, blob, metric: 'line', definition: 'lcov.da@1', covered: [1, 9], partial: [], missed: [] } as const // oxfmt-ignore
    await recordRun(runs.book, { run, repository, suite: 'api', commit, ref: 'refs/heads/main', parents: commits.slice(0, i).reverse(), parts: [{ name: 'lcov.info', files: [covered] }] }) // oxfmt-ignore
  }
  const size = (await runs.reader.published('main/unit'))?.size ?? 0
  await createProjection({ db: database.db, reader: runs.reader, readList: async () => undefined }, 'main/unit').catchUp(size, going) // oxfmt-ignore

  const [first, second] = versions
  await note({ kind: 'lines', path: 'src/old.ts', lines: '3-4,7' }, { blob: first!.blob })
  await note({ kind: 'lines', path: 'src/old.ts', lines: '5' }, { blob: second!.blob, until: '2020-01-01' })
  await note({ kind: 'lines', path: 'src/new.ts', lines: '5' })
  await note({ kind: 'lines', path: 'src/new.ts', lines: '6' }, { blob: '4'.repeat(40) })
  await note({ kind: 'lines', path: 'src/old.ts', lines: '6' }, { blob: '4'.repeat(40) })
  await note({ kind: 'file', path: 'src/new.ts' }, { blob: versions[2]!.blob })
  await note({ kind: 'lines', path: 'src/other.ts', lines: '1-9' })
  await note({ kind: 'day', day: '2026-11-01' })
  await note({ kind: 'file', path: 'src/old.ts' }, { blob: '8'.repeat(40) })
  await note({ kind: 'file', path: 'src/old.ts' })
  await note({ kind: 'lines', path: 'src/old.ts', lines: '5' }, { blob: '8'.repeat(40) })
  await note({ kind: 'lines', path: 'src/new.ts', lines: '7-7' })
  await note({ kind: 'lines', path: 'src/new.ts', lines: '8-7' })
  const noted = (await changes.reader.published('main/changes'))?.size ?? 0
  await catchUpDecisions({ db: database.db, reader: changes.reader }, 'main/changes', noted, going)
})
afterAll(async () => {
  await Promise.all([runs.book.close(), changes.book.close()])
  await database.drop()
})

const ledgers = ['main/unit', 'main/changes'] as const
const answers = () => createHistoryAnswers(database.db, { ...runs.reader, readBatch: runs.reader.readBatch })
const of = (first: number, last: number, asOf?: string) => answers().lines(ledgers, { repository, path: 'src/new.ts', first, last, asOf }) // oxfmt-ignore
const told = ({ dispositions = [] }: Pick<LinesAnswer | FilesAnswer, 'dispositions'>) =>
  dispositions.map(({ note: text, at, by_number: byNumber, lapsed }) => [text, at, byNumber, lapsed])

it('are told with the lines that they are now, by number where nothing leads there, and with why they hold no more', async () => {
  const answer = await of(4, 6)
  expect(told(answer)).toEqual([
    ['note 1', '5-6', undefined, 'blob'],
    ['note 2', '5', undefined, 'until'],
    ['note 3', '5', true, undefined],
    ['note 4', '6', true, 'blob'],
    ['note 6', undefined, undefined, undefined],
  ])
  expect(answer.as_of).toMatch(/^unit:\d+,changes:13$/)
  expect(told(await of(9, 9))).toEqual([
    ['note 1', '9', undefined, 'blob'],
    ['note 6', undefined, undefined, undefined],
  ])
  expect(told(await of(1, 2))).toEqual([['note 6', undefined, undefined, undefined]])
})

it('stand beside the picture of the file too, those that are on no line of it with nothing', async () => {
  const answer = await answers().files(ledgers, { repository, path: 'src/new.ts' })
  expect(told(answer).map(([text, at]) => [text, at])).toEqual([['note 1', '5-6,9'], ['note 2', '5'], ['note 3', '5'], ['note 4', '6'], ['note 5', null], ['note 6', undefined], ['note 12', '7'], ['note 13', '7-8']]) // oxfmt-ignore
})

it('are followed by line maps also from versions of before the time that is asked about', async () => {
  const { lines } = await of(5, 5)
  const from = lines[0]?.series[0]?.intervals.at(-1)?.last.recorded_at ?? ''
  const narrow = await answers().lines(ledgers, { repository, path: 'src/new.ts', first: 5, last: 5, from })
  expect(narrow.evidence[0]?.runs).toBe(1)
  expect(told(narrow).slice(0, 2)).toEqual([['note 1', '5', undefined, 'blob'], ['note 2', '5', undefined, 'until']]) // oxfmt-ignore
})

it('are those of the sizes that are asked as of; an as_of of before they were shown is answered as then', async () => {
  const { as_of: asOf } = await of(5, 5)
  const [unit = ''] = asOf.split(',')
  expect(told(await of(5, 5, `${unit},changes:1`))).toEqual([['note 1', '5', undefined, 'blob']])
  const before = await of(5, 5, unit)
  expect([before.as_of, 'dispositions' in before]).toEqual([unit, false])
  expect(await of(5, 5, asOf)).toEqual(await of(5, 5))
})

it('says that there are more than it looks at, also where none of these is of the lines', async () => {
  for (let i = 0; i < 200; i++)
    await note({ kind: 'lines', path: 'src/new.ts', lines: '9' }, { blob: versions[2]!.blob })
  const size = (await changes.reader.published('main/changes'))?.size ?? 0
  await catchUpDecisions({ db: database.db, reader: changes.reader }, 'main/changes', size, going)
  const answer = await of(4, 6)
  expect([answer.dispositions, answer.dispositions_left_out]).toEqual([[], expect.any(Number)])
  expect(printLineHistory(answer)).toContain(`notes\n    and ${answer.dispositions_left_out} older ones of the file`)
  expect((await of(9, 9)).dispositions).toHaveLength(200)
})
