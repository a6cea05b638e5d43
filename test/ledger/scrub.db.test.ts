import { mkdtemp, rm, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createReader } from '../../src/ledger/read.ts'
import { type Stretch, scrubStretch } from '../../src/ledger/scrub.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import { createWatch } from '../../src/ledger/watch.ts'
import { createSigningKey } from '../../src/log/vkey.ts'
import { createFolderObjects } from '../../src/objects/folder.ts'
import { type Objects, artifactKey, createArtifacts } from '../../src/objects/objects.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { aSubmission, createMemorySigner, openNode } from '../support/ledger.ts'

const ledger = 'main/unit'
const origin = `localhost/${ledger}`
const vkey = await createSigningKey(origin, 1, new Uint8Array(32).fill(7))
let test: TestDatabase
let folder: string
let objects: Objects
let artifact: string

beforeAll(async () => {
  test = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'proofline-scrub-'))
  objects = await createFolderObjects(folder)
  await test.db.query({ text: `select ensure_partitions(date_trunc('month', now())::date, 3)` })
  const { book } = await openNode(test.db, await createMemorySigner())
  const writer = await createArtifacts(objects).writer()
  await writer.write(Buffer.from('TN:\nSF:a.ts\nDA:1,1\nend_of_record\n'))
  artifact = (await writer.commit()).sha256
  const part = Buffer.from(
    JSON.stringify({ schema: 'proofline.part.v1', kind: 'part', ledger, artifact_sha256: artifact }),
  )
  await book.appender.submit([{ key: 'part:r/p', digest: Buffer.alloc(32), conflict: 'part_conflict', segments: [packSegment('part', [part])] }]) // oxfmt-ignore
  for (let i = 0; i < 45; i++) await book.appender.submit([aSubmission(`run:${i}`, `run:${i}`, 1_000)])
  await book.close()
}, 120_000)
afterAll(async () => {
  await test.drop()
  await rm(folder, { recursive: true })
})

const scrub = (from: number, signal = new AbortController().signal): Promise<Stretch> =>
  scrubStretch({ db: test.db, reader: createReader(test.db, createWatch(test.db)), objects, ledger, origin, vkeys: [vkey], signal }, from) // oxfmt-ignore

/** One pass as the keeper makes it: each stretch begins with nothing but the position, as after a restart. */
async function pass(): Promise<{ stretches: Stretch[]; differences: [string, number][] }> {
  const stretches: Stretch[] = []
  for (let at = 0; ;) {
    const stretch = await scrub(at)
    stretches.push(stretch)
    if (stretch.isLast || stretch.next === undefined) break
    at = stretch.next
  }
  return { stretches, differences: stretches.flatMap(({ differences }) => differences.map(({ kind, seq }): [string, number] => [kind, seq])) }
} // oxfmt-ignore

async function withChange(table: string, change: string, undo: string, work: () => Promise<void>): Promise<void> {
  const run = async (text: string): Promise<void> => {
    await test.owner.query({ text: `alter table proofline.${table} disable trigger user` })
    expect((await test.owner.query({ text })).rowCount).toBe(1)
  }
  await run(change)
  try {
    await work()
  } finally {
    await run(undo)
  }
}

describe('a scrub', () => {
  it('reads every record, in stretches that begin at a head with nothing but its position', async () => {
    const { stretches, differences } = await pass()
    expect(differences).toEqual([])
    expect(stretches.reduce((sum, { records }) => sum + records, 0)).toBe(45_001)
    expect(stretches.map(({ records, isLast }) => [records > 0, isLast])).toEqual([[true, false], [true, false], [false, true]]) // oxfmt-ignore
    expect(stretches[0]?.bytes).toBe(33)
  })

  it('case 1: names the altered record in whatever stretch it lies, and goes on behind it', async () => {
    const flip = `update segments set leaf_hashes = set_byte(leaf_hashes, 32 * 7, get_byte(leaf_hashes, 32 * 7) # 1) where first_seq = 40001`
    await withChange('segments', flip, flip, async () => {
      expect((await pass()).differences).toContainEqual(['leaf-mismatch', 40_008])
    })
    const first = `update segments set id_hashes = set_byte(id_hashes, 0, get_byte(id_hashes, 0) # 1) where first_seq = 1`
    await withChange('segments', first, first, async () => {
      const { stretches, differences } = await pass()
      expect(differences.map(([kind]) => kind).toSorted()).toEqual(['id-mismatch', 'leaf-mismatch'])
      expect(stretches.at(-1)?.isLast).toBe(true)
    })
    expect((await pass()).differences).toEqual([])
  })

  it('tells that the tree before a stretch is another, and checks the records behind it all the same', async () => {
    const root = `update tile_roots set root = set_byte(root, 0, get_byte(root, 0) # 1) where level = 1 and index = 3`
    await withChange('tile_roots', root, root, async () => {
      const { stretches, differences } = await pass()
      expect(differences).toContainEqual(['tile-mismatch', 768])
      expect(stretches[1]?.differences[0]).toMatchObject({ kind: 'root-mismatch', seq: 0 })
      expect(stretches.reduce((sum, { records }) => sum + records, 0)).toBe(45_001)
    })
  })

  it('finds an artifact that is gone, and one whose bytes are others', async () => {
    await unlink(join(folder, artifactKey(artifact)))
    expect((await scrub(0)).differences).toEqual([
      { kind: 'artifact-mismatch', seq: 0, through: 0, expected: `artifact ${artifact}`, found: 'nothing' },
    ])
    const writer = await objects.create()
    await writer.write(Buffer.from('other bytes'))
    await writer.commit(artifactKey(artifact))
    expect((await scrub(0)).differences).toMatchObject([{ kind: 'artifact-mismatch', found: expect.stringContaining('not those bytes') }]) // oxfmt-ignore
  })

  it('that is broken off tells nothing and moves nowhere', async () => {
    expect(await scrub(0, AbortSignal.abort())).toMatchObject({ next: undefined, differences: [] })
  })
})
