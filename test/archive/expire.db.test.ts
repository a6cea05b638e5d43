import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { detachDueMonths } from '../../src/archive/detach.ts'
import { expireLedger, keptFrom, planExpiry } from '../../src/archive/expire.ts'
import { createHolds } from '../../src/archive/holds.ts'
import { promiseRetention } from '../../src/archive/promise.ts'
import { archiveDays } from '../../src/archive/run-archive.ts'
import { auditDatabase } from '../../src/ledger/audit-database.ts'
import { parseTilePath } from '../../src/log/tiles.ts'
import { parseVkey } from '../../src/log/vkey.ts'
import { createAudit } from '../../src/verify/audit.ts'
import { auditLog } from '../../src/verify/audit-log.ts'
import { restoreHolds } from '../../src/archive/restore.ts'
import { setRetention } from '../../src/archive/retention-store.ts'
import { type Artifacts, createArtifacts } from '../../src/objects/objects.ts'
import type { Objects } from '../../src/objects/objects.ts'
import { dayKey } from '../../src/verify/day-manifest.ts'
import { type ArchivePlace, type ArchiveTemplate, createArchiveTemplate, placeLedgers } from './place.ts'

const signal = new AbortController().signal
let empty: ArchiveTemplate
let aYearOn: ArchiveTemplate
let place: ArchivePlace | undefined
let database: ArchivePlace['database']
let objects: ArchivePlace['objects']
let artifacts: Artifacts
let clock: ArchivePlace['clock']
let node: ArchivePlace['node']

beforeAll(async () => {
  empty = await createArchiveTemplate()
  aYearOn = await createArchiveTemplate(recordAYear)
})
afterEach(async () => {
  await place?.close()
  place = undefined
})
afterAll(async () => {
  await empty.drop()
  await aYearOn.drop()
})

async function begin(template: ArchiveTemplate): Promise<void> {
  place = await template.copy()
  ;({ database, objects, clock, node } = place)
  artifacts = createArtifacts(objects)
}

const operations = () => node.books.get('main/operations')!
const expire = (over: Objects = objects) =>
  expireLedger(
    { db: database.db, reader: node.reader, objects: over, operations: operations(), ledgers: placeLedgers },
    'main/unit',
    signal,
  )
const expireDay = (day: string) =>
  database.db.query({ text: `select expire_day('main/unit', $1::date) as done`, values: [day] })
/** As a database is that was filled again from the records. */
const lose = (table: string, where: string) =>
  database.owner.query({ text: `alter table proofline.${table} disable trigger write_once_row; delete from proofline.${table} where ${where}; alter table proofline.${table} enable always trigger write_once_row` }) // oxfmt-ignore
const records = async (): Promise<Record<string, unknown>[]> => {
  const { records: found } = await node.reader.readBatch('main/operations', 0, { maxRecords: 10_000 })
  return found.map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()))
}

/** The digests of three reports, and how many records there are at the end of November. */
const kept = { lone: '', shared: '', web: '', november: 0 }

/** Pay on 2 and 20 November, web on 20 November; `shared` is named in November and December, `lone` in November only. The clock is at 2028-12-01, two months are in the archive only. */
async function recordAYear({ database: { db }, objects: into, clock: at, node: by }: ArchivePlace): Promise<void> {
  for (const name of ['lone', 'shared', 'web'] as const) {
    const writer = await createArtifacts(into).writer()
    await writer.write(Buffer.from(name))
    kept[name] = (await writer.commit()).sha256
  }
  await by.record('main/unit', 'r1', 'acme/pay', 5, kept.lone)
  await at.set('2027-11-20T10:00:00Z')
  await by.record('main/unit', 'r2', 'acme/pay', 5, kept.shared)
  await by.record('main/unit', 'w1', 'acme/web', 5, kept.web)
  kept.november = (await by.reader.published('main/unit'))?.size ?? 0
  await at.set('2027-12-20T10:00:00Z')
  await by.record('main/unit', 'r3', 'acme/pay', 5, kept.shared)
  await at.set('2028-01-01T01:00:00Z')
  await archiveDays(by.writer('main/unit'), 900_000_000, signal)
  await at.set('2028-12-01T10:00:00Z')
  await setRetention(db, 'main/operations', 12, 12)
  const operationsBook = by.books.get('main/operations')!
  await detachDueMonths({ db, operations: operationsBook, online: 12, archived: placeLedgers.map(by.writer) }, signal)
}

describe('keptFrom', () => {
  it('goes by the calendar, a short month’s last day standing for those it has not', () => {
    const at = (day: string): number => Date.parse(`${day}T12:00:00Z`) * 1000
    expect(keptFrom(at('2030-11-02'), 36)).toBe('2027-11-02')
    expect(keptFrom(at('2029-02-28'), 12)).toBe('2028-02-28')
    expect(keptFrom(at('2029-03-01'), 12)).toBe('2028-03-01')
    expect(keptFrom(at('2028-02-29'), 12)).toBe('2027-03-01') // 28 February 2027 was kept to the 28th
  })
})

describe('expiry', () => {
  it('case 41: deletes what has passed its retention, and no other: files, artifacts that nothing younger names; the rest reads on and is proved', async () => {
    await begin(aYearOn)
    const { lone, shared, web, november } = kept
    const proof = await node.books.get('main/unit')?.tree.proof(november + 2)
    const manifest = await objects.has(dayKey('main/unit', '2027-11-02', 'manifest.json'))
    expect((await planExpiry(database.db, 'main/operations', 'main/unit'))?.days.length).toBe(29) // 2 to 30 November
    expect(await expire()).toMatchObject({ days: 29, records: november, files: 4, artifacts: 2, locked: 0 })
    expect(await node.reader.earliest('main/unit')).toBe(november)
    expect([await artifacts.has(lone), await artifacts.has(web), await artifacts.has(shared)]).toEqual([
      false,
      false,
      true,
    ])
    expect([
      manifest,
      await objects.has(dayKey('main/unit', '2027-11-02', 'manifest.json')),
      await objects.has(dayKey('main/unit', '2027-11-02', 'records.ndjson.zst')),
    ]).toEqual([true, true, false])
    await expect(node.reader.readBatch('main/unit', 3)).rejects.toMatchObject({
      code: 'expired',
      extra: { earliest: november },
    })
    await expect(node.books.get('main/unit')?.tree.entries(0, november)).rejects.toMatchObject({ code: 'expired' })
    expect((await node.books.get('main/unit')?.tree.tile(0, 0, november))?.length).toBe(32 * november)
    expect(await node.books.get('main/unit')?.tree.proof(november + 2)).toBe(proof)
    const { records: left } = await node.reader.readBatch('main/unit', november, { maxRecords: 100 })
    expect(left).toHaveLength(7)

    const audited = await auditDatabase({
      db: database.db,
      reader: node.reader,
      ledger: 'main/unit',
      origin: 'localhost/main/unit',
      vkeys: [parseVkey(await node.signer.vkey('main/unit'))],
      signal,
    })
    expect(audited).toMatchObject({
      differences: [],
      expired: november,
      checked: 7,
      signed: november + 7,
      proved: november + 7,
    })

    // Anybody who reads the log finds the same: bundles are gone, and the tree above them is not.
    const gone = new Set<string>()
    const tree = node.books.get('main/unit')!.tree
    const get = async (path: string): Promise<Uint8Array | undefined> => {
      const tile = parseTilePath(path)
      if (tile === undefined) return undefined
      if (tile.level !== 'entries') return tree.tile(tile.level, tile.index, tile.width)
      return tree.entries(tile.index, tile.width).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'expired' })
        gone.add(path)
        return undefined
      })
    }
    const remote = createAudit({
      ledger: 'main/unit',
      origin: 'localhost/main/unit',
      vkeys: [parseVkey(await node.signer.vkey('main/unit'))],
    })
    await remote.expectCheckpoint((await tree.checkpoint()) ?? '')
    await auditLog(remote, { size: november + 7, get, fresh: false, isExpired: (path) => gone.has(path) })
    expect(remote.finish()).toMatchObject({ differences: [], signed: november + 7, expired: november + 7 })

    const destroyed = (await records()).filter(({ act, state }) => act === 'expire' && state === 'done')
    expect(destroyed).toHaveLength(29)
    expect(destroyed[0]).toMatchObject({
      kind: 'retention',
      of: 'main/unit',
      from_day: '2027-11-02',
      records: 7,
      files: 2,
      artifacts: 1,
      first_seq: 0,
      next_seq: 7,
    })
    expect(destroyed[0]?.['manifest_sha256']).toMatch(/^[0-9a-f]{64}$/)
    expect(await expire()).toMatchObject({ days: 0, files: 0 })
    expect(await records()).toHaveLength(destroyed.length + 1 + 6)
  })

  it('case 40: is found by the audit where somebody deleted without it: the first seq, and that the archive lost that day', async () => {
    await begin(aYearOn)
    const { november } = kept
    await objects.remove(dayKey('main/unit', '2027-11-20', 'records.ndjson.zst'))
    const audited = await auditDatabase({
      db: database.db,
      reader: node.reader,
      ledger: 'main/unit',
      origin: 'localhost/main/unit',
      vkeys: [parseVkey(await node.signer.vkey('main/unit'))],
      signal,
    })
    expect(audited.differences.map(({ kind, seq, through, found }) => [kind, seq, through, found])).toContainEqual([
      'row-mismatch',
      7,
      november - 1,
      'the archive of main/unit lost the records of 2027-11-20',
    ])
    expect(audited.differences.every(({ seq }) => seq >= 7)).toBe(true)
    expect(audited).toMatchObject({ expired: 0, signed: november + 7, checked: 7 + 7 })
  })

  it('keeps an artifact that a record names which is not archived yet', async () => {
    await begin(aYearOn)
    const { lone } = kept
    await node.record('main/unit', 'again', 'acme/pay', 1, lone)
    await expire()
    expect(await artifacts.has(lone)).toBe(true)
  })

  it('case 40: is refused by the database before its time, while records are kept for ever, and of a day in the tables', async () => {
    await begin(aYearOn)
    await expect(expireDay('2027-12-20')).rejects.toThrow('2027-12-20 of main/unit is still in the tables')
    await clock.set('2028-11-02T23:50:00Z')
    await expect(expireDay('2027-11-02')).rejects.toThrow('2027-11-02 of main/unit is kept for 12 months')
    await clock.set('2028-12-01T10:00:00Z')
    await expect(expireDay('2027-10-31')).rejects.toThrow('is not in the archive')
    await expect(expireDay('2027-11-20')).rejects.toThrow(
      '2027-11-20 of main/unit: 2027-11-02 before it is neither expired nor held',
    )
    await setRetention(database.db, 'main/operations', 12, null)
    await expect(expireDay('2027-11-02')).rejects.toThrow('are kept for ever')
    expect(await planExpiry(database.db, 'main/operations', 'main/unit')).toBeUndefined()
    for (const text of [
      `insert into expired_days values ('main/unit', '2027-11-02', 0, 7, 0)`,
      `insert into retention_settings values ('main/operations', 9, 12, 12, 0)`,
      'delete from cold_days',
      `update holds set repository = 'x'`,
    ])
      await expect(database.db.query({ text })).rejects.toThrow('permission denied')
  })

  it('may be promised later, never sooner: a lower setting stops the start with the reason, and what was promised is on record', async () => {
    await begin(empty)
    const promise = (months: number | 'forever') =>
      promiseRetention(database.db, node.reader, operations(), { online: 12, kept: months, detach: true, expire: true })
    await promise(36)
    await promise(36)
    await promise(48)
    await expect(promise(36)).rejects.toThrow(
      'retention.kept: records are kept for 48 months; that may only be raised, not lowered to 36 months',
    )
    await promise('forever')
    await expect(promise(1_200)).rejects.toThrow('for ever')
    const promised = [['settings', 36], ['settings', 48], ['settings', 'forever']] // oxfmt-ignore
    expect((await records()).map((record) => [record['act'], record['kept']])).toEqual(promised)
    // A database that came back from a backup, or from nothing: what is on record counts.
    await lose('retention_settings', 'n > 0')
    await expect(promise(48)).rejects.toThrow('for ever')
    await promise('forever')
    await lose('retention_settings', 'true')
    await expect(promise(48)).rejects.toThrow('for ever')
    expect((await records()).map((record) => [record['act'], record['kept']])).toEqual(promised)
  })

  it.each(['removed', 'not removed'] as const)(
    'is finished by the next pass when deleting fails anywhere (%s), and on record once',
    async (flavour) => {
      await begin(aYearOn)
      const { november } = kept
      const failing = (at: number): Objects => {
        let calls = 0
        return {
          ...objects,
          async remove(key) {
            if (calls++ !== at) return objects.remove(key)
            if (flavour === 'removed') await objects.remove(key)
            throw new Error('broken')
          },
        }
      }
      for (const at of [0, 1, 2]) await expect(expire(failing(at))).rejects.toThrow('broken')
      expect(await node.reader.earliest('main/unit')).toBe(november) // marked: nobody reads it any more
      await expect(node.reader.readBatch('main/unit', 8)).rejects.toMatchObject({ code: 'expired' })
      expect(await expire()).toMatchObject({ days: 29 })
      expect((await records()).filter(({ act, state }) => act === 'expire' && state === 'done')).toHaveLength(29)
      for (const file of ['records.ndjson.zst', 'leaves.bin'])
        expect(await objects.has(dayKey('main/unit', '2027-11-20', file))).toBe(false)
    },
  )

  it('leaves what the storage has locked, and comes again', async () => {
    await begin(aYearOn)
    const locking: Objects = {
      ...objects,
      remove: async (key) => (key.includes('2027/11/20/records') ? 'locked' : objects.remove(key)),
    }
    expect(await expire(locking)).toMatchObject({ days: 28, locked: 1 })
    expect(await expire()).toMatchObject({ days: 1 })
  })
})

describe('a hold', () => {
  const holds = () => createHolds(database.db, operations())
  const wanted = { repository: 'acme/pay', path: null, from: null, to: null, reason: 'litigation', ticket: 'LEGAL-7' }

  it('case 40: keeps every day with records of its repository, also by a run that names none, and their artifacts; the others go', async () => {
    await begin(aYearOn)
    const { lone, web } = kept
    const held = await holds().add({ ...wanted, to: '2027-11-10' }, 'alice')
    expect(held).toMatchObject({ days: 1, releasedBy: null })
    await expect(expireDay('2027-11-02')).rejects.toThrow(`is under hold ${held.hold}`)
    const plan = await planExpiry(database.db, 'main/operations', 'main/unit')
    expect([plan?.days.length, plan?.held.map(({ day, hold }) => [day, hold])]).toEqual([28, [['2027-11-02', held.hold]]])
    expect(await expire()).toMatchObject({ days: 28 })
    expect([await artifacts.has(lone), await artifacts.has(web)]).toEqual([true, false])
    // Single records of a held day can still be read, behind what has expired.
    const { records: single } = await node.reader.readBatch('main/unit', 2, { maxRecords: 1 })
    expect(single).toHaveLength(1)
  })

  it('is released by two people only, each step on record', async () => {
    await begin(aYearOn)
    const { hold } = await holds().add(wanted, 'alice')
    expect(await holds().release(hold, 'settled', 'bob')).toMatchObject({ askedBy: 'bob', releasedBy: null })
    await expect(holds().release(hold, 'settled', 'bob')).rejects.toMatchObject({ code: 'second_person' })
    await expect(expireDay('2027-11-02')).rejects.toThrow('under hold')
    // Not even by hand: a row in which the same person confirms releases nothing.
    await database.db.query({ text: `insert into hold_releases (ledger, hold, step, by_whom, reason, at) values ('main/operations', $1, 'confirmed', 'bob', 'x', 0)`, values: [hold] })
    await expect(expireDay('2027-11-02')).rejects.toThrow('under hold')
    const other = await holds().add({ ...wanted, repository: 'acme/web' }, 'alice')
    await holds().release(other.hold, 'settled', 'bob')
    expect(await holds().release(other.hold, 'confirmed by counsel', 'carol')).toMatchObject({ releasedBy: 'carol' })
    expect((await holds().list(false)).map((one) => one.hold)).toEqual([hold])
    expect((await records()).filter(({ kind }) => kind === 'hold').map(({ act, by }) => [act, by])).toEqual([
      ['added', 'alice'], ['release_asked', 'bob'], ['added', 'alice'], ['release_asked', 'bob'], ['released', 'carol'],
    ])
  })

  it('is in force again in a database that lost its rows, and released where it was, as the records say', async () => {
    await begin(aYearOn)
    const { hold } = await holds().add({ ...wanted, to: '2027-11-10' }, 'alice')
    const { hold: other } = await holds().add({ ...wanted, repository: 'acme/web' }, 'alice')
    await holds().release(other, 'settled', 'bob')
    const before = await holds().release(other, 'confirmed by counsel', 'carol')
    const { hold: asked } = await holds().add({ ...wanted, path: 'src/a.ts' }, 'alice')
    await holds().release(asked, 'settled', 'bob')
    await lose('holds', 'true')
    await lose('hold_releases', 'true')
    expect(await holds().list(true)).toEqual([])
    const restore = () => restoreHolds(database.db, node.reader, 'main/operations')
    expect((await restore()).toSorted()).toEqual([hold, other, asked].toSorted())
    expect(await restore()).toEqual([])
    await expect(expireDay('2027-11-02')).rejects.toThrow('is under hold')
    const after = await holds().list(true)
    expect(after.find((one) => one.hold === other)).toMatchObject({ releasedBy: 'carol', askedBy: before.askedBy, reason: before.reason })
    expect(after.find((one) => one.hold === asked)).toMatchObject({ path: 'src/a.ts', askedBy: 'bob', askedReason: 'settled', releasedBy: null })
    expect(after.find((one) => one.hold === hold)).toMatchObject({ to: '2027-11-10', byWhom: 'alice', ticket: 'LEGAL-7', askedBy: null })
  })

  it('is put on record later when a crash came between', async () => {
    await begin(empty)
    await database.db.query({ text: `select add_hold('main/operations', 'hold-x', 'acme/pay', null, null, null, 'why', 'T-1', 'alice')` })
    await holds().recordMissing()
    await holds().recordMissing()
    expect((await records()).map(({ kind, act, hold, by }) => [kind, act, hold, by])).toEqual([['hold', 'added', 'hold-x', 'alice']])
  })
}) // oxfmt-ignore
