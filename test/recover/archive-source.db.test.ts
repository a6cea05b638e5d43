import { afterEach, beforeEach, expect, it } from 'vitest'
import { archiveDays } from '../../src/archive/run-archive.ts'
import { createFolderObjects } from '../../src/objects/folder.ts'
import type { Objects } from '../../src/objects/objects.ts'
import { fromArchive } from '../../src/recover/archive-source.ts'
import { type ArchiveNode, openArchiveNode } from '../archive/archive.ts'
import { type SettableClock, createSettableClock } from '../support/clock.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { temporaryFolder } from '../support/service.ts'

let database: TestDatabase
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let objects: Objects
let clock: SettableClock
let node: ArchiveNode
beforeEach(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('recover-archive')
  objects = await createFolderObjects(folder.path)
  clock = await createSettableClock(database.owner, '2027-11-30T10:00:00Z')
  await database.db.query({ text: `select ensure_partitions('2027-11-01', 3)` })
  node = await openArchiveNode({ db: database.db, objects })
})
afterEach(async () => {
  await node.close()
  await database.drop()
  await folder.remove()
})

it('the archive gives every record of its days by name alone, without a row that says which days there are', async () => {
  await node.record('main/unit', 'r1', 'acme/pay', 2_500)
  await clock.set('2027-12-03T08:00:00Z') // two days without records in between
  await node.record('main/unit', 'r2', 'acme/web', 300)
  await clock.set('2027-12-04T08:00:00Z')
  await archiveDays(node.writer('main/unit'), 900_000_000, new AbortController().signal)
  const size = (await node.reader.published('main/unit'))?.size ?? 0
  await node.record('main/unit', 'r3', 'acme/web', 5) // of a day that is not over

  const source = fromArchive(objects, 'the archive', () => new Date('2027-12-20T00:00:00Z')) // nobody archived for a while
  expect(Buffer.from((await source.note('main/unit')) ?? []).toString()).toContain(`\n${size}\n`)
  const { records } = await node.reader.readBatch('main/unit', 0, { maxRecords: 10_000, maxBytes: 2 ** 26 })
  const found = new Map<number, Uint8Array>()
  for (let from = 0; from < records.length; from += 256)
    for (const [seq, bytes] of await source.read('main/unit', from, Math.min(from + 256, records.length)))
      found.set(seq, bytes)
  expect([...found.keys()]).toEqual(Array.from({ length: size }, (_, seq) => seq))
  for (const [seq, bytes] of found) expect(Buffer.compare(bytes, records[seq]?.bytes ?? new Uint8Array())).toBe(0)
  expect(await source.note('main/integration')).toBeUndefined()
  expect((await source.read('main/integration', 0, 256)).size).toBe(0)
})
