import { openCheckpoint } from '../../src/log/checkpoint.ts'
import { hashLeaf, rootOfLeaves } from '../../src/log/merkle.ts'
import { inclusionProof, verifyConsistency, verifyInclusion } from '../../src/log/merkle-proof.ts'
import { openNote, sealNote } from '../../src/log/note.ts'
import { parseProof, printProof } from '../../src/log/proof.ts'
import { printCheckpoint } from '../../src/log/checkpoint.ts'
import { encodeBundle } from '../../src/log/tiles.ts'
import { createSigningKey, parseVkey } from '../../src/log/vkey.ts'
import { encodeRecord, openRecord } from '../../src/record/record.ts'
import { createAudit } from '../../src/verify/audit.ts'
import { verifyReceiptProof } from '../../src/verify/receipt.ts'

/** What a page does with a log. Served to a browser as it is, and run by node too: both must give the same answer. */

export interface Vectors {
  origin: string
  keys: { vkey: string }[]
  roots: { size: number; root: string }[]
  checkpoints: { note: string }[]
  rotationCheckpoint: { note: string }
  cosigned: { note: string }
  inclusion: { index: number; size: number; proof: string[] }[]
  consistency: { from: number; to: number; proof: string[] }[]
  tlogProof: string
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
const fromHex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (char) => char.charCodeAt(0))

export async function runChecks(vectors: Vectors): Promise<Record<string, unknown>> {
  const keys = vectors.keys.map(({ vkey }) => parseVkey(vkey))
  const rootOf = (size: number): Uint8Array => fromHex(vectors.roots.find((known) => known.size === size)?.root ?? '')
  const opened = await Promise.all(vectors.checkpoints.map(({ note }) => openCheckpoint(note, vectors.origin, keys)))
  const tampered = await openNote(vectors.cosigned.note.replace('\n300\n', '\n301\n'), keys).catch((error: unknown) =>
    String(error),
  )
  const consistent = vectors.consistency.map(({ from, to, proof }) =>
    verifyConsistency({ from, to, fromRoot: rootOf(from), toRoot: rootOf(to), proof: proof.map(fromBase64) }),
  )
  const included = vectors.inclusion.map(({ index, size, proof }) => {
    const leafHash = hashLeaf(utf8(`leaf-${index}`))
    return verifyInclusion({ index, size, leafHash, proof: proof.map(fromBase64), root: rootOf(size) })
  })
  return {
    opened: opened.map(({ size, root }) => [size, hex(root)]),
    tampered,
    consistent,
    included,
    rotated: (await openNote(vectors.rotationCheckpoint.note, keys)).verified.map(({ key }) => key.id),
    cosigned: (await openNote(vectors.cosigned.note, keys)).verified.map(({ time }) => time ?? null),
    proof: printProof(parseProof(vectors.tlogProof)) === vectors.tlogProof,
    ...(await auditOfRecords()),
  }
}

/** A small ledger made, signed, audited whole, and altered in one byte; one record with its receipt. */
async function auditOfRecords(): Promise<Record<string, unknown>> {
  const ledger = 'main/unit'
  const origin = 'localhost/main/unit'
  const key = await createSigningKey(origin, 1, new Uint8Array(32).fill(4))
  const records = Array.from({ length: 300 }, (_, seq) =>
    encodeRecord(
      utf8(`{"schema":"proofline.coverage.v1","kind":"coverage","ledger":"${ledger}","n":"zeile \u00fc ${seq}"}`),
      { ledger, seq, recordedAt: 1_764_000_000_000_000 + seq },
    ),
  )
  const hashes = records.map(hashLeaf)
  const packed = Uint8Array.from(hashes.flatMap((hash) => [...hash]))
  const checkpoint = await sealNote(printCheckpoint({ origin, size: 300, root: rootOfLeaves(packed) }), [key])
  const audited = async (list: readonly Uint8Array[]): Promise<unknown> => {
    const audit = createAudit({ ledger, origin, vkeys: [key], parseEvery: 1 })
    await audit.expectCheckpoint(checkpoint)
    audit.expectTile({ level: 0, index: 0, width: 256 }, packed.subarray(0, 32 * 256))
    audit.addBundle({ level: 'entries', index: 0, width: 256 }, encodeBundle(list.slice(0, 256)))
    audit.addBundle({ level: 'entries', index: 1, width: 44 }, encodeBundle(list.slice(256)))
    const { signed, root, differences } = audit.finish()
    return { signed, root: root === undefined ? null : hex(root), differences }
  }
  const altered = records.map((record, seq) => (seq === 77 ? record.with(record.length - 3, 0x58) : record))
  const path = await inclusionProof(77, 300, async (nodes) =>
    nodes.map(({ height, index }) =>
      rootOfLeaves(packed.subarray(32 * index * 2 ** height, 32 * (index + 1) * 2 ** height)),
    ),
  )
  const proof = printProof({ index: 77, hashes: path, checkpoint })
  const receipt = async (record: Uint8Array | undefined): Promise<unknown> =>
    (await verifyReceiptProof(record ?? new Uint8Array(0), proof, { ledger, origin, vkeys: [key] })).differences
  return {
    id: openRecord(records[77] ?? new Uint8Array(0)).id,
    checkpoint,
    whole: await audited(records),
    altered: await audited(altered),
    receipt: await receipt(records[77]),
    otherReceipt: await receipt(altered[77]),
  }
}
