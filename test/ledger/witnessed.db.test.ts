import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { insertCosignature, newestCosignatures } from '../../src/ledger/cosignature-store.ts'
import { createWitnessed, witnessedTree } from '../../src/ledger/witnessed.ts'
import { openCheckpoint } from '../../src/log/checkpoint.ts'
import { cosign, parseNote } from '../../src/log/note.ts'
import { parsePolicy } from '../../src/log/policy.ts'
import { parseProof } from '../../src/log/proof.ts'
import { type SigningKey, createSigningKey, parseVkey, printKeyId, printVkey } from '../../src/log/vkey.ts'
import type { Signer } from '../../src/signing/signer.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, aSubmission, createMemorySigner, openNode } from '../support/ledger.ts'

const ledger = 'main/unit'
let database: TestDatabase
let node: TestNode
let signer: Signer
const witnesses: SigningKey[] = []
/** Sizes of the checkpoints: 1, 2, ... 40. */
const sizes = Array.from({ length: 40 }, (_, i) => i + 1)

beforeAll(async () => {
  for (let i = 0; i < 4; i++)
    witnesses.push(await createSigningKey(`witness.example/${i}`, 4, new Uint8Array(32).fill(i + 1)))
})
beforeEach(async () => {
  database = await createTestDatabase()
  await database.db.query({ text: `select ensure_partitions(date_trunc('month', now())::date, 3)` })
  signer = await createMemorySigner()
  node = await openNode(database.db, signer)
  for (const size of sizes) await node.book.appender.submit([aSubmission(`run:${size}`)])
  return async () => {
    await node.book.close()
    await database.drop()
  }
})
afterAll(() => void witnesses.splice(0))

const policyOf = (quorum: string): ReturnType<typeof parsePolicy> =>
  parsePolicy(
    `${witnesses
      .slice(0, 3)
      .map((key, i) => `witness w${i} ${printVkey(key)}\n`)
      .join('')}${quorum === 'none' ? '' : `group two 2 w0 w1 w2\n`}quorum ${quorum}\n`,
  )

/** Witness `i` cosigns the checkpoint of this size; `forged`: says so, and has signed something else. */
async function cosignAt(size: number, i: number, time = 1_700_000_000 + size, forged = false): Promise<void> {
  const key = witnesses[i]
  const { note } = (await createWitnessed(database.db, undefined).atOrAfter(ledger, size)) ?? { note: '' }
  if (key === undefined) throw new Error('no such witness')
  const { text } = parseNote(note)
  const line = await cosign(forged ? text.replace('unit', 'other') : text, key, time)
  const witness = `${key.name}+${printKeyId(key.id)}`
  await insertCosignature(database.db, ledger, { size, witness, time, line })
}

async function opened(note: string | undefined) {
  const keys = [parseVkey(await signer.vkey(ledger)), ...witnesses]
  return openCheckpoint(note ?? '', 'localhost/main/unit', keys)
}

describe('the checkpoint that is shown', () => {
  it('is the newest without a policy', async () => {
    const witnessed = createWitnessed(database.db, undefined)
    expect((await opened((await witnessed.newest(ledger))?.note)).size).toBe(40)
    expect((await witnessed.atOrAfter(ledger, 7))?.size).toBe(7)
    expect(await witnessed.newest('main/changes')).toBeUndefined()
  })

  it('case 38: is the newest that the quorum cosigned, with those lines; nothing while there is none', async () => {
    const witnessed = createWitnessed(database.db, policyOf('two'))
    expect(await witnessed.newest(ledger)).toBeUndefined()
    await cosignAt(3, 0)
    await cosignAt(30, 1)
    expect(await witnessed.newest(ledger)).toBeUndefined()
    await cosignAt(3, 2)
    expect((await witnessed.newest(ledger))?.size).toBe(3)
    // Many that one witness alone cosigned lie above.
    for (let size = 5; size <= 30; size++) await cosignAt(size, 1)
    expect((await witnessed.newest(ledger))?.size).toBe(3)
    await cosignAt(29, 0)
    const newest = await witnessed.newest(ledger)
    const { size, cosignatures } = await opened(newest?.note)
    expect([newest?.size, size]).toEqual([29, 29])
    expect(cosignatures.map(({ key }) => key.name).toSorted()).toEqual(['witness.example/0', 'witness.example/1'])
    expect((await createWitnessed(database.db, policyOf('two')).newest(ledger))?.size).toBe(29)
    expect((await createWitnessed(database.db, policyOf('w2')).newest(ledger))?.size).toBe(3)
  })

  it('finds the smallest witnessed one at or after a size, over many that are not', async () => {
    const witnessed = createWitnessed(database.db, policyOf('two'))
    for (const size of sizes) await cosignAt(size, 0)
    for (const size of [4, 38]) await cosignAt(size, 1)
    const at = await Promise.all([0, 4, 5, 38, 39].map((size) => witnessed.atOrAfter(ledger, size)))
    expect(at.map((found) => found?.size)).toEqual([4, 4, 38, 38, undefined])
  })

  it('counts no row that is not a cosignature by a witness of the policy over this very checkpoint', async () => {
    const witnessed = createWitnessed(database.db, policyOf('two'))
    await cosignAt(9, 0)
    await cosignAt(9, 3)
    await cosignAt(9, 1, 1_700_000_500, true)
    expect(await witnessed.newest(ledger)).toBeUndefined()
    const { cosignatures } = await opened(await witnessed.noteAt(ledger, 9))
    expect(cosignatures.map(({ key }) => key.name)).toEqual(['witness.example/0'])
    await cosignAt(9, 1)
    expect((await witnessed.newest(ledger))?.size).toBe(9)
  })

  it('shows of each witness its newest line', async () => {
    const witnessed = createWitnessed(database.db, policyOf('w0'))
    for (const time of [1_700_000_900, 1_700_000_100, 1_700_000_500]) await cosignAt(9, 0, time)
    for (const note of [(await witnessed.newest(ledger))?.note, await witnessed.noteAt(ledger, 9)])
      expect((await opened(note)).cosignatures.map(({ time }) => time)).toEqual([1_700_000_900])
    await cosignAt(4, 0)
    await cosignAt(2, 1)
    expect(await newestCosignatures(database.db, ledger)).toEqual([
      { witness: `witness.example/0+${printKeyId(witnesses[0]?.id ?? 0)}`, size: 9, time: 1_700_000_900 },
      { witness: `witness.example/1+${printKeyId(witnesses[1]?.id ?? 0)}`, size: 2, time: 1_700_000_002 },
    ])
  })

  it('is the newest where the quorum is none, with whatever cosignatures it has', async () => {
    const witnessed = createWitnessed(database.db, policyOf('none'))
    await cosignAt(39, 0)
    expect((await opened((await witnessed.newest(ledger))?.note)).cosignatures).toEqual([])
    await cosignAt(40, 0)
    expect((await opened((await witnessed.newest(ledger))?.note)).cosignatures).toHaveLength(1)
  })
})

describe('a proof', () => {
  it('leads to a witnessed checkpoint where one covers the record, and else to the newest', async () => {
    const tree = witnessedTree(node.book.tree, ledger, createWitnessed(database.db, policyOf('w0')))
    const sizeOf = async (seq: number) => (await opened(parseProof(await tree.proof(seq)).checkpoint)).size
    expect(await sizeOf(3)).toBe(40)
    await cosignAt(20, 0)
    expect(await sizeOf(3)).toBe(20)
    expect(await sizeOf(19)).toBe(20)
    expect(await sizeOf(20)).toBe(40)
    expect((await opened(await tree.checkpoint())).size).toBe(20)
  })
})
