import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Head, firstTimeOf, maxBatchRecords, monthOf, startBatch } from '../../src/ledger/batch.ts'
import { packSegment, unpackSegment } from '../../src/ledger/segments.ts'
import { emptyEdge, emptyRoot, hashLeaf, rootOfLeaves } from '../../src/log/merkle.ts'
import { encodeRecord, openRecord, printTime } from '../../src/record/record.ts'

const ledger = 'main/unit'
const genesis: Head = { ledger, edge: emptyEdge, root: emptyRoot, lastTime: 0 }
const november = Date.UTC(2026, 10, 23, 5) * 1000
const payload = (text: string): Uint8Array =>
  Buffer.from(JSON.stringify({ schema: 'proofline.run.v1', kind: 'run', ledger, text }))

describe('startBatch', () => {
  it('gives consecutive seqs and times one microsecond apart, and a tree over exactly the record bytes', () => {
    const sizes = fc.array(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }), {
      minLength: 1,
      maxLength: 6,
    })
    fc.assert(
      fc.property(sizes, fc.array(fc.string(), { minLength: 1, maxLength: 5 }), (appends, texts) => {
        let head = genesis
        const records: Uint8Array[] = []
        for (const submissions of appends) {
          const batch = startBatch(head, november)
          for (const [n, count] of submissions.entries()) {
            const payloads = Array.from({ length: count }, (_, i) => payload(`${texts[i % texts.length]}${n}${i}`))
            const { seq, time } = batch.next()
            const placed = batch.add(`run:${records.length}`, Buffer.alloc(32), [packSegment('run', payloads)])
            expect(placed).toMatchObject({ firstSeq: seq, lastSeq: seq + count - 1, firstTime: time })
            for (const [i, bytes] of payloads.entries())
              records.push(encodeRecord(bytes, { ledger, seq: seq + i, recordedAt: time + i }))
          }
          const append = batch.finish()
          expect(append.base).toBe(head.edge.size)
          expect(append.firstTime).toBeGreaterThan(head.lastTime)
          head = append.next
        }
        expect(head.edge.size).toBe(records.length)
        expect(Buffer.from(head.root)).toEqual(Buffer.from(rootOfLeaves(Buffer.concat(records.map(hashLeaf)))))
        const opened = records.map(openRecord)
        expect(opened.map(({ seq }) => seq)).toEqual(records.map((_, i) => i))
        expect(
          opened.every(({ recordedAt }, i) => i === 0 || recordedAt > (opened[i - 1]?.recordedAt ?? Infinity)),
        ).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  it('emits the root of every full tile once, at the level above it', () => {
    const batch = startBatch(genesis, november)
    const payloads = Array.from({ length: 1000 }, (_, i) => payload(String(i)))
    batch.add('run:a', Buffer.alloc(32), [packSegment('run', payloads)])
    const { tileRoots, segments } = batch.finish()
    expect(tileRoots.map(({ level, index }) => [level, index])).toEqual([
      [1, 0],
      [1, 1],
      [1, 2],
    ])
    const leaves = segments[0]?.leafHashes ?? new Uint8Array(0)
    expect(Buffer.from(tileRoots[1]?.root ?? [])).toEqual(
      Buffer.from(rootOfLeaves(leaves.subarray(256 * 32, 512 * 32))),
    )
  })

  it('finds its own payloads and leaf hashes before they are recorded', () => {
    const batch = startBatch(genesis, november)
    batch.add('a', Buffer.alloc(32), [packSegment('run', [payload('one'), payload('two')])])
    batch.add('b', Buffer.alloc(32), [packSegment('run', [payload('three')])])
    expect(batch.payload(1)?.toString()).toContain('two')
    expect(batch.payload(2)?.toString()).toContain('three')
    expect(batch.payload(3)).toBeUndefined()
    const own = Buffer.concat(batch.finish().segments.map(({ leafHashes }) => leafHashes))
    expect(batch.leafHashesFrom(1, 3)).toEqual(own.subarray(32, 96))
    expect(batch.leafHashesFrom(0, 2)).toEqual(own.subarray(0, 64))
  })
})

describe('firstTimeOf', () => {
  const lastOfNovember = Date.UTC(2026, 11, 1) * 1000 - 1

  it('begins at the first microsecond of the new month when an append could cross into it', () => {
    expect(firstTimeOf({ ...genesis, lastTime: lastOfNovember - 5 }, lastOfNovember - 10)).toBe(lastOfNovember + 1)
    expect(printTime(lastOfNovember + 1)).toBe('2026-12-01T00:00:00.000000Z')
  })

  it('keeps every append within one month and after the last record, whatever the clock says', () => {
    const around = fc.integer({ min: -40_000, max: 40_000 })
    fc.assert(
      fc.property(around, around, (clock, last) => {
        const head = { ...genesis, lastTime: lastOfNovember + last }
        const first = firstTimeOf(head, lastOfNovember + clock)
        expect(first).toBeGreaterThan(head.lastTime)
        expect(first).toBeGreaterThanOrEqual(lastOfNovember + clock)
        expect(monthOf(first)).toBe(monthOf(first + maxBatchRecords))
      }),
    )
  })
})

describe('packSegment', () => {
  it('gives the same payloads back, with and without a dictionary', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 30 }), fc.boolean(), (texts, withDictionary) => {
        const payloads = texts.map(payload)
        const earlier = packSegment(
          'run',
          texts.map((text) => payload(`${text}.`)),
        )
        const link = {
          chain: 1n,
          index: 1,
          dictionary: withDictionary ? { seq: 0, depth: 0, raw: earlier.raw } : undefined,
        }
        const packed = packSegment('run', payloads, link)
        const dictionary = packed.dictionarySeq === undefined ? undefined : earlier.raw
        expect(unpackSegment(packed.compressed, packed.rawBytes, dictionary)).toEqual(Buffer.from(packed.raw))
        expect(Buffer.from(packed.raw).toString()).toBe(
          payloads.map((bytes) => `${Buffer.from(bytes).toString()}\n`).join(''),
        )
      }),
      { numRuns: 50 },
    )
  })

  it('takes no dictionary that is over four times as large as what it would help', () => {
    const raw = Buffer.alloc(100_000, 'x')
    const packed = packSegment('run', [payload('small')], {
      chain: 1n,
      index: 1,
      dictionary: { seq: 7, depth: 2, raw },
    })
    expect(packed).toMatchObject({ dictionarySeq: undefined, depth: 0 })
  })

  it('refuses a payload that a record could not hold, or that is not on one line', () => {
    expect(() => packSegment('run', [Buffer.alloc(4_900, 'x')])).toThrow('a payload of 4900 bytes')
    expect(() => packSegment('run', [Buffer.from('{"a":\n1}')])).toThrow('a newline')
  })

  it('is told apart from damaged bytes', () => {
    const packed = packSegment('run', [payload('whole')])
    const damaged = Buffer.from(packed.compressed)
    damaged[damaged.length >> 1] = (damaged[damaged.length >> 1] ?? 0) ^ 0x55
    expect(() => {
      if (unpackSegment(damaged, packed.rawBytes, undefined).equals(Buffer.from(packed.raw)))
        throw new Error('undetected')
      throw new Error('other bytes: the leaf hash finds them')
    }).toThrow(/^(?!undetected)/)
  })
})
