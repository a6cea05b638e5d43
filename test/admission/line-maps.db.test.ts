import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Principal } from '../../src/access/principal.ts'
import { type Admission, createAdmission } from '../../src/admission/admission.ts'
import { createLineMaps } from '../../src/admission/line-maps.ts'
import { createConflicts } from '../../src/admission/conflicts.ts'
import { type ParsePool, createParsePool } from '../../src/admission/pool.ts'
import { createRefusals } from '../../src/admission/refusals.ts'
import type { Parts } from '../../src/admission/parts.ts'
import { createRunsStore } from '../../src/admission/runs-store.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { createGenerations } from '../../src/ledger/generations.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'

/** Admission over a real ledger, twice: two nodes that know nothing of each other. */
const who: Principal = { org: 'main', id: 'token:1', method: 'token', scopes: new Set(['push']) }
let database: TestDatabase
let pool: ParsePool
let nodes: TestNode[]
let admissions: Admission[]
const kept: Uint8Array[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  const signer = await createMemorySigner()
  nodes = [await openNode(database.db, signer, 'a'), await openNode(database.db, signer, 'b')]
  pool = createParsePool(silentLogger, 1)
  admissions = nodes.map(({ book, reader }) => {
    const bookOf = () => book
    const runs = createRunsStore(database.db, reader)
    const keepList = async (list: Uint8Array) => void kept.push(list)
    const parts = { keepList } as unknown as Parts // no part is sent here
    const lineMaps = createLineMaps({ db: database.db, reader, bookOf, keepList })
    return createAdmission({
      org: 'main',
      generations: createGenerations('main', []),
      db: database.db,
      bookOf,
      reader,
      runs,
      parts,
      lineMaps,
      pool,
      recordingRefusals: createRefusals({ bookOf, conflicts: createConflicts(database.db, reader), log: silentLogger }),
      judge: { judge: async () => ({ counts: true, reasons: [], observed: [] }), prepare: async () => {} },
      maxInventoryFiles: 1_000,
    })
  })
})
afterAll(async () => {
  await pool.close()
  for (const { book } of nodes) await book.close()
  await database.drop()
})

const at = (index: number): Admission => {
  const found = admissions[index]
  if (found === undefined) throw new Error('no such node')
  return found
}
const id = (text: string): string => Buffer.from(text).toString('hex').padEnd(40, '0')
const blob = (digit: string): string => digit.repeat(40)
async function* ndjson(lines: readonly unknown[]): AsyncGenerator<Uint8Array> {
  for (const line of lines) yield Buffer.from(`${JSON.stringify(line)}\n`)
}
const declare = (repository: string, commit: string, firstParents: string[] = [], node = 0, more = {}) =>
  at(node).declare(who, `local.${repository}-${commit}.api.unit`, {
    repository,
    test_type: 'unit',
    suite: 'api',
    commit: id(commit),
    ref: 'refs/heads/main',
    ...more,
    parents: firstParents.slice(0, 1).map(id),
    first_parents: firstParents.map(id),
  })
const inventory = (repository: string, commit: string, files: Record<string, string>, node = 0) =>
  at(node).addInventory(
    who,
    `local.${repository}-${commit}.api.unit`,
    ndjson(Object.entries(files).map(([path, digit]) => ({ path, blob: blob(digit) }))),
  )
const seal = (repository: string, commit: string) =>
  at(0).close(who, `local.${repository}-${commit}.api.unit`, { outcome: 'completed', tests: null })
const map = (path: string, from: string, to: string, hunks = '-1,1+1,2') => ({
  from: { path, blob: blob(from) },
  to: { path, blob: blob(to) },
  hunks,
})
const send = (repository: string, run: string, from: string, to: string, maps: readonly unknown[], node = 0) =>
  at(node).addLineMaps(
    who,
    `local.${repository}-${run}.api.unit`,
    { from: id(from), to: id(to), definition: 'git.patience@1' },
    ndjson(maps),
  )
const missing = async (...given: Parameters<typeof declare>): Promise<string[]> =>
  (await declare(...given)).answer.missing.line_maps.map(({ from, to }) =>
    [from, to].map((hex) => Buffer.from(hex, 'hex').toString().replaceAll('\0', '')).join(' '),
  )
const records = async (repository: string, kind: string): Promise<Record<string, unknown>[]> => {
  const found: Record<string, unknown>[] = []
  const node = nodes[0]
  for (let next = 0; node !== undefined;) {
    const batch = await node.reader.readBatch('main/unit', next)
    if (batch.next === next) break
    next = batch.next
    for (const record of batch.records) {
      const fields = JSON.parse(Buffer.from(record.bytes).toString()) as Record<string, unknown>
      if (fields['kind'] === kind && fields['repository'] === repository) found.push(fields)
    }
  }
  return found
}

describe('line maps', () => {
  it('are asked for between recorded commits, recorded once, and then asked for no more', async () => {
    expect(await missing('r1', 'a')).toEqual([])
    await inventory('r1', 'a', { 'x.js': '1', 'y.js': '1', 'z.png': '1' })
    expect(await missing('r1', 'b', ['a'])).toEqual(['a b'])
    await inventory('r1', 'b', { 'x.js': '2', 'y.js': '1', 'z.png': '2' })
    const sent = await send('r1', 'b', 'a', 'b', [
      map('x.js', '1', '2'),
      { ...map('z.png', '1', '2'), hunks: undefined, unmapped: 'binary' },
    ])
    expect(sent).toMatchObject({
      created: true,
      answer: {
        from: id('a'),
        to: id('b'),
        mapped: 1,
        renamed: 0,
        unmapped: { count: 1, first: [{ path: 'z.png', reason: 'binary' }] },
        refused: { count: 0 },
      },
    })
    expect(await missing('r1', 'b', ['a'])).toEqual([])
    const again = await send('r1', 'b', 'a', 'b', [map('x.js', '1', '2', '-7,1+7,1')])
    expect(again).toEqual({ created: false, answer: sent.answer })
    expect(await records('r1', 'linemap')).toMatchObject([
      {
        run: 'local.r1-b.api.unit',
        path: 'x.js',
        blob: blob('2'),
        from: { path: 'x.js', blob: blob('1') },
        hunks: '-1,1+1,2',
      },
    ])
    expect(await records('r1', 'comparison')).toHaveLength(1)
  })

  it('of a pair of blobs are recorded once, whoever brings it between whichever commits', async () => {
    for (const [commit, digit] of [
      ['a', '1'],
      ['b', '2'],
      ['c', '1'],
      ['d', '2'],
    ] as const) {
      await declare('r2', commit)
      await inventory('r2', commit, { 'x.js': digit })
    }
    await send('r2', 'b', 'a', 'b', [map('x.js', '1', '2')])
    expect(await send('r2', 'd', 'c', 'd', [map('x.js', '1', '2', '-5,1+5,1')])).toMatchObject({
      created: true,
      answer: { mapped: 1 },
    })
    expect(await records('r2', 'linemap')).toMatchObject([{ commit: id('b'), hunks: '-1,1+1,2' }])
    expect(await records('r2', 'comparison')).toHaveLength(2)
  })

  it(
    'are recorded once when many shards bring them to two services at the same time',
    { timeout: 90_000 },
    async () => {
      await declare('r3', 'a')
      await inventory('r3', 'a', Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}.js`, '1'])))
      await declare('r3', 'b', ['a'])
      await inventory('r3', 'b', Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}.js`, '2'])))
      const maps = Array.from({ length: 300 }, (_, i) => map(`f${i}.js`, '1', '2'))
      const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => send('r3', 'b', 'a', 'b', maps, i % 2)))
      expect(answers.filter(({ created }) => created)).toHaveLength(1)
      expect(new Set(answers.map(({ answer }) => JSON.stringify(answer))).size).toBe(1)
      const recorded = await records('r3', 'linemap')
      expect(recorded).toHaveLength(300)
      expect(new Set(recorded.map((record) => record['path'])).size).toBe(300)
      expect(await records('r3', 'comparison')).toHaveLength(1)
    },
  )

  it('are asked for where a commit came late: by the late one, and by the next of the branch', async () => {
    for (const [commit, parents] of [
      ['a', []],
      ['c', ['b', 'a']],
    ] as [string, string[]][]) {
      await declare('r4', commit, parents)
      await inventory('r4', commit, { 'x.js': commit === 'a' ? '1' : '3' })
      await seal('r4', commit)
    }
    await send('r4', 'c', 'a', 'c', [map('x.js', '1', '3')])
    expect(await missing('r4', 'b', ['a'])).toEqual(['a b', 'b c'])
    await inventory('r4', 'b', { 'x.js': '2' })
    await send('r4', 'b', 'a', 'b', [map('x.js', '1', '2')])
    expect(await missing('r4', 'd', ['c', 'b', 'a'])).toEqual(['c d', 'b c'])
    await send('r4', 'b', 'b', 'c', [map('x.js', '2', '3')])
    expect(await missing('r4', 'd', ['c', 'b', 'a'])).toEqual(['c d'])
  })

  it('go from the newest commit of the ref where a clone ends before any that is known, also over a rewritten branch', async () => {
    await declare('r5', 'a')
    await inventory('r5', 'a', { 'x.js': '1' })
    await seal('r5', 'a')
    expect(await missing('r5', 'z', ['y'])).toEqual(['a z'])
    expect(await missing('r5', 'z2', ['y'], 0, { ref: 'refs/heads/other' })).toEqual([])
  })

  it('are caught up with eight pairs at a time, the newest first', async () => {
    const commits = Array.from({ length: 20 }, (_, i) => `c${String(i).padStart(2, '0')}`)
    for (const [i, commit] of commits.entries()) {
      await declare('r6', commit)
      await inventory('r6', commit, { 'x.js': String(i % 10) })
    }
    const asked = await missing('r6', 'd', commits.toReversed())
    expect(asked).toHaveLength(8)
    expect(asked.slice(0, 3)).toEqual(['c19 d', 'c18 c19', 'c17 c18'])
  })

  it('that do not fit are refused one by one, on record; a body that is none is refused as a whole', async () => {
    await declare('r7', 'a')
    await inventory('r7', 'a', { 'x.js': '1', 'y.js': '1' })
    await declare('r7', 'b', ['a'])
    await expect(send('r7', 'b', 'a', 'b', [map('x.js', '1', '2')])).rejects.toMatchObject({
      code: 'inventory_missing',
    })
    await inventory('r7', 'b', { 'x.js': '2', 'y.js': '2' })
    await expect(send('r7', 'b', 'a', 'b', [map('x.js', '1', '2'), { from: 1 }])).rejects.toMatchObject({
      code: 'request_invalid',
      message: expect.stringContaining('line 2'),
    })
    expect(await records('r7', 'linemap')).toEqual([])
    expect((await records('r7', 'rejection')).map((record) => record['reason'])).toEqual([
      'inventory_missing',
      'request_invalid',
    ])
    const { answer } = await send('r7', 'b', 'a', 'b', [map('x.js', '9', '2'), map('y.js', '1', '2')])
    expect(answer).toMatchObject({
      mapped: 1,
      refused: { count: 1, first: [{ where: 'line 1', reason: 'from_not_in_commit' }] },
      unmapped: { count: 1, first: [{ path: 'x.js', reason: 'not_sent' }] },
    })
    expect(await records('r7', 'comparison')).toMatchObject([{ refused: answer.refused, unmapped: answer.unmapped }])
  })

  it('keep as an artifact what their comparison has no room for', async () => {
    const files = (digit: string) =>
      Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`${'deep/'.repeat(20)}${i}.png`, digit]))
    await declare('r8', 'a')
    await inventory('r8', 'a', files('1'))
    await declare('r8', 'b', ['a'])
    await inventory('r8', 'b', files('2'))
    kept.length = 0
    const { answer } = await send('r8', 'b', 'a', 'b', [])
    expect(answer.unmapped).toMatchObject({ count: 100, sha256: expect.any(String) })
    expect(Buffer.concat(kept).toString().trim().split('\n')).toHaveLength(100)
  })
})
