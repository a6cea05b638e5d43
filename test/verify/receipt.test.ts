import { describe, expect, it } from 'vitest'
import { printCheckpoint } from '../../src/log/checkpoint.ts'
import { hashLeaf, rootOfLeaves } from '../../src/log/merkle.ts'
import { inclusionProof } from '../../src/log/merkle-proof.ts'
import { sealNote } from '../../src/log/note.ts'
import { parseProof, printProof } from '../../src/log/proof.ts'
import { createSigningKey } from '../../src/log/vkey.ts'
import { encodeRecord } from '../../src/record/record.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { verifyReceiptProof } from '../../src/verify/receipt.ts'
import type { ReceiptTrust } from '../../src/verify/receipt.ts'

const ledger: LedgerName = 'main/unit'
const origin = 'localhost/main/unit'
const records = Array.from({ length: 20 }, (_, seq) =>
  encodeRecord(new TextEncoder().encode(JSON.stringify({ kind: 'coverage', ledger, ordinal: seq })), {
    ledger,
    seq,
    recordedAt: 1e15 + seq,
  }),
)
const leaves = Uint8Array.from(Buffer.concat(records.map(hashLeaf)))
const key = await createSigningKey(origin, 1, new Uint8Array(32).fill(5))
const checkpoint = await sealNote(printCheckpoint({ origin, size: 20, root: rootOfLeaves(leaves) }), [key])
const hashes = await inclusionProof(13, 20, async (nodes) =>
  nodes.map(({ height, index }) =>
    rootOfLeaves(leaves.subarray(32 * index * 2 ** height, 32 * (index + 1) * 2 ** height)),
  ),
)
const proof = printProof({ index: 13, hashes, checkpoint })
const trust: ReceiptTrust = { ledger, origin, vkeys: [key] }
const record = records[13]!

describe('verifyReceiptProof', () => {
  it('finds nothing wrong with a record, its path and its checkpoint', async () => {
    const found = await verifyReceiptProof(record, proof, trust)
    expect(found.differences).toEqual([])
    expect(found.record).toMatchObject({ seq: 13, ledger })
    expect(found.checkpoint).toMatchObject({ size: 20, origin })
  })

  it('names a changed record', async () => {
    const other = record.slice()
    other[other.length - 2]! ^= 1
    expect((await verifyReceiptProof(other, proof, trust)).differences.map(({ kind }) => kind)).toEqual([
      'malformed',
      'proof-mismatch',
    ])
  })

  it('names a proof for another record', async () => {
    const { differences } = await verifyReceiptProof(records[12]!, proof, trust)
    expect(differences.map(({ kind, seq }) => [kind, seq])).toEqual([
      ['proof-mismatch', 12],
      ['proof-mismatch', 12],
    ])
  })

  it('names a changed path, a changed checkpoint, a foreign log, an unknown key', async () => {
    const parsed = parseProof(proof)
    const kindOf = async (text: string, other = trust): Promise<string[]> =>
      (await verifyReceiptProof(record, text, other)).differences.map(({ kind }) => kind)
    expect(await kindOf(printProof({ ...parsed, hashes: parsed.hashes.toReversed() }))).toEqual(['proof-mismatch'])
    expect(await kindOf(printProof({ ...parsed, hashes: parsed.hashes.slice(1) }))).toEqual(['proof-mismatch'])
    expect(await kindOf(proof.replace('\n20\n', '\n21\n'))).toEqual(['bad-signature'])
    expect(await kindOf(proof, { ...trust, origin: 'localhost/main/integration' })).toEqual(['origin-mismatch'])
    expect(await kindOf(proof, { ...trust, vkeys: [] })).toEqual(['bad-signature'])
    expect(await kindOf(proof, { ...trust, ledger: 'main/integration' })).toEqual(['malformed'])
    expect(await kindOf(proof.slice(0, -1))).toEqual(['malformed'])
  })
})
