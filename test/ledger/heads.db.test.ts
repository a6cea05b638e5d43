import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type HeadPlace, createHeads } from '../../src/service/heads.ts'
import { parseVkey } from '../../src/log/vkey.ts'
import { createFolderShelf } from '../../src/publish/folder-shelf.ts'
import { publishLog } from '../../src/publish/publish-log.ts'
import type { Signer } from '../../src/signing/signer.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { notesInHeartbeats } from '../../src/watch/heartbeat-notes.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, aSubmission, createMemorySigner, openNode } from '../support/ledger.ts'

const ledger = 'main/unit'
const origin = `localhost/${ledger}`
const databases: TestDatabase[] = []
const nodes: TestNode[] = []
let folder: string
/** Of the same key each: that of a copied data folder, whose guard forgot. */
let signer: Signer
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heads-'))
  signer = await createMemorySigner()
})
afterEach(async () => {
  for (const { book } of nodes.splice(0)) await book.close()
  for (const database of databases.splice(0)) await database.drop()
  await rm(folder, { recursive: true })
})

/** `before`: other places, asked beside the published copy. */
async function open(by: Signer, before: readonly HeadPlace[] = []) {
  const database = await createTestDatabase()
  databases.push(database)
  await database.db.query({ text: `select ensure_partitions(date_trunc('month', now())::date, 3)` })
  const node = await openNode(database.db, by)
  nodes.push(node)
  const shelf = await createFolderShelf(join(folder, 'copy'))
  const deps = {
    db: database.db,
    signer: by,
    originOf: () => origin,
    folder: join(folder, 'rollback'),
    now: () => new Date(),
  }
  const copy: HeadPlace = { name: shelf.name, onlyOurs: false, read: (of) => shelf.get(`${of}/checkpoint`) }
  const heads = createHeads({ ...deps, places: [...before, copy], log: silentLogger })
  const publish = async () => {
    const newest = () => node.book.tree.checkpoint()
    const keys = [parseVkey(await by.vkey(ledger))]
    await publishLog({
      shelf,
      ledger,
      origin,
      keys,
      tree: node.book.tree,
      newest,
      signal: new AbortController().signal,
    })
  }
  return { ...node, database, heads, publish }
}
const evidence = async (): Promise<string[]> => {
  const names = await readdir(join(folder, 'rollback')).catch(() => [])
  return Promise.all(names.map((name) => readFile(join(folder, 'rollback', name), 'utf8')))
}

describe('the published copy, where the guard knows nothing', () => {
  it('is met by a ledger that it came from', async () => {
    const first = await open(signer)
    expect(await first.heads.compare(first.book)).toEqual([]) // there is none yet
    for (const run of ['a', 'b', 'c']) {
      await first.book.appender.submit([aSubmission(`run:${run}`)])
      if (run === 'b') await first.publish()
    }
    expect(await first.heads.compare(first.book)).toEqual([])
    expect(first.book.publisher.stopped()).toBeUndefined()
    expect(await evidence()).toEqual([])
  })

  it('case 8, 48: stops an empty database under its origin, and an older one, with both heads on file', async () => {
    const first = await open(signer)
    await first.book.appender.submit([aSubmission('run:a')])
    await first.book.appender.submit([aSubmission('run:b')])
    await first.publish()

    const empty = await open(await createMemorySigner())
    expect(empty.book.publisher.stopped()).toBeUndefined() // nothing else noticed
    await empty.heads.compare(empty.book)
    expect(empty.book.publisher.stopped()).toMatchObject({ code: 'rollback_detected', message: expect.stringMatching(/there are 0 records, and .*copy has a signed head of 2\. Theirs: "localhost\/main\/unit\\n2\\n/) as string }) // oxfmt-ignore
    await expect(empty.book.appender.submit([aSubmission('run:c')])).rejects.toMatchObject({
      code: 'rollback_detected',
    })
    expect(await evidence()).toEqual([expect.stringContaining('"theirs": "localhost/main/unit\\n2\\n')])
    await empty.heads.compare(empty.book)
    expect(await evidence()).toHaveLength(1)
  })

  it('case 9, 10: stops a database that grew again past it, or to the same size, with other records', async () => {
    const first = await open(signer)
    await first.book.appender.submit([aSubmission('run:a')])
    await first.book.appender.submit([aSubmission('run:b')])
    await first.publish()
    for (const count of [1, 4]) {
      const other = await open(await createMemorySigner())
      await other.book.appender.submit([aSubmission('run:x')])
      await other.book.appender.submit([aSubmission('run:y', 'y', count)])
      await other.heads.compare(other.book)
      expect(other.book.publisher.stopped()).toMatchObject({ code: 'rollback_detected', message: expect.stringContaining('the first 2 records are others') as string }) // oxfmt-ignore
    }
    expect(await evidence()).toHaveLength(2)
  })

  it('case 11, 13: proves nothing when our key has not signed it, so whoever can write there cannot stop us; unless we are empty', async () => {
    const first = await open(signer)
    await first.book.appender.submit([aSubmission('run:a')])
    const forged = Buffer.from(`${origin}\n9\n${Buffer.alloc(32, 1).toString('base64')}\n\n— ${origin} ${Buffer.alloc(68, 1).toString('base64')}\n`) // oxfmt-ignore
    expect(await first.heads.compareWith(first.book, forged, 'a copy')).toMatchObject({ code: 'log_mismatch', subject: 'main/unit in a copy', detail: expect.stringContaining('no trusted signature') as string }) // oxfmt-ignore
    expect(await first.heads.compareWith(first.book, Buffer.from('rubbish'), 'a copy')).toMatchObject({ code: 'log_mismatch' }) // oxfmt-ignore
    expect(await first.heads.compareWith(first.book, forged, 'a SIEM', true)).toBeUndefined() // where others write too
    const ofAnother = Buffer.from(forged.toString().replaceAll('main/unit', 'main/integration'))
    expect(await first.heads.compareWith(first.book, ofAnother, 'a copy')).toMatchObject({ code: 'log_mismatch' })
    expect(first.book.publisher.stopped()).toBeUndefined()

    const empty = await open(await createMemorySigner())
    await empty.heads.compareWith(empty.book, forged, 'a copy')
    expect(empty.book.publisher.stopped()).toMatchObject({ code: 'rollback_detected', message: expect.stringContaining('signed by other keys') as string }) // oxfmt-ignore
  })
})

it('case 8: a heartbeat that a SIEM kept stops a ledger that has less than its note', async () => {
  const first = await open(signer)
  await first.book.appender.submit([aSubmission('run:a')])
  const note = await first.book.tree.checkpoint()
  const heartbeat = { kind: 'heartbeat', heads: [{ ledger, size: 1, note }, { ledger: 'main/changes', size: 0, note: null }] } // oxfmt-ignore
  const older = { kind: 'heartbeat', heads: [{ ledger, size: 0, note: 'older' }] }
  const records = [heartbeat, older, { kind: 'command' }].map((one) => Buffer.from(JSON.stringify(one)))
  const notes = notesInHeartbeats([...records, Buffer.from('rubbish')])
  expect([...notes]).toEqual([[ledger, note]])
  const empty = await open(await createMemorySigner())
  await empty.heads.compareWith(
    empty.book,
    Buffer.from(notes.get(ledger) ?? ''),
    'a heartbeat in destination siem',
    true,
  )
  expect(empty.book.publisher.stopped()).toMatchObject({ code: 'rollback_detected', message: expect.stringContaining('a heartbeat in destination siem has a signed head of 1') as string }) // oxfmt-ignore
})

it('both heads are kept too when it is the guard that knows more', async () => {
  const first = await open(signer)
  await first.book.appender.submit([aSubmission('run:a')])
  const empty = await open(signer)
  expect(empty.book.publisher.stopped()).toMatchObject({ code: 'rollback_detected' })
  await empty.heads.keep(empty.book)
  expect(await evidence()).toEqual([expect.stringContaining('"theirs": "the guard: 1 records')])
})

describe('several places', () => {
  it('case 8: a witness that shows what our key has signed stops an older database, whatever the other places say', async () => {
    const first = await open(signer)
    await first.book.appender.submit([aSubmission('run:a')])
    const note = Buffer.from((await first.book.tree.checkpoint()) ?? '')
    const gone: HeadPlace = { name: 'gone', onlyOurs: false, read: async () => Promise.reject(new Error('no route')) }
    const witness: HeadPlace = { name: 'witness w', onlyOurs: true, read: async () => note }
    const empty = await open(await createMemorySigner(), [gone, witness])
    expect(await empty.heads.compare(empty.book)).toEqual([])
    expect(empty.book.publisher.stopped()).toMatchObject({ code: 'rollback_detected', message: expect.stringContaining('witness w has a signed head of 1') as string }) // oxfmt-ignore
    expect(await evidence()).toHaveLength(1)
  })

  it('a witness that shows what our key has not signed neither stops an empty database nor is told here', async () => {
    const forged = Buffer.from(`${origin}\n9\n${Buffer.alloc(32, 1).toString('base64')}\n\n— ${origin} ${Buffer.alloc(68, 1).toString('base64')}\n`) // oxfmt-ignore
    for (const shown of [forged, Buffer.from('<html>')]) {
      const empty = await open(signer, [{ name: 'witness w', onlyOurs: true, read: async () => shown }])
      expect(await empty.heads.compare(empty.book)).toEqual([])
      expect(empty.book.publisher.stopped()).toBeUndefined()
    }
  })

  it('what was found at one that cannot be read now stays found', async () => {
    let isAway = false
    const copy: HeadPlace = {
      name: 'a copy',
      onlyOurs: false,
      read: async () => (isAway ? Promise.reject(new Error('away')) : Buffer.from('rubbish')),
    }
    const first = await open(signer, [copy])
    const mismatch = [expect.objectContaining({ code: 'log_mismatch', subject: 'main/unit in a copy' })]
    expect(await first.heads.compare(first.book)).toEqual(mismatch)
    isAway = true
    expect(await first.heads.compare(first.book)).toEqual(mismatch)
  })
})
