import type { Tree } from '../../src/ledger/tree.ts'
import { printCheckpoint } from '../../src/log/checkpoint.ts'
import { hashLeaf, rootOfLeaves } from '../../src/log/merkle.ts'
import { sealNote } from '../../src/log/note.ts'
import { encodeBundle, tileWidth } from '../../src/log/tiles.ts'
import { type SigningKey, createSigningKey } from '../../src/log/vkey.ts'
import { type LedgerName, encodeRecord } from '../../src/record/record.ts'

export const ledger: LedgerName = 'main/unit'
export const origin = `localhost/${ledger}`

export interface MemoryLog {
  key: SigningKey
  tree: Pick<Tree, 'tile' | 'entries'>
  records: readonly Uint8Array[]
  note(size: number): Promise<string>
}

/** A log of real records in memory, the same every time; `text` from record `from` on makes another history. */
export async function createMemoryLog(count: number, text = 'a', from = 0): Promise<MemoryLog> {
  const key = await createSigningKey(origin, 1, new Uint8Array(32).fill(7))
  const encoder = new TextEncoder()
  const records = Array.from({ length: count }, (_, seq) => {
    const fields = { schema: 'proofline.run.v1', kind: 'run', ledger, run: `${seq < from ? 'a' : text}-${seq}` }
    const place = { ledger, seq, recordedAt: Date.UTC(2026, 10, 23) * 1000 + seq }
    return encodeRecord(encoder.encode(JSON.stringify(fields)), place)
  })
  const leaves = Buffer.concat(records.map(hashLeaf))
  // Hashed once: what rounds that fail at each effect ask for hundreds of times is the same few tiles and notes.
  const kept = new Map<string, unknown>()
  const once = <T>(what: string, make: () => T): T => {
    if (!kept.has(what)) kept.set(what, make())
    return kept.get(what) as T // one kind of value by each kind of name
  }
  const rootAt = (size: number): Uint8Array => rootOfLeaves(leaves.subarray(0, size * 32))
  const nodeAt = (height: number, index: number): Uint8Array =>
    rootOfLeaves(leaves.subarray(32 * index * 2 ** height, 32 * (index + 1) * 2 ** height))
  return {
    key,
    records,
    note: (size) => once(`note ${size}`, () => sealNote(printCheckpoint({ origin, size, root: rootAt(size) }), [key])),
    tree: {
      async tile(level, index, width) {
        if ((index * tileWidth + width) * tileWidth ** level > count) return undefined
        return once(`tile ${level}/${index}.p/${width}`, () =>
          Buffer.concat(Array.from({ length: width }, (_, i) => nodeAt(level * 8, index * tileWidth + i))),
        )
      },
      entries: async (index, width) => encodeBundle(records.slice(index * tileWidth, index * tileWidth + width)),
    },
  }
}
