import { describe, expect, it } from 'vitest'
import { type StoredSegment, createKnownSegments } from '../../src/ledger/known-segments.ts'

const ledger = 'main/unit'
const segment: StoredSegment = {
  firstSeq: 7,
  count: 2,
  firstTime: 1_795_827_600_000_000,
  kind: 'run',
  rawBytes: 100,
  dictionarySeq: null,
  payloads: Buffer.from('compressed'),
  leafHashes: Buffer.alloc(64, 1),
  idHashes: Buffer.alloc(16, 2),
}

describe('known segments', () => {
  it('know what was added, and that segment of that ledger only', () => {
    const known = createKnownSegments()
    expect(known.has(ledger, segment)).toBe(false)
    known.add(ledger, segment)
    expect(known.has(ledger, { ...segment, payloads: Buffer.from('compressed') })).toBe(true)
    expect(known.has('main/integration', segment)).toBe(false)
  })

  it.each<[string, Partial<StoredSegment>]>([
    ['its place', { firstSeq: 8 }],
    ['its count', { count: 3 }],
    ['its time', { firstTime: segment.firstTime + 1 }],
    ['its kind', { kind: 'seal' }],
    ['its length', { rawBytes: 101 }],
    ['its dictionary', { dictionarySeq: 3 }],
    ['a byte of its payloads', { payloads: Buffer.from('compresseD') }],
    ['a leaf hash', { leafHashes: Buffer.alloc(64, 3) }],
    ['an id', { idHashes: Buffer.alloc(16, 3) }],
    ['where payloads end', { payloads: Buffer.from('compressed\x01'), leafHashes: Buffer.alloc(63, 1) }],
  ])('do not know a segment any more when %s is another', (_, change) => {
    const known = createKnownSegments()
    known.add(ledger, segment)
    expect(known.has(ledger, { ...segment, ...change })).toBe(false)
  })
})
