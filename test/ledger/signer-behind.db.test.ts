import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findUnknown } from '../../src/ledger/signer-behind.ts'
import { newestCheckpoint } from '../../src/ledger/store.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { createGuard } from '../../src/signing/guard.ts'
import { createKeys } from '../../src/signing/keys.ts'
import { connectSigner } from '../../src/signing/remote.ts'
import { serveSigner } from '../../src/signing/serve-signer.ts'
import { type Signer, createSigner } from '../../src/signing/signer.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type TestNode, aSubmission, openNode } from '../support/ledger.ts'

const ledger: LedgerName = 'main/unit'
const originOf = (name: LedgerName): string => `localhost/${name}`
let test: TestDatabase
let folder: string
let endings: (() => unknown)[]
beforeEach(async () => {
  test = await createTestDatabase()
  await ensurePartitions(test.db)
  folder = await mkdtemp(join(tmpdir(), 'behind-'))
  endings = []
})
afterEach(async () => {
  for (const end of endings.toReversed()) await end()
  await test.drop()
  await rm(folder, { recursive: true })
})

async function signerIn(name: string): Promise<Signer> {
  const guard = await createGuard(join(folder, name, 'guard'))
  endings.push(() => guard.close())
  const keys = createKeys({ folder: join(folder, name, 'keys'), originOf, statementName: 'localhost/main/statement' })
  return createSigner({ keys, guard, origin: originOf })
}
async function open(signer: Signer, node: string): Promise<TestNode> {
  const opened = await openNode(test.db, signer, node)
  endings.push(() => opened.book.close())
  return opened
}
/** As somebody does who moves a service and lets the old one run, or brings back a backup. */
const copyState = (from: string, to: string) =>
  cp(join(folder, from), join(folder, to), { recursive: true, filter: (path) => !path.endsWith('lock.db') })
const notCurrent = expect.objectContaining({ code: 'signer_not_current' })
let n = 0
const append = ({ book }: TestNode) => book.appender.submit([aSubmission(`run:${n++}`)])

describe('a copy of the signer’s folder', () => {
  it('case 48: that is older than what was published does not sign: it may have forgotten more', async () => {
    const a = await open(await signerIn('a'), 'a')
    await append(a)
    await copyState('a', 'backup')
    await append(a)
    const b = await open(await signerIn('backup'), 'b')
    expect(b.book.publisher.stopped()).toEqual(notCurrent)
    expect(b.book.publisher.stopped()?.message).toBe('main/unit is signed to 2 records, this signer knows of 1 records: another one has a copy of its keys, or its folder is an older one') // oxfmt-ignore
    await expect(append(b)).rejects.toEqual(notCurrent)
    await append(a) // the one that is current goes on
  })

  it('case 48: at work beside the other is found out: the two do not both go on', async () => {
    const a = await open(await signerIn('a'), 'a')
    await append(a)
    await copyState('a', 'b')
    const b = await open(await signerIn('b'), 'b')
    expect(b.book.publisher.stopped()).toBeUndefined()
    const isStopped = () => [a, b].some(({ book }) => book.publisher.stopped()?.code === 'signer_not_current')
    const takeTurns = async (): Promise<boolean> => {
      for (const node of [a, b]) await append(node).catch(() => undefined)
      return isStopped()
    }
    await expect.poll(takeTurns, { timeout: 30_000, interval: 300 }).toBe(true)
  })

  it('is adopted when an operator says so, if what was published continues it', async () => {
    const a = await open(await signerIn('a'), 'a')
    await append(a)
    await copyState('a', 'backup')
    for (let i = 0; i < 5; i++) await append(a)
    const backup = await signerIn('backup')
    // Over the socket as well as in the process.
    const abort = new AbortController()
    const server = await serveSigner(backup, join(folder, 's'), abort.signal)
    const remote = connectSigner(join(folder, 's'))
    endings.push(async () => {
      remote.close()
      abort.abort()
      await server.closed
    })
    const unknown = await findUnknown(test.db, remote, ledger)
    expect(unknown).toMatchObject({ known: 1, size: 6 })
    const { note = '' } = unknown ?? {}
    const hashes = await a.book.tree.consistency(1, 6)
    expect(await remote.adopt(ledger, note.replace('\n6\n', '\n7\n'), { from: 1, hashes })).toEqual({ kind: 'refused', reason: 'unsigned' }) // oxfmt-ignore
    expect(await remote.adopt(ledger, note, { from: 1, hashes: hashes.slice(1) })).toEqual({ kind: 'refused', reason: 'inconsistent' }) // oxfmt-ignore
    expect(await remote.adopt(ledger, note, { from: 2, hashes })).toEqual({ kind: 'stale', size: 1 })
    expect(await remote.last(ledger)).toMatchObject({ size: 1 })
    expect(await remote.adopt(ledger, note, { from: 1, hashes })).toEqual({ kind: 'adopted', size: 6 })
    expect(await remote.adopt(ledger, note, { from: 1, hashes })).toEqual({ kind: 'known', size: 6 })
    const b = await open(remote, 'b')
    expect(b.book.publisher.stopped()).toBeUndefined()
    await append(b)
    expect((await newestCheckpoint(test.db, ledger))?.size).toBe(7)
  })

  it('is not stopped by a checkpoint that somebody with the database made up', async () => {
    const signer = await signerIn('a')
    const a = await open(signer, 'a')
    await append(a)
    const { note = '' } = (await newestCheckpoint(test.db, ledger)) ?? {}
    await test.db.query({ text: 'insert into checkpoints (ledger, size, note) values ($1, 5, $2)', values: [ledger, note.replace('\n1\n', '\n5\n')] }) // oxfmt-ignore
    expect(await findUnknown(test.db, signer, ledger)).toBeUndefined()
    const again = await open(signer, 'b')
    expect(again.book.publisher.stopped()).toBeUndefined()
  })
})
