import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createProjection, rebuildHistory } from '../../src/history/projection.ts'
import { stateAt } from '../../src/history/states.ts'
import type { LineCoverage } from '../../src/record/coverage.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'
import { type RunToRecord, recordInventory, recordMaps, recordRun } from '../support/record-runs.ts'

let database: TestDatabase
let node: TestNode
const going = new AbortController().signal
const readList = async () => undefined

beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  node = await openNode(database.db, await createMemorySigner())
})
afterAll(async () => {
  await node.book.close()
  await database.drop()
})

const id = (name: string): string => Buffer.from(name).toString('hex').padEnd(40, '0')
const file = (path: string, covered: number[], missed: number[] = [], definition = 'lcov.da@1'): LineCoverage => ({
  path, blob: id(path), metric: 'line', definition, covered, partial: [], missed,
}) // oxfmt-ignore
const push = (run: string, commit: string, files: LineCoverage[], more: Partial<RunToRecord> = {}) =>
  recordRun(node.book, {
    run: `local.${run}.api.unit`, repository: 'r', suite: 'api', ref: 'refs/heads/main', commit: id(commit), parts: [{ name: 'lcov.info', files }], ...more,
  }) // oxfmt-ignore

const tables = [
  'repositories',
  'paths',
  'layouts',
  'declared',
  'rejections',
  'runs',
  'commits',
  'changes',
  'inventories',
  'blobs',
  'maps',
]
async function contentOf(): Promise<Record<string, unknown[]>> {
  const content: Record<string, unknown[]> = {}
  for (const table of tables) {
    const { rows } = await database.owner.query<{ row: string }>({
      text: `select t::text as row from proofline_derived.history_${table} as t order by 1`,
    })
    content[table] = rows.map(({ row }) => row)
  }
  return content
}
const deps = () => ({ db: database.db, reader: node.reader, readList })
const catchUp = async (projection = createProjection(deps(), 'main/unit')) =>
  projection.catchUp((await node.reader.published('main/unit'))?.size ?? 0, going)
const changesOf = async (seq: number) =>
  (
    await database.db.query<{ path: string; state: Buffer | null }>({
      text: `select path, state from proofline_derived.history_changes join proofline_derived.history_paths using (ledger, repository_id, path_id) where seq = $1 order by path`,
      values: [seq],
    })
  ).rows

describe('the projection', () => {
  it('stores of a run what differs from the run before, and nothing of one that is equal', async () => {
    const files = [file('a.ts', [1, 9]), file('b.ts', [1, 3], [5, 6]), file('c.ts', [2, 2])]
    const first = await push('1', 'one', files)
    const same = await push('2', 'two', files, { parents: [id('one')] })
    const other = await push('3', 'three', [file('a.ts', [1, 9]), file('b.ts', [1, 3], [5, 7])], {
      parents: [id('two')],
    })
    const branch = await push('4', 'four', files, { ref: 'refs/heads/x', parents: [id('two'), id('one')] })
    const back = await push('5', 'five', [file('a.ts', [1, 9]), file('b.ts', [1, 3], [5, 7])], {
      parents: [id('three')],
    })
    const left = await push('6', 'six', [file('z.ts', [1, 1])], { reasons: ['no_tests'] })
    await catchUp()
    expect((await changesOf(first)).map(({ path }) => path)).toEqual(['"a.ts"', '"b.ts"', '"c.ts"'])
    expect(await changesOf(same)).toEqual([])
    const [b, c] = await changesOf(other)
    expect(stateAt(b?.state ?? Buffer.alloc(0), 7)).toBe('missed')
    expect(c).toEqual({ path: '"c.ts"', state: null })
    expect(await changesOf(branch)).toEqual([]) // as its first parent had it
    expect(await changesOf(back)).toEqual([]) // branches that alternate cost nothing twice
    const { rows } = await database.db.query({
      text: `select seq, base, reasons, parts from proofline_derived.history_runs order by seq`,
    })
    const layouts = (seq: number, layout: number) =>
      JSON.stringify([[layout, 'lcov.da@1', seq - (layout === 0 ? 4 : 3), seq - 2]])
    expect(rows).toEqual([
      { seq: first, base: -1, reasons: '', parts: layouts(first, 0) },
      { seq: same, base: first, reasons: '', parts: layouts(same, 0) },
      { seq: other, base: same, reasons: '', parts: layouts(other, 1) },
      { seq: branch, base: same, reasons: '', parts: layouts(branch, 0) },
      { seq: back, base: other, reasons: '', parts: layouts(back, 1) },
      { seq: left, base: -1, reasons: 'no_tests', parts: null },
    ])
  })

  it('joins the shards and windows of a file, and keeps definitions apart', async () => {
    const long = Array.from({ length: 3_000 }, (_, i) => [3 * i + 1, 3 * i + 1]).flat()
    const seq = await push('7', 'seven', [], {
      suite: 'shards',
      parts: [
        { name: '1', files: [file('a.ts', [1, 2], [3, 9]), file('long.ts', long)] },
        { name: '2', files: [file('a.ts', [3, 4], [1, 2])] },
        { name: '3', files: [file('a.ts', [9, 9], [], 'other@1')] },
      ],
    })
    await catchUp()
    const [a, other, joined] = await changesOf(seq)
    expect(a?.path).toBe('"a.ts"')
    expect([1, 3, 5, 9].map((line) => stateAt(a?.state ?? Buffer.alloc(0), line))).toEqual([
      'covered',
      'covered',
      'missed',
      'missed',
    ])
    expect(stateAt(other?.state ?? Buffer.alloc(0), 9)).toBe('covered')
    expect([1, 2, 8_998].map((line) => stateAt(joined?.state ?? Buffer.alloc(0), line))).toEqual([
      'covered',
      undefined,
      'covered',
    ])
  })

  it('stores of an inventory what differs from that of the nearest ancestor, and each line map once', async () => {
    const { book } = node
    await push('8', 'eight', [file('a.ts', [1, 9])], { parents: [id('five')], repository: 'i' })
    await recordInventory(book, 'i', id('eight'), { 'a.ts': id('a1'), 'b.ts': id('b1'), 'c.ts': id('c1') })
    await push('9', 'nine', [file('a.ts', [1, 9])], { parents: [id('eight'), id('five')], repository: 'i' })
    await recordInventory(book, 'i', id('nine'), { 'a.ts': id('a2'), 'c.ts': id('c1') })
    await recordMaps(book, 'i', { from: id('eight'), to: id('nine'), run: 'local.9.api.unit' }, [
      { from: { path: 'a.ts', blob: id('a1') }, to: { path: 'a.ts', blob: id('a2') }, hunks: [1, 1, 1, 2] },
    ])
    await catchUp()
    const { rows } = await database.db.query({
      text: `select path, encode(b.blob, 'hex') as blob from proofline_derived.history_blobs as b join proofline_derived.history_paths using (ledger, repository_id, path_id)
             where b.seq = (select max(seq) from proofline_derived.history_inventories) order by path`,
    })
    expect(rows).toEqual([{ path: '"a.ts"', blob: id('a2') }, { path: '"b.ts"', blob: null }]) // oxfmt-ignore
    const maps = await database.db.query({ text: 'select hunks from proofline_derived.history_maps' })
    expect(maps.rows).toEqual([{ hunks: '-1,1+1,2' }])
  })

  it('has the same content when it is dropped and filled again, at once or a record at a time, by two processes at once', async () => {
    const before = await contentOf()
    expect(before['runs']?.length).toBeGreaterThan(6)
    const size = (await node.reader.published('main/unit'))?.size ?? 0
    await expect(rebuildHistory(deps(), 'main/unit', going)).resolves.toEqual({ size })
    expect(await contentOf()).toEqual(before)

    await database.db.query({
      text: 'update proofline_derived.history_positions set next = 0, generation = generation + 1',
    })
    for (const table of tables) await database.db.query({ text: `delete from proofline_derived.history_${table}` })
    const [one, other] = [createProjection(deps(), 'main/unit'), createProjection(deps(), 'main/unit')]
    for (let until = 1; until <= size; until += 1 + (until % 3))
      await Promise.all([one.catchUp(until, going), other.catchUp(until, going)])
    await one.catchUp(size, going)
    expect(await contentOf()).toEqual(before)
  })
})
