import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHeaderWriter } from '../../src/ledger/header-writer.ts'
import { printHeader } from '../../src/record/record.ts'

const ledger = 'main/unit'

describe('a header writer', () => {
  it('writes what printHeader prints, over any run of records and any jump between two', () => {
    const start = fc.record({
      seq: fc.oneof(fc.constantFrom(0, 8, 95, 999_990), fc.integer({ min: 0, max: 2 ** 40 })),
      time: fc.oneof(
        fc.constantFrom(1_795_827_599_999_990, 1_795_827_599_000_000),
        fc.integer({ min: 1.7e15, max: 1.9e15 }),
      ),
      count: fc.integer({ min: 1, max: 40 }),
    })
    fc.assert(
      fc.property(
        fc.array(start, { minLength: 1, maxLength: 5 }),
        fc.uint8Array({ minLength: 8, maxLength: 8 }),
        (runs, ids) => {
          const writer = createHeaderWriter(ledger)
          const hex = Buffer.from(ids).toString('hex')
          for (const { seq, time, count } of runs) {
            for (let i = 0; i < count; i++) {
              const header = Buffer.from(writer.write(seq + i, time + i, ids, 0)).toString()
              expect(header).toBe(printHeader({ ledger, seq: seq + i, recordedAt: time + i }, hex))
            }
          }
        },
      ),
    )
  })
})
