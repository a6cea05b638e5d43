import { describe, expect, it } from 'vitest'
import { type Append, type Head, startBatch } from '../../src/ledger/batch.ts'
import { recheck } from '../../src/ledger/recheck.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import { emptyEdge, emptyRoot } from '../../src/log/merkle.ts'

const ledger = 'main/unit'
const genesis: Head = { ledger, edge: emptyEdge, root: emptyRoot, lastTime: 0 }
const payloads = Array.from({ length: 300 }, (_, i) =>
  Buffer.from(JSON.stringify({ schema: 'proofline.run.v1', kind: 'run', ledger, text: `number ${i}` })),
)
const dictionary = packSegment('run', payloads)

/** One append of two segments, the second compressed with an earlier one, in memory of its own. */
function anAppend(): Append {
  const batch = startBatch(genesis, Date.UTC(2026, 10, 23) * 1000)
  const link = { chain: 1n, index: 1, dictionary: { seq: 7, depth: 0, raw: dictionary.raw } }
  batch.add('run:a', Buffer.alloc(32), [packSegment('run', payloads.slice(0, 40))])
  batch.add('run:b', Buffer.alloc(32), [packSegment('run', payloads.slice(0, 299), link)])
  return batch.finish()
}
const rawAt = async (): Promise<Uint8Array> => dictionary.raw
const check = (append: Append, raw = rawAt): Promise<void> => recheck(append, emptyEdge, raw)
const flip = (bytes: Uint8Array, at: number): void => void (bytes[at] = (bytes[at] ?? 0) ^ 4)

describe('the second look before anything is stored', () => {
  it('finds nothing in what was made right', async () => {
    await expect(check(anAppend())).resolves.toBeUndefined()
  })

  it.each(['compressed', 'idHashes'] as const)('case 28: one bit flipped anywhere in %s is found', async (what) => {
    for (const [index, { segment }] of anAppend().segments.entries()) {
      for (let at = 0; at < segment[what].length; at += 13) {
        const append = anAppend()
        const bytes = append.segments[index]?.segment[what] ?? new Uint8Array(0)
        flip(bytes, at)
        const found = await check(append).then(
          () => 'nothing',
          (error: unknown) => String(error),
        )
        // Some bits of a frame's header say nothing about its content; then readers get the right bytes too.
        if (found === 'nothing' && what === 'compressed') expect(at).toBeLessThan(16)
        else expect(found).toMatch(/nothing was stored/)
      }
    }
  })

  it('case 28: one bit flipped in a leaf hash, or in the root, is found', async () => {
    for (const at of [0, 31, 32 * 17 + 5, 32 * 298]) {
      const append = anAppend()
      flip(append.segments[1]?.leafHashes ?? new Uint8Array(0), at)
      await expect(check(append)).rejects.toThrow(`record ${40 + Math.floor(at / 32)} of main/unit`)
    }
    const append = anAppend()
    const root = Uint8Array.from(append.next.root)
    flip(root, 3)
    await expect(check({ ...append, next: { ...append.next, root } })).rejects.toThrow('another root at 339 records')
  })

  it('finds another dictionary than the one that is on record', async () => {
    const other = packSegment('run', payloads.toReversed()).raw
    await expect(check(anAppend(), async () => other)).rejects.toThrow('record')
  })

  it('finds records that are more or fewer than said', async () => {
    const append = anAppend()
    const [first, ...rest] = append.segments
    if (first === undefined) throw new Error('no segment')
    const fewer = { ...first, segment: { ...first.segment, count: 39 } }
    await expect(check({ ...append, segments: [fewer, ...rest] })).rejects.toThrow('record 39 of main/unit')
  })
})
