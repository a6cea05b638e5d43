import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  encodeRecord,
  isLedgerName,
  openRecord,
  parseRecordId,
  parseTime,
  printTime,
  recordId,
} from '../../src/record/record.ts'
import { sha256Hex } from '../../src/record/sha256.ts'

const encoder = new TextEncoder()
const place = { ledger: 'main/unit', seq: 184467, recordedAt: 1795410000123456 } as const

describe('encodeRecord', () => {
  it('puts id, seq and recorded_at in front of the payload without its brace', () => {
    const payload = encoder.encode('{"schema":"proofline.run.v1","kind":"run","ledger":"main/unit"}')
    const id = `main.unit-184467-${sha256Hex(payload).slice(0, 16)}`
    expect(new TextDecoder().decode(encodeRecord(payload, place))).toBe(
      `{"id":"${id}","seq":184467,"recorded_at":"2026-11-23T05:00:00.123456Z","schema":"proofline.run.v1","kind":"run","ledger":"main/unit"}`,
    )
  })

  it('is undone by openRecord for any payload', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.nat(),
        fc.integer({ min: 0, max: 8e15 }),
        (text, seq, recordedAt) => {
          const payload = encoder.encode(JSON.stringify({ ledger: 'main/unit', text: text.toWellFormed() }))
          const opened = openRecord(encodeRecord(payload, { ...place, seq, recordedAt }))
          expect(opened).toMatchObject({ seq, recordedAt, ledger: 'main/unit' })
          expect(Buffer.from(opened.payload)).toEqual(Buffer.from(payload))
        },
      ),
    )
  })
})

describe('openRecord', () => {
  const record = encodeRecord(encoder.encode('{"ledger":"main/unit","path":"src/a.ts","n":1}'), place)

  it('finds every change of a single byte', () => {
    const timeAt = new TextDecoder().decode(record).indexOf('2026-11')
    for (let i = 0; i < record.length; i++) {
      const changed = Uint8Array.from(record)
      changed[i] = (changed[i] ?? 0) ^ 1
      // The time is bound by the leaf hash, not by the id: a changed digit of it may read as another valid time.
      const time = new TextDecoder().decode(changed.subarray(timeAt, timeAt + 27))
      if (i >= timeAt && i < timeAt + 27 && parseTime(time) !== undefined) continue
      expect(() => openRecord(changed), `byte ${i}`).toThrow()
    }
  })

  it('refuses a record that names another ledger than its id', () => {
    expect(() => openRecord(encodeRecord(encoder.encode('{"ledger":"main/integration"}'), place))).toThrow(
      'names ledger main/integration',
    )
  })
})

describe('printTime', () => {
  it('is undone by parseTime for every microsecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 8e15 }), (at) => {
        expect(parseTime(printTime(at))).toBe(at)
      }),
    )
  })

  it('orders as text as it orders as number', () => {
    const at = fc.integer({ min: 0, max: 8e15 })
    fc.assert(
      fc.property(at, at, (a, b) => {
        expect(printTime(a) < printTime(b)).toBe(a < b)
      }),
    )
  })
})

describe('parseTime', () => {
  it.each([
    '2026-11-23T05:00:00.123Z',
    '2026-02-30T00:00:00.000000Z',
    '2016-12-31T23:59:60.000000Z',
    '2026-11-23T05:00:00.123456+00:00',
    '',
  ])('refuses %j', (text) => {
    expect(parseTime(text)).toBeUndefined()
  })
})

describe('parseRecordId', () => {
  it('reads what recordId prints', () => {
    const id = recordId('main/integration', 7, 'a'.repeat(64))
    expect(parseRecordId(id)).toEqual({ ledger: 'main/integration', seq: 7, hash: 'a'.repeat(16) })
  })

  it.each([
    'main.unit-07-aaaaaaaaaaaaaaaa',
    'main.other-7-aaaaaaaaaaaaaaaa',
    'main.unit-7-aaaa',
    'main.unit-99999999999999999-aaaaaaaaaaaaaaaa',
  ])('refuses %j', (id) => {
    expect(parseRecordId(id)).toBeUndefined()
  })
})

describe('isLedgerName', () => {
  it.each([
    ['main/unit', true],
    ['a-b/operations', true],
    ['Main/unit', false],
    ['main/unit/2', true],
    ['main/unit/1', false],
    ['main/unit/02', false],
    ['main/unit/1000', false],
    ['main/unit/2/3', false],
    ['main/unit/', false],
    ['/unit', false],
    ['-a/unit', false],
  ])('%j: %j', (name, expected) => {
    expect(isLedgerName(name)).toBe(expected)
  })
})
