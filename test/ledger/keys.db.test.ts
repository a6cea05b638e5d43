import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openCheckpoint } from '../../src/log/checkpoint.ts'
import { openStatement } from '../../src/log/statement.ts'
import { type TrustedKey, parseTrustedKey } from '../../src/log/trusted-key.ts'
import { auditDatabase } from '../../src/ledger/audit-database.ts'
import { createKeyCare } from '../../src/ledger/key-care.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { createGuard } from '../../src/signing/guard.ts'
import { createKeys } from '../../src/signing/keys.ts'
import { type Signer, createSigner } from '../../src/signing/signer.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { aSubmission, openNode, type TestNode } from '../support/ledger.ts'

const unit: LedgerName = 'main/unit'
const operations: LedgerName = 'main/operations'
const originOf = (ledger: LedgerName): string => `localhost/${ledger}`

let test: TestDatabase
let folder: string
let close: () => void
let signer: Signer
let unitNode: TestNode
let node: TestNode
beforeAll(async () => {
  test = await createTestDatabase()
  await ensurePartitions(test.db)
  folder = await mkdtemp(join(tmpdir(), 'keys-'))
  const guard = await createGuard(join(folder, 'guard'))
  close = () => guard.close()
  signer = createSigner({ keys: keysOf('keys'), guard, origin: originOf })
  unitNode = await openNode(test.db, signer, 'a', unit)
  node = await openNode(test.db, signer, 'a', operations)
})
afterAll(async () => {
  await unitNode.book.close()
  await node.book.close()
  close()
  await test.drop()
  await rm(folder, { recursive: true })
})

const keysOf = (name: string) =>
  createKeys({ folder: join(folder, name), originOf, statementName: 'localhost/main/statement' })
/** What a service makes of it at its start. */
const careOf = (with_: Signer) =>
  createKeyCare({ db: test.db, reader: node.reader, signer: with_, ledgers: [unit, operations], operations, originOf, statementName: 'localhost/main/statement' }) // oxfmt-ignore
const start = async (with_: Signer = signer) => {
  const care = careOf(with_)
  await care.check()
  await care.record(node.book)
  return care
}
const append = (key: string) => unitNode.book.appender.submit([aSubmission(key)])
async function records(): Promise<Record<string, string | number>[]> {
  const { records: found } = await node.reader.readBatch(operations, 0)
  return found.map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, string | number>)
}
const last = async <T>(promise: Promise<readonly T[]>): Promise<T> => {
  const found = (await promise).at(-1)
  if (found === undefined) throw new Error('nothing')
  return found
}
const vkeyOf = (line = ''): string => line.split(' ')[0] ?? ''

it('case 15: a rotation and its end are records that hold what both keys signed', async () => {
  const care = await start()
  await append('one')
  expect((await records()).map(({ of }) => of)).toEqual([unit, operations, 'main/statement'])
  const [old = ''] = await signer.keys(unit)

  expect(await care.rotate(unit, { replaces: old, atOnce: false })).toMatchObject({ changed: true, keys: [{ state: 'beside' }, { state: 'signing' }] }) // oxfmt-ignore
  expect(await care.rotate(unit, { replaces: old, atOnce: false })).toMatchObject({ changed: false })
  const rotated = await last(records())
  const [first, second] = (await signer.keys(unit)).map(parseTrustedKey) as [TrustedKey, TrustedKey]
  expect(rotated).toMatchObject({ kind: 'key', of: unit, origin: 'localhost/main/unit', replaces: old, vkey: vkeyOf(await last(signer.keys(unit))), from: 1 }) // oxfmt-ignore
  for (const key of [first, second]) await openCheckpoint(String(rotated['checkpoint']), originOf(unit), [key])

  await append('two')
  const both = await last(unitNode.reader.published(unit).then((found) => [found?.note ?? '']))
  for (const key of [first, second])
    expect(await openCheckpoint(both, originOf(unit), [key])).toMatchObject({ size: 2 })

  expect(await care.retire(unit, { vkey: old })).toMatchObject({ changed: true, keys: [{ state: 'retired' }, { state: 'signing' }] }) // oxfmt-ignore
  const retired = await last(records())
  expect(retired).toMatchObject({ of: unit, retires: old, until: 3, vkey: rotated['vkey'] })
  const proof = await openCheckpoint(String(retired['checkpoint']), originOf(unit), [first, second])
  expect(proof.signatures).toHaveLength(2)
  expect(proof.size).toBeLessThan(3)
  await append('three')

  // Whoever has the lines of the keys folder verifies all of it; whoever has a key without its end, or one key, does not.
  const audit = async (vkeys: readonly TrustedKey[]) =>
    auditDatabase({ db: test.db, reader: node.reader, ledger: unit, origin: originOf(unit), vkeys, signal: new AbortController().signal }) // oxfmt-ignore
  expect(await audit((await signer.keys(unit)).map(parseTrustedKey))).toMatchObject({ signed: 3, differences: [] })
  expect((await audit([parseTrustedKey(old)])).differences).toMatchObject([{ kind: 'bad-signature' }])

  await start() // and nothing of it is recorded twice
  expect((await records()).filter(({ of }) => of === unit)).toHaveLength(3)
})

it('a crash between the signer’s step and its record is made good at the next start, with what both signed', async () => {
  const care = await start()
  const old = vkeyOf(await last(signer.keys(unit)))
  const count = (await records()).length
  await signer.rotate(unit, { replaces: old, atOnce: false, at: 0 })
  await append('four')
  await start()
  expect((await records()).length).toBe(count + 1)
  const keys = (await signer.keys(unit)).slice(-2).map(parseTrustedKey)
  expect((await openCheckpoint(String((await last(records()))['checkpoint']), originOf(unit), keys)).signatures).toHaveLength(2) // oxfmt-ignore

  await signer.retire(unit, { vkey: old, at: 0 })
  await append('five')
  await append('six')
  await start()
  const record = await last(records())
  expect(record).toMatchObject({ retires: old, until: 5 })
  expect((await openCheckpoint(String(record['checkpoint']), originOf(unit), keys)).size).toBe(4)
  expect(await care.list()).toContainEqual(
    expect.objectContaining({ state: 'retired', recordedAt: expect.any(Number) }),
  )
})

it('the key of operations itself, and that of statements, rotate in the same way', async () => {
  const care = await start()
  for (const of of [operations, 'statement'] as const) {
    const old = vkeyOf(await last(signer.keys(of)))
    await care.rotate(of, { replaces: old, atOnce: false })
    await care.retire(of, { vkey: old })
    const [rotated, retired] = (await records()).slice(-2)
    const keys = (await signer.keys(of)).map(parseTrustedKey)
    for (const record of [rotated, retired]) {
      expect(record).toMatchObject({ of: of === 'statement' ? 'main/statement' : of })
      if (of === 'statement') expect((await openStatement(String(record?.['statement']), keys)).keys).toHaveLength(2)
      else expect((await openCheckpoint(String(record?.['checkpoint']), originOf(of), keys)).signatures.length).toBeGreaterThan(0) // oxfmt-ignore
    }
  }
  await start()
})

it('a stolen key of statements is retired at once, and again when the command is repeated', async () => {
  const care = await start()
  const old = vkeyOf(await last(signer.keys('statement')))
  for (const changed of [true, false])
    expect(await care.rotate('statement', { replaces: old, atOnce: true })).toMatchObject({ changed })
  const keys = (await signer.keys('statement')).map(parseTrustedKey)
  expect(keys.at(-2)?.until).toBeGreaterThan(0)
  for (const record of (await records()).slice(-2))
    expect((await openStatement(String(record['statement']), keys)).keys).toHaveLength(2)
  const envelope = await signer.signStatement('a/b', Buffer.from('x'))
  expect((await openStatement(envelope, keys)).keys).toHaveLength(1)
})

it('what cannot be done is refused, and nothing is on record of it but what was asked', async () => {
  const care = await start()
  const count = (await records()).length
  const [oldest = ''] = await signer.keys(unit)
  await expect(care.rotate(unit, { replaces: vkeyOf(oldest).replace('unit', 'none'), atOnce: false })).rejects.toMatchObject({ code: 'key_conflict' }) // oxfmt-ignore
  await expect(care.retire(unit, { vkey: vkeyOf(await last(signer.keys(unit))) })).rejects.toMatchObject({ code: 'key_conflict' }) // oxfmt-ignore
  expect((await records()).length).toBe(count)
})

it('case 48: no other guard, key, origin or older plan records here', async () => {
  const facts = {
    guardId: signer.guardId,
    keys: signer.keys,
  }
  const as = (change: Partial<Signer>): Signer => ({ ...signer, ...facts, ...change })
  const refused = (message: string) => expect.objectContaining({ code: 'signer_not_current', message: expect.stringContaining(message) }) // oxfmt-ignore
  await expect(start(as({ guardId: async () => 'f'.repeat(32) }))).rejects.toEqual(refused('guard'))
  // A copy of the keys folder from before the rotation, and from before its end.
  const lines = await signer.keys(unit)
  const older = (change: (lines: string[]) => string[]) =>
    as({ keys: async (of) => (of === unit ? change(lines) : signer.keys(of)) })
  await expect(start(older(([first = '']) => [vkeyOf(first)]))).rejects.toEqual(refused('until=3'))
  await expect(start(older((all) => all.slice(0, 2)))).rejects.toEqual(refused('bring back'))
  await expect(start(older((all) => all.with(1, all[1]?.replace(/ until=\d+/, '') ?? '')))).rejects.toEqual(refused('as it is since then')) // oxfmt-ignore
  // Another key under the same name.
  const stranger = createSigner({ keys: keysOf('other'), guard: { id: await signer.guardId(), last: () => undefined, store: async () => {}, close() {} }, origin: originOf }) // oxfmt-ignore
  await expect(start(as({ keys: stranger.keys }))).rejects.toEqual(refused('vkey'))
  const elsewhere = createKeyCare({ db: test.db, reader: node.reader, signer, ledgers: [unit], operations, originOf: (name) => `example.org/${name}`, statementName: 'localhost/main/statement' }) // oxfmt-ignore
  await expect(elsewhere.check()).rejects.toEqual(refused('public_host cannot change'))
  await start()
})
