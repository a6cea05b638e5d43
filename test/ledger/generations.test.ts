import { describe, expect, it } from 'vitest'
import { parseAsOf, printAsOf, sizeAsOf, toAsOf } from '../../src/answers/position.ts'
import type { ClosedLedger } from '../../src/ledger/closed-store.ts'
import { createGenerations } from '../../src/ledger/generations.ts'
import { type LedgerName, firstGeneration, generationOf, ledgerKindOf, nextGeneration, openRecord, encodeRecord, parseRecordId, recordId } from '../../src/record/record.ts' // oxfmt-ignore

const closing = (ledger: LedgerName, next = nextGeneration(ledger)): ClosedLedger => ({ ledger, next, size: 5, root: Buffer.alloc(32), unsigned: 0, signedSize: 9, signedRoot: Buffer.alloc(32), notes: [], reason: 'x', byWhom: 'console', at: 0 }) // oxfmt-ignore

describe('the generations of a ledger', () => {
  it('bear their number in name and record id, and the first bears none', () => {
    expect(nextGeneration('main/unit')).toBe('main/unit/2')
    expect(nextGeneration('main/unit/9')).toBe('main/unit/10')
    expect([firstGeneration('main/unit/3'), generationOf('main/unit/3'), ledgerKindOf('main/unit/3')]).toEqual(['main/unit', 3, 'unit']) // oxfmt-ignore
    const id = recordId('main/unit/2', 7, 'a'.repeat(64))
    expect(id).toBe('main.unit.2-7-aaaaaaaaaaaaaaaa')
    expect(parseRecordId(id)).toEqual({ ledger: 'main/unit/2', seq: 7, hash: 'a'.repeat(16) })
    for (const bad of ['main.unit.1-7-', 'main.unit.02-7-', 'main.unit.-7-', 'main.unit.2.3-7-', 'main.2-7-'])
      expect(parseRecordId(`${bad}aaaaaaaaaaaaaaaa`), bad).toBeUndefined()
    const payload = Buffer.from('{"ledger":"main/unit/2","n":1}')
    expect(openRecord(encodeRecord(payload, { ledger: 'main/unit/2', seq: 0, recordedAt: 1 })).ledger).toBe('main/unit/2') // oxfmt-ignore
  })

  it('follow each other, and the last one is recorded in', () => {
    const generations = createGenerations('main', [closing('main/unit'), closing('main/unit/2'), closing('main/changes')]) // oxfmt-ignore
    expect(generations.current).toEqual(['main/unit/3', 'main/integration', 'main/changes/2', 'main/operations'])
    expect(generations.every).toEqual(['main/unit', 'main/unit/2', 'main/unit/3', 'main/integration', 'main/changes', 'main/changes/2', 'main/operations']) // oxfmt-ignore
    expect(generations.now('unit')).toBe('main/unit/3')
    expect(generations.find('main/unit', 2)).toBe('main/unit/2')
    expect(generations.find('main/unit', 4)).toBeUndefined()
    expect(generations.chain('other/unit')).toEqual(['other/unit'])
    expect(generations.closing('main/unit/2')?.next).toBe('main/unit/3')
    expect(() => createGenerations('main', [closing('main/unit', 'main/integration/2')])).toThrow('said to be followed')
  })
})

describe('as_of over generations', () => {
  it('names the newest one that counts: those before it count whole, those behind it not at all', () => {
    const sizes = [{ ledger: 'main/unit', size: 5 }, { ledger: 'main/unit/2', size: 3 }, { ledger: 'main/integration', size: 0 }] as const // oxfmt-ignore
    expect(printAsOf(toAsOf(sizes))).toBe('unit/2:3,integration:0')
    expect(printAsOf(toAsOf([sizes[0], { ledger: 'main/unit/2', size: 0 }]))).toBe('unit:5')
    const before = parseAsOf('unit:4') ?? {}
    expect([sizeAsOf(before, 'main/unit', 5), sizeAsOf(before, 'main/unit/2', 3)]).toEqual([4, 0])
    const now = parseAsOf('unit/2:1') ?? {}
    expect([sizeAsOf(now, 'main/unit', 5), sizeAsOf(now, 'main/unit/2', 3), sizeAsOf(now, 'main/changes', 1)]).toEqual([5, 1, undefined]) // oxfmt-ignore
    expect(parseAsOf('unit/1:4')).toBeUndefined()
  })
})
