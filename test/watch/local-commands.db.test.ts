import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTokens, describeToken } from '../../src/access/tokens.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { submissionOf } from '../../src/recover/submission-of.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { type LocalCommand, insertLocalCommand, recordLocalCommands } from '../../src/watch/local-commands.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'

const ledger = 'main/operations'
let test: TestDatabase
let nodes: TestNode[]
beforeAll(async () => {
  test = await createTestDatabase()
  await ensurePartitions(test.db)
  const signer = await createMemorySigner()
  nodes = [await openNode(test.db, signer, 'a', ledger), await openNode(test.db, signer, 'b', ledger)]
})
afterAll(async () => {
  for (const { book } of nodes) await book.close()
  await test.drop()
})

const command = (fields: Record<string, unknown> = { token: '00' }): LocalCommand =>
  ({ command: 'token.revoke', fields, by: 'uid:1000', at: 1_780_000_000_000_000 }) // oxfmt-ignore
const recorded = async () => {
  const { records } = await nodes[0]!.reader.readBatch(ledger, 0)
  return records.map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>)
}
const drain = (node: TestNode, generations: LedgerName[] = [ledger]) =>
  recordLocalCommands(test.db, node.book, generations)

describe('commands on the database itself', () => {
  it('are on record once, however many processes put them there and how often', async () => {
    await insertLocalCommand(test.db, ledger, command())
    await Promise.all([...nodes, ...nodes].map((node) => drain(node)))
    await drain(nodes[1]!)
    expect(await recorded()).toMatchObject([
      { kind: 'command', command: 'token.revoke', token: '00', by: { method: 'local', subject: 'uid:1000' }, commanded_at: '2026-05-28T20:26:40.000000Z' },
    ]) // oxfmt-ignore
  })

  it('are there with what they did, or neither is', async () => {
    const before = (await recorded()).length
    const broken = test.db.transaction(async (tx) => {
      const { issued } = await createTokens(tx).create({ org: 'main', label: 'x', scopes: ['audit'] })
      await insertLocalCommand(tx, ledger, command(describeToken(issued)))
      throw new Error('the process ended')
    })
    await expect(broken).rejects.toThrow('the process ended')
    await drain(nodes[0]!)
    expect(await recorded()).toHaveLength(before)
    expect(await createTokens(test.db).list('main')).toEqual([])
  })

  it('of many are all recorded, in the order in which they were given', async () => {
    const before = (await recorded()).length
    for (let n = 0; n < 120; n++) await insertLocalCommand(test.db, ledger, { ...command({ token: String(n) }), at: n })
    await drain(nodes[0]!)
    const tokens = (await recorded()).slice(before).map(({ token }) => Number(token))
    expect(tokens).toEqual(Array.from({ length: 120 }, (_, n) => n))
  })

  it('that stand in a generation that was closed are not recorded again in the next', async () => {
    const next = await openNode(test.db, await createMemorySigner(), 'a', 'main/operations/2')
    await drain(next, [ledger, 'main/operations/2'])
    await insertLocalCommand(test.db, 'main/operations/2', command({ token: 'new' }))
    await drain(next, [ledger, 'main/operations/2'])
    const { records } = await next.reader.readBatch('main/operations/2', 0)
    expect(records.map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as unknown)).toMatchObject([{ token: 'new' }]) // oxfmt-ignore
    await next.book.close()
  })

  it('are brought back by recovery under the key by which their row finds them', async () => {
    const [fields = {}] = await recorded()
    const { id, seq } = fields as { id: string; seq: number }
    const submission = submissionOf({ id, seq, recordedAt: 0, kind: 'command', fields })
    expect(submission).toEqual({ key: `command:${String(fields['command_id'])}`, digest: Buffer.alloc(32) })
  })

  it('that no record could hold are refused, and cannot be changed by the service', async () => {
    const repositories = Array.from({ length: 300 }, (_, n) => `github.com/acme/service-${n}`)
    await expect(insertLocalCommand(test.db, ledger, command({ repositories }))).rejects.toMatchObject({ code: 'record_too_large' }) // oxfmt-ignore
    for (const text of ['delete from local_commands', `update local_commands set fields = '{}'`])
      await expect(test.db.query({ text })).rejects.toThrow('permission denied')
    await expect(test.owner.query({ text: 'delete from proofline.local_commands' })).rejects.toThrow('write-once')
  })
})
