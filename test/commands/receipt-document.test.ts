import { describe, expect, it } from 'vitest'
import { checkDocument } from '../../src/commands/receipt-document.ts'
import type { ReceiptDocument } from '../../src/commands/receipt.ts'

const [run, ledger] = ['nightly.default.unit', 'main/unit']
/** What of a receipt is read here. */
const receipt = (parts: string[], sealed = true): ReceiptDocument =>
  ({
    run,
    ledger,
    declaration: { run, ledger },
    waiting: null,
    parts: parts.map((part) => ({ part, part_record: { id: `id of ${part}` } })),
    seal: sealed ? { id: 'id of seal' } : null,
    evidence: [],
  }) as unknown as ReceiptDocument
const check = (document: ReceiptDocument, seal: Record<string, unknown>): (string | undefined)[] =>
  checkDocument(document, [{ id: 'id of seal', fields: { run, ...seal } }]).map(({ verdict }) => verdict)

describe('checkDocument', () => {
  it('takes a receipt with all the parts that the seal counts', () => {
    expect(check(receipt(['a', 'b']), { parts: 2 })).toEqual(['ok'])
    expect(check(receipt(['a', 'b']), { parts: 1, left_out: ['b'] })).toEqual(['ok'])
  })

  it('is incomplete with fewer, and differs with more or with one of them twice', () => {
    expect(check(receipt(['a']), { parts: 2 })).toEqual(['incomplete'])
    expect(check(receipt(['a', 'b']), { parts: 1 })).toEqual(['differs'])
    expect(check(receipt(['a', 'a']), { parts: 2 })).toEqual(['incomplete'])
    expect(check(receipt([]), { parts: 2, shards: 2 })).toEqual(['differs'])
  })

  it('does not expect the parts of other shards and of earlier attempts', () => {
    expect(check(receipt(['a']), { parts: 4, shards: 4 })).toEqual(['ok'])
    expect(check(receipt(['a']), { parts: 2, shards: 2, earlier: [{}] })).toEqual(['ok'])
  })

  it('says of a receipt without a seal that it does not tell how the run ended', () => {
    const [said] = checkDocument(receipt(['a'], false), [{ id: 'id of a', fields: { run } }])
    expect(said).toMatchObject({ verdict: 'ok', detail: expect.stringContaining('nothing here tells how it ended') })
  })
})
