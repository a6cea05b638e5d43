import { createHash } from 'node:crypto'
import { chmod, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { archiveDays } from '../../src/archive/run-archive.ts'
import { findColdDay } from '../../src/archive/store.ts'
import { verifyArchive } from '../../src/commands/verify-archive.ts'
import { parseTrustedKeys } from '../../src/log/trusted-key.ts'
import { openStatement } from '../../src/log/statement.ts'
import { parseVkey } from '../../src/log/vkey.ts'
import { createFolderObjects } from '../../src/objects/folder.ts'
import type { Objects } from '../../src/objects/objects.ts'
import { dayKey, dayPayloadType, parseManifest, recordsFile } from '../../src/verify/day-manifest.ts'
import { type SettableClock, createSettableClock } from '../support/clock.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { temporaryFolder } from '../support/service.ts'
import { type ArchiveNode, openArchiveNode } from './archive.ts'

const signal = new AbortController().signal
const quarter = 900_000_000
let database: TestDatabase
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let objects: Objects
let clock: SettableClock
let node: ArchiveNode

beforeEach(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('archive')
  objects = await createFolderObjects(folder.path)
  clock = await createSettableClock(database.owner, '2027-11-30T10:00:00Z', { still: true })
  await database.db.query({ text: `select ensure_partitions('2027-11-01', 3)` })
  node = await openArchiveNode({ db: database.db, objects })
})
afterEach(async () => {
  await node.close()
  await database.drop()
  await folder.remove()
})

const archive = (limit: Objects = objects) =>
  archiveDays({ ...node.writer('main/unit'), objects: limit }, quarter, signal)
const manifestOf = async (day: string) => {
  const envelope = await readFile(join(folder.path, dayKey('main/unit', day, 'manifest.json')), 'utf8')
  const { payload, payloadType } = await openStatement(envelope, [parseVkey(await node.signer.statementVkey())])
  expect(payloadType).toBe(dayPayloadType)
  return { manifest: parseManifest(payload), sha256: createHash('sha256').update(payload).digest('hex') }
}
const sizeOf = async (): Promise<number> => (await node.reader.published('main/unit'))?.size ?? 0

describe('closed days', () => {
  it('are written once they are over by a quarter of an hour, one file of records a day, one manifest for each day also without records', async () => {
    await node.record('main/unit', 'r1', 'acme/pay', 2_500)
    const first = await sizeOf()
    expect(await archive()).toEqual([])
    await clock.set('2027-12-01T00:14:59Z')
    expect(await archive()).toEqual([])
    await clock.set('2027-12-03T08:00:00Z')
    await node.record('main/unit', 'r2', 'acme/web', 3)
    const days = await archive()
    expect(days.map(({ day, first: from, next }) => [day, from, next])).toEqual([
      ['2027-11-30', 0, first], ['2027-12-01', first, first], ['2027-12-02', first, first],
    ]) // oxfmt-ignore
    expect(days[0]?.repositories).toEqual(['acme/pay'])

    const { manifest, sha256 } = await manifestOf('2027-11-30')
    expect(manifest).toMatchObject({ first: 0, size: first, previous: undefined, consistency: [] })
    expect(manifest.frames.map(({ records }) => records)).toEqual([1_024, 1_024, first - 2_048])
    const file = await readFile(join(folder.path, dayKey('main/unit', '2027-11-30', recordsFile)))
    const second = manifest.frames[0]?.bytes ?? 0
    const lines = zstdDecompressSync(file.subarray(second, second + (manifest.frames[1]?.bytes ?? 0)))
      .toString()
      .split('\n')
    expect(lines[0]).toContain('"seq":1024,')
    expect(lines).toHaveLength(1_025)
    const records = (await node.reader.readBatch('main/unit', 0, { maxRecords: first, maxBytes: 2 ** 26 })).records
    const whole = Buffer.concat(records.flatMap(({ bytes }) => [bytes, Buffer.from('\n')]))
    const decoded = manifest.frames.reduce((so, { bytes }) => {
      const at = so.at
      return { at: at + bytes, text: Buffer.concat([so.text, zstdDecompressSync(file.subarray(at, at + bytes))]) }
    }, { at: 0, text: Buffer.alloc(0) }).text // oxfmt-ignore
    expect(decoded.equals(whole)).toBe(true)

    const empty = await manifestOf('2027-12-01')
    expect(empty.manifest).toMatchObject({ first, size: first, previous: sha256, files: [], frames: [] })
    expect(Buffer.from(empty.manifest.root)).toEqual(Buffer.from(manifest.root))
    await clock.set('2027-12-04T01:00:00Z')
    expect((await archive()).map(({ day, repositories }) => [day, repositories])).toEqual([
      ['2027-12-03', ['acme/web']],
    ])
    expect((await manifestOf('2027-12-03')).manifest.consistency.length).toBeGreaterThan(0)
  })

  it('end at midnight also within an append', async () => {
    await clock.set('2027-12-09T23:59:59.994Z')
    // Six milliseconds are left: the appender's clock stands still too, or on a slow machine all of it would come after midnight.
    const standing = vi.spyOn(performance, 'now').mockReturnValue(performance.now())
    await node.record('main/unit', 'r1', 'acme/pay', 12_000).finally(() => standing.mockRestore())
    await clock.set('2027-12-11T01:00:00Z')
    const days = await archive()
    expect(days.map(({ day }) => day)).toEqual(['2027-12-09', '2027-12-10'])
    const [before, after] = days
    expect(before?.next).toBeGreaterThan(0)
    expect(after?.first).toBe(before?.next)
    expect(after?.next).toBe(await sizeOf())
    const record = (await node.reader.readBatch('main/unit', after?.first ?? 0, { maxRecords: 1 })).records[0]
    expect(record?.recordedAt).toBe(Date.parse('2027-12-10T00:00:00Z') * 1000)
  })

  it('hold also what comes when the database clock was put back behind a midnight: in the file of the next day', async () => {
    await node.record('main/unit', 'r1', 'acme/pay', 3)
    await clock.set('2027-12-01T00:20:00Z')
    expect(await archive()).toHaveLength(1)
    await clock.set('2027-11-30T23:50:00Z')
    await node.close()
    node = await openArchiveNode({ db: database.db, objects, signer: node.signer })
    await node.record('main/unit', 'late', 'acme/pay', 3)
    const size = await sizeOf()
    await clock.set('2027-12-02T00:20:00Z')
    expect((await archive()).map(({ day, next }) => [day, next])).toEqual([['2027-12-01', size]])
  })

  it.each(['stored', 'not stored'] as const)(
    'are the same when any put fails (%s) and is tried again',
    async (flavour) => {
      await node.record('main/unit', 'r1', 'acme/pay', 1_500)
      await clock.set('2027-12-01T01:00:00Z')
      const failing = (at: number): Objects => {
        let puts = 0
        return { ...objects, async put(key, bytes, options) {
        const fails = puts++ === at
        if (fails && flavour === 'not stored') throw new Error('broken')
        const stored = await objects.put(key, bytes, options)
        if (fails) throw new Error('broken')
        return stored
      } } // oxfmt-ignore
      }
      for (let at = 0; at < 3; at++) {
        await expect(archive(failing(at))).rejects.toThrow('broken')
        expect(await findColdDay(database.db, 'main/unit', '2027-11-30')).toBeUndefined()
      }
      expect(await archive()).toHaveLength(1)
      await manifestOf('2027-11-30')
    },
  )

  it('count again after the database was lost and came back with fewer checkpoints: the manifest that lies there is one of this log', async () => {
    await node.record('main/unit', 'r1', 'acme/pay', 30)
    await clock.set('2027-12-01T08:00:00Z')
    const writes = await archive()
    await node.record('main/unit', 'r2', 'acme/pay', 3)
    await clock.set('2027-12-02T08:00:00Z')
    // As `proofline recover` leaves it: records and tree, the newest checkpoint only, and no row of the archive.
    const asOwner = (text: string) => database.owner.query({ text: `set session_replication_role = replica; ${text}` })
    await asOwner(`alter table proofline.cold_days disable trigger write_once_row; delete from proofline.cold_days;
      alter table proofline.checkpoints disable trigger write_once_row; delete from proofline.checkpoints where size < (select max(size) from proofline.checkpoints)`)
    const again = await archive()
    expect(again.map(({ day }) => day)).toEqual(['2027-11-30', '2027-12-01'])
    expect(again[0]?.manifest.equals(writes[0]?.manifest ?? Buffer.alloc(0))).toBe(true)
    expect((await manifestOf('2027-12-01')).manifest.previous).toBe(writes[0]?.manifest.toString('hex'))
  })

  it('are put down by the database only where they continue the day before, are over, and hold what is published', async () => {
    await node.record('main/unit', 'r1', 'acme/pay', 30)
    const size = await sizeOf()
    await clock.set('2027-12-02T08:00:00Z')
    const put = (day: string, first: number, next: number, last = 0) =>
      database.db.query({
        text: `select put_cold_day('main/unit', $1::date, $2, $3, $4, $5, $5, 0, '{}') as news`,
        values: [day, first, next, last, Buffer.alloc(32)],
      })
    await expect(put('2027-12-02', 0, size)).rejects.toThrow('2027-12-02 of main/unit is not over')
    await expect(put('2027-11-30', 1, size)).rejects.toThrow('does not continue')
    await expect(put('2027-11-30', 0, size + 1)).rejects.toThrow('are not published')
    await expect(put('2027-11-29', 0, size, Date.parse('2027-11-30T00:00:00Z') * 1000)).rejects.toThrow(
      'ends with a later record',
    )
    expect((await archive()).map(({ day }) => day)).toEqual(['2027-11-30', '2027-12-01'])
    expect((await put('2027-11-30', 7, 8)).rows).toEqual([{ news: false }])
    await clock.set('2027-12-05T08:00:00Z')
    await expect(put('2027-12-03', size, size)).rejects.toThrow('does not continue')
    await expect(put('2027-12-02', size - 1, size)).rejects.toThrow('does not continue')
    await expect(
      database.db.query({
        text: `insert into cold_days (ledger, day, first_seq, next_seq, last_time, root, manifest, bytes, repositories, verified_at) select ledger, day + 9, first_seq, next_seq, last_time, root, manifest, bytes, repositories, 0 from cold_days`,
      }),
    ).rejects.toThrow('permission denied')
  })

  it('are verified as a folder, without a service: by the keys of log and statements, day behind day', async () => {
    await node.record('main/unit', 'r1', 'acme/pay', 1_500)
    await clock.set('2027-12-02T10:00:00Z')
    await node.record('main/unit', 'r2', 'acme/pay', 3)
    await clock.set('2027-12-03T01:00:00Z')
    await archive()
    const keys = [await node.signer.vkey('main/unit'), await node.signer.statementVkey()].flatMap(parseTrustedKeys)
    const verify = (trusted = keys) => verifyArchive(folder.path, trusted, () => {})
    expect(await verify()).toMatchObject([{ check: 'main/unit', verdict: 'ok', size: 1_507, detail: expect.stringContaining('3 days to 2027-12-02, 1507 records, every one hashed again: as their signed manifests say, and to seq 1507 by the root of the log') }])
    expect(await verify(keys.slice(0, 1))).toMatchObject([{ verdict: 'differs', detail: expect.stringContaining('no trusted signature') }])
    expect(await verify(keys.slice(1))).toMatchObject([{ verdict: 'differs', detail: expect.stringContaining('no trusted signature') }])

    const file = (day: string, name: string): string => join(folder.path, dayKey('main/unit', day, name))
    const damaged = async (path: string, change: (bytes: Buffer) => Buffer): Promise<unknown> => {
      const bytes = await readFile(path)
      await chmod(path, 0o600)
      await writeFile(path, change(Buffer.from(bytes)))
      const found = await verify()
      await writeFile(path, bytes)
      return found
    }
    const flip = (bytes: Buffer): Buffer => bytes.fill((bytes[50] ?? 0) ^ 1, 50, 51)
    expect(await damaged(file('2027-11-30', 'records.ndjson.zst'), flip)).toMatchObject([{ verdict: 'differs', seq: 0, detail: expect.stringContaining('2027-11-30: records.ndjson.zst: expected SHA-256') }])
    expect(await damaged(file('2027-12-02', 'leaves.bin'), flip)).toMatchObject([{ verdict: 'differs', seq: 1_502 }])
    const other = await readFile(file('2027-12-01', 'manifest.json'))
    expect(await damaged(file('2027-12-02', 'manifest.json'), () => other)).toMatchObject([{ verdict: 'differs', detail: expect.stringContaining('expected the manifest of main/unit 2027-12-02') }])
    expect(await verify()).toMatchObject([{ verdict: 'ok' }])

    // Files deleted by retention: the manifest stands for them; a day that is not there at all is a gap.
    await rm(file('2027-11-30', 'records.ndjson.zst'))
    await rm(file('2027-11-30', 'leaves.bin'))
    expect(await verify()).toMatchObject([{ verdict: 'ok', detail: expect.stringContaining('1502 records are gone') }])
    await rm(file('2027-12-01', 'manifest.json'))
    await rm(join(file('2027-12-01', 'manifest.json'), '..'), { recursive: true })
    expect(await verify()).toMatchObject([{ verdict: 'differs', detail: expect.stringContaining('expected the day behind 2027-11-30') }])
  }) // oxfmt-ignore

  it('do not count when what lies there is something else, which stays as evidence', async () => {
    await node.record('main/unit', 'r1', 'acme/pay', 1_500)
    await clock.set('2027-12-01T01:00:00Z')
    const failing: Objects = { ...objects, put: async (key, bytes) => (key.endsWith('.json') ? Promise.reject(new Error('broken')) : objects.put(key, bytes)) } // oxfmt-ignore
    await expect(archive(failing)).rejects.toThrow('broken')
    const file = join(folder.path, dayKey('main/unit', '2027-11-30', 'leaves.bin'))
    const leaves = await readFile(file)
    leaves[32 * 700] = (leaves[32 * 700] ?? 0) ^ 1
    await chmod(file, 0o600)
    await writeFile(file, leaves)
    await expect(archive()).rejects.toThrow('at seq 700 leaf-mismatch')
    expect(await findColdDay(database.db, 'main/unit', '2027-11-30')).toBeUndefined()
    await rm(file)
    expect(await archive()).toHaveLength(1)
  })
})
