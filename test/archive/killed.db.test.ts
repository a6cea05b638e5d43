import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createColdSource } from '../../src/archive/cold.ts'
import { setRetention } from '../../src/archive/retention-store.ts'
import { listColdDays } from '../../src/archive/store.ts'
import { createReader } from '../../src/ledger/read.ts'
import { createWatch } from '../../src/ledger/watch.ts'
import { createFolderObjects } from '../../src/objects/folder.ts'
import { createArtifacts } from '../../src/objects/objects.ts'
import { Problem } from '../../src/record/problem.ts'
import { createSettableClock } from '../support/clock.ts'
import { compileCache } from '../support/compile-cache.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { endOf, temporaryFolder } from '../support/service.ts'
import { createFolderSigner, openArchiveNode } from './archive.ts'

let database: TestDatabase
let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('killed')
})
afterEach(async () => {
  await database.drop()
  await folder.remove()
})

it('case 25: archive, detach and expiry killed by SIGKILL before and after every effect leave every record readable, or expired, and end as if nothing had happened', { timeout: 240_000 }, async () => {
  const { db } = database
  const objectsFolder = join(folder.path, 'objects')
  const objects = await createFolderObjects(objectsFolder)
  const clock = await createSettableClock(database.owner, '2027-11-28T10:00:00Z')
  await db.query({ text: `select ensure_partitions('2027-11-01', 14)` })
  const artifact = await createArtifacts(objects).writer()
  await artifact.write(Buffer.from('a report'))
  const { sha256 } = await artifact.commit()

  const signer = await createFolderSigner(folder.path)
  const node = await openArchiveNode({ db, objects, ledgers: ['main/unit', 'main/operations'], signer })
  for (const [i, day] of ['2027-11-28', '2027-11-30', '2027-12-01'].entries()) {
    await clock.set(`${day}T10:00:00Z`)
    await node.record('main/unit', `r${i}`, 'acme/pay', 1_100, i === 0 ? sha256 : undefined)
  }
  const { records: all } = await node.reader.readBatch('main/unit', 0, { maxRecords: 100_000, maxBytes: 2 ** 28 })
  const bytes = all.map((record) => Buffer.from(record.bytes))
  await node.close()
  signer.close()

  const run = async (what: string, nth: number, when: string): Promise<boolean> => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'archive-child.ts'), database.url, objectsFolder, folder.path, what, String(nth), when], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...compileCache } })
    const [code, out, errors] = await Promise.all([endOf(child), text(child.stdout), text(child.stderr)])
    if (code !== 'SIGKILL') expect([code, errors], errors).toEqual([0, ''])
    return out.startsWith('done')
  }
  /** Looked at as a node does that knows nothing yet. */
  const look = async (): Promise<{ expired: number }> => {
    const reader = createReader(db, createWatch(db), createColdSource(db, objects))
    const expired = new Set<number>()
    for (let seq = 0; seq < bytes.length;) {
      try {
        const batch = await reader.readBatch('main/unit', seq, { maxRecords: 512 })
        for (const record of batch.records) expect(Buffer.from(record.bytes).equals(bytes[record.seq] ?? Buffer.alloc(0))).toBe(true)
        seq = batch.next
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== 'expired') throw error
        expired.add(seq++)
      }
    }
    return { expired: expired.size }
  }
  let kills = 0
  const killThrough = async (what: string): Promise<void> => {
    for (let turn = 0; ; turn++) {
      if (await run(what, 1 + (turn % 9), turn % 2 === 0 ? 'before' : 'after')) return
      kills++
      await look()
    }
  }

  await clock.set('2027-12-02T01:00:00Z')
  await killThrough('archive')
  expect((await listColdDays(db, 'main/unit', undefined, 10)).map(({ day }) => day)).toEqual(['2027-11-28', '2027-11-29', '2027-11-30', '2027-12-01'])
  expect(await look()).toEqual({ expired: 0 })
  await setRetention(db, 'main/operations', 12, 12)
  await clock.set('2028-12-01T01:00:00Z')
  await killThrough('retention')
  expect(await look()).toEqual({ expired: 2_204 })
  expect(await createArtifacts(objects).has(sha256)).toBe(false)
  expect(kills).toBeGreaterThan(12)
  const { rows } = await db.query({ text: `select key from submissions where ledger = 'main/operations' order by first_seq` })
  const keys = rows.map(({ key }) => String(key))
  expect(keys.filter((key) => key.startsWith('retention:detached'))).toHaveLength(3)
  expect(keys.filter((key) => key.startsWith('retention:destroyed'))).toHaveLength(3)
}) // oxfmt-ignore
