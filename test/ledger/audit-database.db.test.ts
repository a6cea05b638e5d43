import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Queryable } from '../../src/database/database.ts'
import { auditDatabase, auditRows } from '../../src/ledger/audit-database.ts'
import { createReader } from '../../src/ledger/read.ts'
import { createWatch } from '../../src/ledger/watch.ts'
import { createSigningKey } from '../../src/log/vkey.ts'
import type { AuditResult } from '../../src/verify/audit.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { aSubmission, createMemorySigner, openNode } from '../support/ledger.ts'

/** Every table that the log rests on, changed as only a superuser can, and what the audit says of it. Each change is rolled back. */

const ledger = 'main/unit'
const origin = `localhost/${ledger}`
let test: TestDatabase
const vkey = await createSigningKey(origin, 1, new Uint8Array(32).fill(7))
const size = 700

beforeAll(async () => {
  test = await createTestDatabase()
  await test.db.query({ text: `select ensure_partitions(date_trunc('month', now())::date, 3)` })
  const { book } = await openNode(test.db, await createMemorySigner())
  for (const [i, count] of [1, 299, 1, 99, 200, 100].entries())
    await book.appender.submit([aSubmission(`run:${i}`, `run:${i}`, count)])
  await book.close()
})
afterAll(() => test.drop())

const audit = (db: Queryable): Promise<AuditResult> =>
  auditDatabase({
    db,
    reader: createReader(db, createWatch(db)),
    ledger,
    origin,
    vkeys: [vkey],
    signal: new AbortController().signal,
  })

/** What the audit finds after `change`, which the triggers let pass; nothing of it stays. */
async function auditAfter(table: string, change: string): Promise<AuditResult> {
  const undo = new Error('undo')
  let found: AuditResult | undefined
  const forged = test.owner.transaction(async (tx) => {
    await tx.query({ text: `alter table proofline.${table} disable trigger user` })
    const { rowCount } = await tx.query({ text: change })
    expect(rowCount, 'the change changes something').toBeGreaterThan(0)
    found = await audit(tx)
    throw undo
  })
  await expect(forged).rejects.toBe(undo)
  if (found === undefined) throw new Error('nothing was found')
  return found
}

const flip = (column: string, at: number): string =>
  `${column} = set_byte(${column}, ${at}, get_byte(${column}, ${at}) # 1)`

describe('an audit of the database', () => {
  it('finds nothing where nothing was changed, and checks every record, head and signature', async () => {
    expect(await audit(test.db)).toMatchObject({ size, checked: size, proved: size, signed: size, differences: [] })
  })

  it('finds nothing wrong with what was recorded behind the size that was read first, while it went on', async () => {
    const found: unknown[] = []
    await auditRows(test.db, ledger, { differ: (...difference) => void found.push(difference) }, 400)
    expect(found).toEqual([])
  })

  it.each([
    ['case 1: a byte of a stored payload', 'segments', `update segments set ${flip('payloads', 20)} where first_seq = 300`, 'row-mismatch|leaf-mismatch|id-mismatch|malformed', 300, 300],
    ['case 1: a leaf hash', 'segments', `update segments set ${flip('leaf_hashes', 32 * 5)} where first_seq = 301`, 'leaf-mismatch', 306, 306],
    ['case 1: the hash in an id', 'segments', `update segments set ${flip('id_hashes', 8 * 5)} where first_seq = 301`, 'id-mismatch', 306, 306],
    ['case 3: a time, by one microsecond', 'segments', 'update segments set first_time = first_time + 1 where first_seq = 400', 'leaf-mismatch', 400, 400],
    ['the kind by which readers filter', 'segments', `update segments set kind = 'seal' where first_seq = 301`, 'row-mismatch', 301, 301],
    ['the number of records of a segment', 'segments', 'update segments set count = 98, leaf_hashes = substring(leaf_hashes for 98 * 32), id_hashes = substring(id_hashes for 98 * 8) where first_seq = 301', 'missing', 399, 399],
    ['case 2: a segment that is gone', 'segments', 'delete from segments where first_seq = 301', 'missing', 301, 301],
    ['case 2: the last segment that is gone', 'segments', 'delete from segments where first_seq = 600', 'missing', 600, 600],
    ['case 4: a segment copied behind the end', 'segments', 'insert into segments select ledger, test_type, month, first_seq + 700, count, first_time, kind, chain, chain_index, dictionary_seq, depth, raw_bytes, payloads, leaf_hashes, id_hashes from segments where first_seq = 0', 'row-mismatch', 700, 700],
    ['case 4: a segment copied over another', 'segments', 'insert into segments select ledger, test_type, month, first_seq + 5, count, first_time, kind, chain, chain_index, dictionary_seq, depth, raw_bytes, payloads, leaf_hashes, id_hashes from segments where first_seq = 0', 'duplicate|row-mismatch', 5, 5],
    ['a dictionary that is none', 'segments', 'update segments set dictionary_seq = 301 where first_seq = 301', 'row-mismatch', 301, 301],
    ['the root of a head', 'heads', `update heads set ${flip('root', 0)} where size = 400`, 'root-mismatch', 301, 301],
    ['the time of a head', 'heads', 'update heads set last_time = last_time + 1 where size = 400', 'row-mismatch', 399, 399],
    ['a head that is gone', 'heads', 'delete from heads where size = 400', 'row-mismatch', 301, 301],
    ['the newest head that is gone', 'heads', 'delete from heads where size = 700', 'row-mismatch', 600, 600],
    ['a signature', 'checkpoints', `update checkpoints set note = overlay(note placing case substr(note, length(note) - 20, 1) when 'A' then 'B' else 'A' end from length(note) - 20) where size = 400`, 'bad-signature|malformed', 0, 399],
    ['the size of a checkpoint', 'checkpoints', 'update checkpoints set size = 399 where size = 400', 'row-mismatch', 398, 398],
    ['a tile root', 'tile_roots', `update tile_roots set ${flip('root', 0)} where level = 1 and index = 1`, 'tile-mismatch', 256, 256],
    ['a tile root that is gone', 'tile_roots', 'delete from tile_roots where level = 1 and index = 1', 'tile-mismatch', 256, 256],
    ['a submission that is gone', 'submissions', `delete from submissions where key = 'run:2'`, 'row-mismatch', 300, 300],
    ['the place of a submission', 'submissions', `update submissions set first_seq = first_seq + 1 where key = 'run:3'`, 'row-mismatch', 301, 301],
    ['the time of a submission', 'submissions', `update submissions set first_time = first_time - 1 where key = 'run:3'`, 'row-mismatch', 301, 301],
    ['a submission for no records', 'submissions', `insert into submissions select ledger, 'run:x', digest, first_seq, last_seq, first_time from submissions where key = 'run:3'`, 'row-mismatch', 301, 301],
  ] as const)('names %s', async (_what, table, change, kinds, from, to) => {
    const { differences } = await auditAfter(table, change)
    const named = differences.filter(({ kind, seq }) => kinds.split('|').includes(kind) && seq >= from && seq <= to)
    expect(named, JSON.stringify(differences.slice(0, 5))).not.toEqual([])
    for (const { expected, found } of differences) expect(expected).not.toBe(found)
  }) // oxfmt-ignore
})
