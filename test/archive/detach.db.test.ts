import { readFile, writeFile, chmod, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { detachDueMonths, dueMonths } from '../../src/archive/detach.ts'
import { archiveDays } from '../../src/archive/run-archive.ts'
import { setRetention } from '../../src/archive/retention-store.ts'
import { auditDatabase } from '../../src/ledger/audit-database.ts'
import { parseProof } from '../../src/log/proof.ts'
import { parseVkey } from '../../src/log/vkey.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { dayKey, leavesFile, manifestFile, recordsFile } from '../../src/verify/day-manifest.ts'
import { findFrame } from '../../src/verify/zstd-frames.ts'
import { type ArchiveNode, openArchiveNode } from './archive.ts'
import { type ArchivePlace, type ArchiveTemplate, createArchiveTemplate, placeLedgers } from './place.ts'

const signal = new AbortController().signal
let empty: ArchiveTemplate
let threeMonths: ArchiveTemplate
let place: ArchivePlace | undefined
let database: ArchivePlace['database']
let folder: ArchivePlace['folder']
let objects: ArchivePlace['objects']
let clock: ArchivePlace['clock']
let node: ArchivePlace['node']

beforeAll(async () => {
  empty = await createArchiveTemplate()
  threeMonths = await createArchiveTemplate(recordThreeMonths)
})
afterEach(async () => {
  await place?.close()
  place = undefined
})
afterAll(async () => {
  await empty.drop()
  await threeMonths.drop()
})

async function begin(template: ArchiveTemplate): Promise<void> {
  place = await template.copy()
  ;({ database, folder, objects, clock, node } = place)
}

const open = (signer: ArchiveNode['signer']): Promise<ArchiveNode> =>
  openArchiveNode({ db: database.db, objects, ledgers: placeLedgers, signer })
const archive = (from: ArchiveNode) => archiveDays(from.writer('main/unit'), 900_000_000, signal)
const detach = (from = node) =>
  detachDueMonths(
    {
      db: database.db,
      operations: from.books.get('main/operations')!,
      online: 15,
      archived: placeLedgers.map(from.writer),
    },
    signal,
  )
const attached = async () =>
  (
    await database.db.query({ text: `select month::text from attached_months('unit') as m(month) order by 1 limit 2` })
  ).rows.map(({ month }) => month)

/** Three months of one suite, whose runs are compressed with each other; archived to the end of January. */
async function recordThreeMonths({ clock, node }: ArchivePlace): Promise<void> {
  for (const [run, at] of [
    ['r1', '2027-11-02T10:00:00Z'],
    ['r2', '2027-11-20T10:00:00Z'],
    ['r3', '2027-12-20T10:00:00Z'],
    ['r4', '2028-01-10T10:00:00Z'],
  ] as const) {
    await clock.set(at)
    await node.record('main/unit', run, 'acme/pay', 1_300)
  }
  await clock.set('2028-02-01T01:00:00Z')
  await archive(node)
}

async function everything(from: ArchiveNode, ledger: LedgerName = 'main/unit'): Promise<Buffer[]> {
  const all: Buffer[] = []
  for (let at = 0; ;) {
    const batch = await from.reader.readBatch(ledger, at, { maxRecords: 700 })
    if (batch.next === at) return all
    all.push(...batch.records.map(({ bytes }) => Buffer.from(bytes)))
    at = batch.next
  }
}

describe('dueMonths', () => {
  it('goes by the calendar: a month is due when so many whole months have passed since its end', () => {
    const at = (text: string): number => Date.parse(text) * 1000
    expect(dueMonths(['2027-11-01', '2027-12-01'], at('2029-02-28T23:59:59.999Z'), 15)).toEqual([])
    expect(dueMonths(['2027-11-01', '2027-12-01'], at('2029-03-01T00:00:00Z'), 15)).toEqual(['2027-11-01'])
    expect(dueMonths(['2028-02-01'], at('2029-02-28T00:00:00Z'), 12)).toEqual([])
    expect(dueMonths(['2028-02-01'], at('2029-03-01T00:00:00Z'), 12)).toEqual(['2028-02-01'])
  })
})

describe('a month that leaves the tables', () => {
  it('reads on from the archive: records, proofs, times, the tree and the audit, also of months that were compressed with it', async () => {
    await begin(threeMonths)
    const before = await everything(node)
    const proofs = await Promise.all([0, 700, 2_700, 4_000].map(async (seq) => node.books.get('main/unit')?.tree.proof(seq)))
    const dayStart = await node.reader.seqAt('main/unit', Date.parse('2027-11-20T00:00:00Z') * 1000)
    await clock.set('2029-04-01T00:00:00Z')
    const moved = await detach()
    expect(moved.map(({ month }) => month)).toEqual(['2027-11-01', '2027-12-01'])
    expect(moved[0]).toMatchObject({ leaf_hashes: 2_604 })
    expect(moved[1]?.dictionaries).toBeGreaterThan(0) // January was compressed with it, and it with November
    expect(await attached()).toEqual(['2028-01-01', '2028-02-01'])

    const fresh = await open(node.signer)
    for (const reading of [node, fresh]) {
      const after = await everything(reading)
      expect(after.length).toBe(before.length)
      expect(Buffer.concat(after).equals(Buffer.concat(before))).toBe(true)
    }
    const tree = fresh.books.get('main/unit')?.tree
    expect(await Promise.all([0, 700, 2_700, 4_000].map(async (seq) => parseProof((await tree?.proof(seq)) ?? '').hashes))).toEqual(proofs.map((text) => parseProof(text ?? '').hashes))
    expect(await fresh.reader.seqAt('main/unit', Date.parse('2027-11-20T00:00:00Z') * 1000)).toBe(dayStart)
    expect(await fresh.reader.seqAt('main/unit', 0)).toBe(0)
    expect((await tree?.entries(2, 256))?.length).toBeGreaterThan(256 * 100)
    const record = (await fresh.reader.readBatch('main/unit', 1_400, { maxRecords: 1 })).records[0]
    expect((await fresh.reader.findRecord(record?.id ?? ''))?.seq).toBe(1_400)
    expect(record?.kind).toBe('coverage')
    const result = await auditDatabase({ db: database.db, reader: fresh.reader, ledger: 'main/unit', origin: 'localhost/main/unit', vkeys: [parseVkey(await fresh.signer.vkey('main/unit'))], signal })
    expect(result).toMatchObject({ differences: [], checked: before.length, signed: before.length })

    // What comes next is recorded, and the suite's chain goes on.
    await fresh.record('main/unit', 'r5', 'acme/pay', 1_300)
    expect((await everything(fresh)).length).toBe(before.length + 1_302)
    await fresh.close()
  })

  it('is on record before and after, each once', async () => {
    await begin(threeMonths)
    await clock.set('2029-03-01T00:00:00Z')
    await detach()
    await detach()
    const records = (await everything(node, 'main/operations')).map((bytes) => JSON.parse(bytes.toString()))
    expect(records.map(({ kind, act, state, test_type, month }) => [kind, act, state, test_type, month])).toEqual([
      ['retention', 'detach', 'begun', 'unit', '2027-11'], ['retention', 'detach', 'done', 'unit', '2027-11'],
      ['retention', 'detach', 'begun', 'integration', '2027-11'], ['retention', 'detach', 'done', 'integration', '2027-11'],
      ['retention', 'detach', 'begun', 'other', '2027-11'], ['retention', 'detach', 'done', 'other', '2027-11'],
    ])
    expect(records[1].ledgers).toEqual([{ ledger: 'main/unit', first_seq: 0, next_seq: 2_604 }])
  })

  it.each([
    ['before its time', '2029-02-28T23:50:00Z', undefined, 'is not over for 15 months'],
    ['before twelve months, whatever the settings say', '2028-11-30T23:50:00Z', 12, 'is not over for 12 months'],
    ['before a longer time that was promised', '2029-03-01T00:00:00Z', 24, 'is not over for 24 months'],
  ])('case 40: is refused by the database %s', async (_, at, online, why) => {
    await begin(threeMonths)
    await clock.set(at)
    if (online !== undefined) await setRetention(database.db, 'main/operations', online, 36)
    await expect(database.db.query({ text: `select detach_month('unit', '2027-11-01')` })).rejects.toThrow(why)
    expect((await attached())[0]).toBe('2027-11-01')
  })

  it('case 40: is refused by the database while an older month is there, a day is not archived, or it is the current one', async () => {
    await begin(empty)
    await node.record('main/unit', 'r1', 'acme/pay', 10)
    await clock.set('2027-11-30T10:00:00Z')
    await archive(node)
    await clock.set('2029-03-01T00:00:00Z')
    await expect(database.db.query({ text: `select detach_month('unit', '2027-12-01')` })).rejects.toThrow('a month before 2027-12-01 is still here')
    await expect(database.db.query({ text: `select detach_month('unit', '2027-11-01')` })).rejects.toThrow('2027-11 of main/unit is not whole in the archive')
    await expect(database.db.query({ text: `select detach_month('unit', '2027-11-02')` })).rejects.toThrow('begins no month')
    await expect(database.db.query({ text: 'drop table proofline.segments_unit_2027_11' })).rejects.toThrow('must be owner')
    await expect(database.db.query({ text: 'alter table proofline.segments detach partition proofline.segments_unit_2027_11' })).rejects.toThrow('must be owner')
    await expect(detach()).rejects.toThrow('not whole')
    expect(await everything(node)).toHaveLength(12)
  })

  it('stays whole when the server process dies or another one holds the table just before the end', async () => {
    await begin(threeMonths)
    const before = Buffer.concat(await everything(node))
    await clock.set('2029-03-01T00:00:00Z')
    await database.db.query({ text: 'insert into archive_readings (ledger, day) select ledger, day from cold_days' })
    const holder = await database.owner.session()
    await holder.query({ text: 'begin' })
    await holder.query({ text: 'select count(*) from proofline.segments_unit_2027_11' })
    await expect(database.db.query({ text: `select detach_month('unit', '2027-11-01')` })).rejects.toMatchObject({ code: '55P03' })
    const dying = database.db.query({ text: `select detach_month('unit', '2027-11-01')` })
    dying.catch(() => {})
    const kill = `select count(pg_terminate_backend(pid))::integer as n from pg_stat_activity where query like 'select detach_month%' and wait_event_type = 'Lock' and datname = current_database()`
    for (let killed = 0; killed === 0;) killed = Number((await database.owner.query({ text: kill })).rows[0]?.['n'])
    await expect(dying).rejects.toThrow()
    expect((await database.db.query({ text: 'select from leaf_tiles union all select from dictionaries union all select from detached_months' })).rowCount).toBe(0)
    const fresh = await open(node.signer)
    expect(Buffer.concat(await everything(fresh)).equals(before)).toBe(true)
    await fresh.close()
    await holder.query({ text: 'commit' })
    await holder.release()
    expect(await detach()).toHaveLength(1)
    expect(Buffer.concat(await everything(node)).equals(before)).toBe(true)
  })

  it('does not leave when the archive lost, changed or swapped what it had a year ago; nor by a reading that is older than a week', async () => {
    await begin(threeMonths)
    const before = Buffer.concat(await everything(node))
    await clock.set('2029-03-01T00:00:00Z')
    await expect(database.db.query({ text: `select detach_month('unit', '2027-11-01')` })).rejects.toThrow('2027-11-02 of main/unit was not read back from the archive within seven days')
    const file = (name: string): string => join(folder, dayKey('main/unit', '2027-11-20', name))
    const swap = async (name: string, bytes: Uint8Array | undefined): Promise<Buffer> => {
      const old = await readFile(file(name))
      await unlink(file(name))
      if (bytes !== undefined) await writeFile(file(name), bytes)
      return old
    }
    const elsewhere = await readFile(join(folder, dayKey('main/unit', '2027-11-02', manifestFile)))
    const records = await readFile(file(recordsFile))
    const reframed = zstdCompressSync(zstdDecompressSync(records.subarray(0, findFrame(records)?.length))) // the same first records, in another frame
    for (const [name, bytes, why] of [
      [recordsFile, records.subarray(0, 1_000), 'the file ends within a zstd frame'],
      [recordsFile, Buffer.concat([reframed, records.subarray(findFrame(records)?.length)]), 'files of 2027-11-20 that are not those of its manifest'],
      [leavesFile, Buffer.alloc(32), 'leaf hashes end early'],
      [manifestFile, undefined, 'lost the manifest of 2027-11-20'],
      [manifestFile, elsewhere, 'has another manifest of 2027-11-20'],
    ] as const) {
      const old = await swap(name, bytes)
      await expect(detach()).rejects.toThrow(why)
      if (bytes === undefined) await writeFile(file(name), old)
      else await swap(name, old)
    }
    expect((await attached())[0]).toBe('2027-11-01')
    await database.db.query({ text: 'insert into archive_readings (ledger, day) select ledger, day from cold_days' })
    await clock.set('2029-03-08T01:00:00Z')
    await expect(database.db.query({ text: `select detach_month('unit', '2027-11-01')` })).rejects.toThrow('was not read back')
    // What is only gone is written again, the same bytes.
    const leaves = await swap(leavesFile, undefined)
    const gone = await swap(recordsFile, undefined)
    expect(await detach()).toHaveLength(1)
    expect(node.rewritten).toEqual([`2027-11-20 ${recordsFile}`, `2027-11-20 ${leavesFile}`])
    expect((await readFile(file(recordsFile))).equals(gone) && (await readFile(file(leavesFile))).equals(leaves)).toBe(true)
    expect(Buffer.concat(await everything(node)).equals(before)).toBe(true)
  })

  it('is never served altered: a changed byte in the archive is an integrity problem, and another record of it reads on', async () => {
    await begin(threeMonths)
    await clock.set('2029-03-01T00:00:00Z')
    await detach()
    const file = join(folder, dayKey('main/unit', '2027-11-20', recordsFile))
    const bytes = await readFile(file)
    bytes[100] = (bytes[100] ?? 0) ^ 1
    await chmod(file, 0o600)
    await writeFile(file, bytes)
    await expect(node.reader.readBatch('main/unit', 1_302, { maxRecords: 1 })).rejects.toMatchObject({ code: 'integrity' })
    expect((await node.reader.readBatch('main/unit', 5, { maxRecords: 1 })).records).toHaveLength(1)
    // Bytes that decompress well and are not those of the log.
    await database.owner.query({ text: `alter table proofline.leaf_tiles disable trigger user; update proofline.leaf_tiles set hashes = overlay(hashes placing '\\x00'::bytea from 33) where first_seq = 0` })
    const fresh = await open(node.signer)
    await expect(fresh.reader.readBatch('main/unit', 1, { maxRecords: 1 })).rejects.toThrow('record 1 does not hash to its leaf')
    expect((await fresh.reader.readBatch('main/unit', 2, { maxRecords: 1 })).records).toHaveLength(1)
    await fresh.close()
  })
}) // oxfmt-ignore
