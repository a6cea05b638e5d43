import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { printCheckpoint } from '../../src/log/checkpoint.ts'
import { appendLeaves, emptyEdge, hashLeaf, rootOfLeaves } from '../../src/log/merkle.ts'
import { sealNote } from '../../src/log/note.ts'
import { encodeBundle, tilesBetween, tileWidthAt } from '../../src/log/tiles.ts'
import { createSigningKey } from '../../src/log/vkey.ts'
import type { SigningKey } from '../../src/log/vkey.ts'
import { encodeRecord, parseTime } from '../../src/record/record.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { createAudit } from '../../src/verify/audit.ts'
import type { Audit, AuditOptions, AuditResult } from '../../src/verify/audit.ts'

const ledger: LedgerName = 'main/unit'
const origin = 'localhost/main/unit'
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const start = parseTime('2026-11-23T23:59:58.000000Z')!

function makeRecord(
  seq: number,
  more: { recordedAt?: number; ledger?: LedgerName; payload?: Record<string, unknown> } = {},
): Uint8Array {
  const named = more.ledger ?? ledger
  const payload = {
    schema: 'proofline.coverage.v1',
    kind: 'coverage',
    ledger: named,
    run: 'local.1.unit',
    ordinal: seq,
    ...more.payload,
  }
  return encodeRecord(utf8(JSON.stringify(payload)), {
    ledger: named,
    seq,
    recordedAt: more.recordedAt ?? start + 7_001 * seq,
  })
}

const records = Array.from({ length: 1_500 }, (_, seq) => makeRecord(seq))
const packed = (list: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(list.map(hashLeaf)))
const leaves = packed(records)
const rootAt = (size: number): Uint8Array => rootOfLeaves(leaves.subarray(0, 32 * size))
const key: SigningKey = await createSigningKey(origin, 1, new Uint8Array(32).fill(9))
const noteAt = (size: number, root = rootAt(size), by = key): Promise<string> =>
  sealNote(printCheckpoint({ origin, size, root }), [by])
const tileAt = (level: number, index: number, size: number): Uint8Array => {
  const width = tileWidthAt(level, index, size)
  const span = 256 ** level
  const hashes = Array.from({ length: width }, (_, i) => {
    const first = (256 * index + i) * span
    return rootOfLeaves(leaves.subarray(32 * first, 32 * (first + span)))
  })
  return Uint8Array.from(Buffer.concat(hashes))
}

function auditOf(
  list: readonly Uint8Array[],
  tell: (audit: Audit) => void = () => {},
  options: Partial<AuditOptions> = {},
): AuditResult {
  const audit = createAudit({ ledger, origin, vkeys: [key], parseEvery: 1, ...options })
  tell(audit)
  for (const record of list) audit.add(record)
  return audit.finish()
}

const changed = (seq: number, change: (text: string) => string): Uint8Array[] =>
  records.with(seq, utf8(change(new TextDecoder().decode(records[seq]))))
const heads = (audit: Audit): void => [100, 700, 1_500].forEach((size) => audit.expectHead(size, rootAt(size)))
const kinds = ({ differences }: AuditResult): [string, number, number][] =>
  differences.map(({ kind, seq, through }) => [kind, seq, through])

describe('a log without a checkpoint', () => {
  it('is signed to nowhere, also when it is empty: that is what an emptied database looks like', async () => {
    const audit = createAudit({ ledger, origin, vkeys: [key] })
    expect(audit.finish()).toMatchObject({ size: 0, signed: -1, differences: [] })
    const signed = createAudit({ ledger, origin, vkeys: [key] })
    await signed.expectCheckpoint(await noteAt(0))
    expect(signed.finish()).toMatchObject({ size: 0, signed: 0, differences: [] })
  })
})

describe('an audit of a whole ledger', () => {
  it('finds nothing where there is nothing, and proves up to the last head', async () => {
    const audit = createAudit({ ledger, origin, vkeys: [key] })
    audit.expectLeafHashes(0, leaves)
    heads(audit)
    audit.expectHead(0, rootAt(0))
    await audit.expectCheckpoint(await noteAt(1_200))
    for (const tile of tilesBetween(0, 1_500)) audit.expectTile(tile, tileAt(tile.level, tile.index, 1_500))
    for (const record of records) audit.add(record)
    const result = audit.finish()
    expect(result).toMatchObject({
      ledger,
      size: 1_500,
      checked: 1_500,
      proved: 1_500,
      signed: 1_200,
      differences: [],
      differenceCount: 0,
    })
    expect(Buffer.compare(result.root!, rootAt(1_500))).toBe(0)
  })

  it('goes from records, heads and checkpoints in whatever pieces they come', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 299 }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 90 }),
        (sizes, step) => {
          const audit = createAudit({ ledger, origin, vkeys: [], parseEvery: 0 })
          for (let at = 0; at < 300; at += step) {
            for (const size of sizes) if (size >= at && size < at + step) audit.expectHead(size, rootAt(size))
            audit.expectLeafHashes(at, leaves.subarray(32 * at, 32 * Math.min(300, at + step)))
            for (const record of records.slice(at, Math.min(300, at + step))) audit.add(record)
          }
          const { differences, proved } = audit.finish()
          expect(differences).toEqual([])
          expect(proved).toBe(Math.max(0, ...sizes))
        },
      ),
      { numRuns: 40 },
    )
  })

  it('may begin in the middle, on a tree that is trusted', () => {
    const from = { ...appendLeaves(emptyEdge, leaves.subarray(0, 32 * 700)), lastTime: start + 7_001 * 699 }
    expect(auditOf(records.slice(700), (audit) => audit.expectHead(1_500, rootAt(1_500)), { from })).toMatchObject({
      checked: 800,
      proved: 1_500,
      differences: [],
    })
    const late = { ...from, lastTime: start + 7_001 * 700 }
    expect(kinds(auditOf(records.slice(700), () => {}, { from: late }))).toEqual([['time-not-increasing', 700, 700]])
  })
})

describe('an audit names', () => {
  const tell = (audit: Audit): void => {
    audit.expectLeafHashes(0, leaves)
    heads(audit)
  }

  it('case 1: the altered record, with both hashes, and the rest stays proved', () => {
    const altered = changed(812, (text) => text.replace('"run":"local.1', '"run":"local.2'))
    const result = auditOf(altered, tell)
    expect(kinds(result)).toEqual([
      ['id-mismatch', 812, 812],
      ['leaf-mismatch', 812, 812],
    ])
    expect(result.differences[1]).toMatchObject({
      expected: `leaf ${Buffer.from(hashLeaf(records[812]!)).toString('hex')}`,
      found: `leaf ${Buffer.from(hashLeaf(altered[812]!)).toString('hex')}`,
    })
    expect(result.proved).toBe(1_500)
  })

  it('the span between two heads where only the roots are known', () => {
    const altered = records.with(812, makeRecord(812, { payload: { run: 'local.2.unit' } })) // its id fits
    const result = auditOf(altered, heads)
    expect(kinds(result)).toEqual([['root-mismatch', 700, 1_499]])
    expect(result).toMatchObject({ proved: 700, root: undefined })
  })

  it('the span of one tile where tiles are known', () => {
    const altered = records.with(812, makeRecord(812, { payload: { run: 'local.2.unit' } }))
    const result = auditOf(altered, (audit) => {
      heads(audit)
      audit.expectTile({ level: 1, index: 0, width: 5 }, tileAt(1, 0, 1_500))
    })
    expect(kinds(result)).toEqual([
      ['root-mismatch', 700, 1_499],
      ['tile-mismatch', 768, 1_023],
    ])
  })

  it('case 3: a time that was moved by one microsecond', () => {
    const moved = records.with(40, makeRecord(40, { recordedAt: start + 7_001 * 40 + 1 }))
    expect(kinds(auditOf(moved, tell))).toEqual([['leaf-mismatch', 40, 40]])
  })

  it('a time that does not grow, once, and not every record behind it', () => {
    const back = records.with(40, makeRecord(40, { recordedAt: start + 7_001 * 39 }))
    expect(kinds(auditOf(back))).toEqual([['time-not-increasing', 40, 40]])
    const ahead = records.with(40, makeRecord(40, { recordedAt: start + 86_400_000_000 }))
    expect(kinds(auditOf(ahead))).toEqual([['time-not-increasing', 41, 41]])
  })

  it('case 2: records that are missing, in the middle and at the end', () => {
    const gap = [...records.slice(0, 500), ...records.slice(503)]
    const result = auditOf(gap, tell)
    expect(kinds(result)).toEqual([['missing', 500, 502]])
    expect(result).toMatchObject({ checked: 1_497, proved: 1_500 })
    expect(auditOf(gap, heads)).toMatchObject({ proved: 100, root: undefined, differenceCount: 1 })
    expect(kinds(auditOf(records.slice(0, 900), heads))).toEqual([['missing', 900, 1_499]])
    expect(kinds(auditOf([], (audit) => audit.expectLeafHashes(0, leaves)))).toEqual([['missing', 0, 1_499]])
  })

  it('records that come twice or out of order', () => {
    const twice = [...records.slice(0, 500), records[499]!, records[3]!, ...records.slice(500)]
    const result = auditOf(twice, tell)
    expect(kinds(result)).toEqual([
      ['duplicate', 3, 3],
      ['duplicate', 499, 499],
    ])
    expect(result.proved).toBe(1_500)
  })

  it('case 4: a payload that was recorded twice, with the seq of the first', () => {
    const doubled = records.with(900, makeRecord(900, { payload: { ordinal: 17 } }))
    const result = auditOf(doubled)
    expect(result.differences).toMatchObject([{ kind: 'submission-double', seq: 900, expected: 'once, at seq 17' }])
    expect(auditOf(doubled, () => {}, { findDoubles: false }).differences).toEqual([])
  })

  it('a record whose seq was changed where it is stored, without taking all behind it for doubles', () => {
    const audit = createAudit({ ledger, origin, vkeys: [] })
    heads(audit)
    const moved = records.with(20, makeRecord(90_000, { recordedAt: start + 7_001 * 20, payload: { ordinal: 20 } }))
    for (const [seq, record] of moved.entries()) audit.add(record, seq)
    expect(kinds(audit.finish())).toEqual([
      ['root-mismatch', 0, 99],
      ['id-mismatch', 20, 20],
    ])
  })

  it('case 35: a record of another ledger', () => {
    for (const other of ['main/integration', 'other/unit'] as const) {
      const foreign = records.with(5, makeRecord(5, { ledger: other, recordedAt: start + 7_001 * 5 }))
      expect(kinds(auditOf(foreign, () => {}, { parseEvery: 0 }))).toEqual([['malformed', 5, 5]])
    }
    const payload = { ledger: 'main/integration' }
    expect(kinds(auditOf(records.with(5, makeRecord(5, { payload })), () => {}, { parseEvery: 0 }))).toEqual([
      ['malformed', 5, 5],
    ])
  })

  it('a record whose members stand in another order as none', () => {
    const payload = utf8(JSON.stringify({ kind: 'coverage', ledger, schema: 'x', ordinal: 5 }))
    const other = records.with(5, encodeRecord(payload, { ledger, seq: 5, recordedAt: start + 7_001 * 5 }))
    expect(auditOf(other, () => {}, { parseEvery: 0 }).differences).toEqual([])
  })

  it.each([
    ['nothing', () => ''],
    ['a cut end', (text: string) => text.slice(0, -1)],
    ['a byte behind', (text: string) => `${text}\n`],
    ['a leading space', (text: string) => ` ${text}`],
    ['zeroes before the seq', (text: string) => text.replace('unit-5-', 'unit-05-').replace('"seq":5', '"seq":05')],
    ['an id for another seq', (text: string) => text.replace('unit-5-', 'unit-6-')],
    ['a time without its zone', (text: string) => text.replace('Z",', '",')],
    ['a time in lower case', (text: string) => text.replace('Z",', 'z",')],
    ['a second 60', (text: string) => text.replace('T23:59:58', 'T23:59:60')],
    ['a day that does not exist', (text: string) => text.replace('2026-11-23', '2026-11-31')],
    ['an hour 24', (text: string) => text.replace('T23:59', 'T24:59')],
    ['five decimals', (text: string) => text.replace(/(\.\d{5})\d/, '$1')],
    [
      'a hash in upper case',
      (text: string) => text.replace(/-([0-9a-f]{16})"/, (_, hash: string) => `-${hash.toUpperCase()}"`),
    ],
  ])('a record with %s', (_what, change) => {
    const { differences } = auditOf(changed(5, change), tell)
    expect(differences.filter(({ seq }) => seq !== 5)).toEqual([])
    expect(differences.map(({ kind }) => kind)).toContain('leaf-mismatch')
    expect(differences.some(({ kind }) => kind === 'malformed' || kind === 'id-mismatch')).toBe(true)
  })

  it('any change of any byte of a record, given the leaf hashes', () => {
    const bytes = records[5]!
    for (let i = 0; i < bytes.length; i++) {
      const other = bytes.slice()
      other[i]! ^= 1
      const audit = createAudit({ ledger, origin, vkeys: [] })
      audit.expectLeafHashes(0, leaves.subarray(0, 32 * 10))
      for (const [seq, record] of records.slice(0, 10).with(5, other).entries()) audit.add(record, seq)
      expect(audit.finish().differences).toContainEqual(expect.objectContaining({ kind: 'leaf-mismatch', seq: 5 }))
    }
  })

  it('what only a whole parse can see, wherever the seed lets it look', () => {
    const broken = encodeRecord(utf8(`{"schema":"x","kind":"coverage","ledger":"main/unit",,}`), {
      ledger,
      seq: 5,
      recordedAt: start + 7_001 * 5,
    })
    expect(kinds(auditOf(records.with(5, broken)))).toEqual([['malformed', 5, 5]])
    expect(auditOf(records.with(5, broken), () => {}, { parseEvery: 0 }).differences).toEqual([])
    const found = Array.from({ length: 64 }, (_, seed) =>
      auditOf([...records.slice(0, 5), broken], () => {}, { parseEvery: 8, seed }),
    )
    expect(found.filter(({ differenceCount }) => differenceCount > 0)).toHaveLength(8)
  })

  it('stored leaf hashes that differ from those of a tile', () => {
    const wrong = leaves.slice()
    wrong[32 * 77]! ^= 1
    const result = auditOf(records, (audit) => {
      audit.expectLeafHashes(0, wrong)
      audit.expectTile({ level: 0, index: 0, width: 256 }, tileAt(0, 0, 1_500))
    })
    expect(kinds(result)).toEqual([
      ['leaf-mismatch', 77, 77],
      ['leaf-mismatch', 77, 77],
    ])
  })

  it('a torn tile', () => {
    const result = auditOf(records, (audit) =>
      audit.expectTile({ level: 0, index: 1, width: 256 }, tileAt(0, 1, 1_500).subarray(1)),
    )
    expect(result.differences).toMatchObject([
      { kind: 'tile-mismatch', seq: 256, through: 511, expected: '8192 bytes of tile/0/001', found: '8191 bytes' },
    ])
  })

  it('at most so many differences, and counts all', () => {
    const result = auditOf(
      records.map((_, seq) => makeRecord(seq, { recordedAt: start })),
      () => {},
      { maxDifferences: 10 },
    )
    expect(result).toMatchObject({ differenceCount: 1_499 })
    expect(result.differences).toHaveLength(10)
  })
})

describe('an audit of checkpoints', () => {
  const check = async (notes: string[], list = records): Promise<AuditResult> => {
    const audit = createAudit({ ledger, origin, vkeys: [key] })
    for (const note of notes) await audit.expectCheckpoint(note)
    for (const record of list) audit.add(record)
    return audit.finish()
  }

  it('names a bad signature, an unknown key, another origin, a malformed note', async () => {
    const stranger = await createSigningKey(origin, 1, new Uint8Array(32).fill(8))
    const foreign = await sealNote(
      printCheckpoint({ origin: 'localhost/main/integration', size: 5, root: rootAt(5) }),
      [key],
    )
    const good = await noteAt(1_500)
    const result = await check([
      good.replace('1500', '1499'),
      await noteAt(1_500, rootAt(1_500), stranger),
      foreign,
      good.slice(0, -1),
      good,
    ])
    expect(result.differences.map(({ kind }) => kind)).toEqual([
      'bad-signature',
      'bad-signature',
      'origin-mismatch',
      'malformed',
    ])
    expect(result.differences.map(({ found }) => found).join()).toMatch(
      /bad signature for key .*no trusted signature.*expected localhost\/main\/unit, got localhost\/main\/integration/,
    )
    expect(result.signed).toBe(1_500)
  })

  it('names history that was cut behind a saved checkpoint', async () => {
    const result = await check([await noteAt(900), await noteAt(1_000)], records.slice(0, 900))
    expect(kinds(result)).toEqual([['missing', 900, 999]])
    expect(result.signed).toBe(900)
  })

  it('names history that was cut and grown again', async () => {
    const regrown = records.map((record, seq) =>
      seq < 900 ? record : makeRecord(seq, { payload: { run: 'local.2.unit' } }),
    )
    expect(kinds(await check([await noteAt(900), await noteAt(1_000)], regrown))).toEqual([['root-mismatch', 900, 999]])
  })

  it('case 10: keeps two signed notes of one size with different roots as proof of misbehaviour', async () => {
    const [one, other] = [await noteAt(800), await noteAt(800, rootAt(799))]
    const result = await check([one, other])
    expect(result.differences).toContainEqual({ kind: 'fork', seq: 799, through: 799, expected: one, found: other })
    expect(result.signed).toBe(800)
  })

  it('takes an expectation before its records only', async () => {
    const audit = createAudit({ ledger, origin, vkeys: [key] })
    for (const record of records.slice(0, 300)) audit.add(record)
    audit.expectHead(300, rootAt(300))
    expect(() => audit.expectHead(299, rootAt(299))).toThrow('after its records')
    expect(() => audit.expectLeafHashes(0, leaves.subarray(0, 3_200))).toThrow('after its records')
    await expect(audit.expectCheckpoint(await noteAt(299))).rejects.toThrow('after its records')
    expect(audit.finish()).toMatchObject({ proved: 300, differences: [] })
  })
})

describe('an audit of a running log', () => {
  const bundle = (index: number, width: number): Uint8Array =>
    encodeBundle(records.slice(256 * index, 256 * index + width))

  it('takes entry bundles, a partial one followed by the full one too', async () => {
    const audit = createAudit({ ledger, origin, vkeys: [key] })
    await audit.expectCheckpoint(await noteAt(512))
    audit.addBundle({ level: 'entries', index: 0, width: 200 }, bundle(0, 200))
    expect(audit.next()).toBe(200)
    audit.addBundle({ level: 'entries', index: 0, width: 256 }, bundle(0, 256))
    audit.addBundle({ level: 'entries', index: 1, width: 256 }, bundle(1, 256))
    expect(audit.finish()).toMatchObject({ size: 512, signed: 512, checked: 512, differences: [] })
  })

  it('names a bundle that is torn or holds records of elsewhere', async () => {
    const audit = createAudit({ ledger, origin, vkeys: [key] })
    await audit.expectCheckpoint(await noteAt(512))
    audit.addBundle({ level: 'entries', index: 0, width: 256 }, bundle(0, 256).subarray(5))
    audit.addBundle({ level: 'entries', index: 1, width: 256 }, encodeBundle(records.slice(0, 256)))
    const found = new Set(audit.finish().differences.map(({ kind }) => kind))
    expect([...found].toSorted()).toEqual(['id-mismatch', 'malformed', 'missing'])
  })
})
