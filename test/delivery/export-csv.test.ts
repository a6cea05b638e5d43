import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCsv, readExport } from '../../src/delivery/export-csv.ts'
import { printLookup, spansOf } from '../../src/delivery/lookup.ts'
import { judge } from '../../src/delivery/settle.ts'
import { makeRecord } from './records.ts'

const id = (seq: number): string => makeRecord(seq).id

async function* chunksOf(text: string | Buffer, size = 7): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text as string)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function rowsOf(text: string, size?: number): Promise<string[][]> {
  const rows: string[][] = []
  for await (const row of readCsv(chunksOf(text, size))) rows.push(row)
  return rows
}

describe('readCsv', () => {
  it('reads what was printed, however it is cut into chunks', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', ' ', 'ü', '7'), maxLength: 6 })
    const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(
        table,
        fc.integer({ min: 1, max: 20 }),
        fc.constantFrom('\n', '\r\n'),
        async (rows, size, end) => {
          const text = rows.map((row) => row.map((one) => `"${one.replaceAll('"', '""')}"`).join(',')).join(end)
          expect(await rowsOf(text, size)).toEqual(rows)
          expect(await rowsOf(text + end, size)).toEqual(rows)
        },
      ),
    )
  })

  it('takes a byte order mark away and knows an export that was cut short', async () => {
    expect(await rowsOf('\uFEFFa,"b"\r\n1,\r\n')).toEqual([
      ['a', 'b'],
      ['1', ''],
    ])
    await expect(rowsOf('a,b\n1,"2')).rejects.toMatchObject({ code: 'request_invalid' })
    await expect(rowsOf(`a\n${'x'.repeat(5_000)}`)).rejects.toMatchObject({ code: 'request_invalid' })
  })
})

describe('readExport', () => {
  it('takes columns in any order with others between them, several values in a cell, and lines of foreigners', async () => {
    const text = [
      '\uFEFF"host","count","proofline_check","proofline_id","searched_at","_span"',
      `"x",1,"77","${id(3)}",1795410000,""`,
      `"x",2,"77\n78","${id(4)}",1795410000,""`,
      `"x",1,"","${id(5)}",,""`,
      `"x",0,"1","${id(6)}",,""`,
      '"x",1,"5","somebody else",,""',
      '"host","count","proofline_check","proofline_id","searched_at","_span"',
      '"x",0,,"lookup main/unit 3-60",1795410000.5,""',
    ].join('\r\n')
    const { copies, searched, rows } = await readExport(chunksOf(text))
    expect([...(copies.get('main/unit') ?? [])]).toEqual([
      [3, { id: id(3), count: 1, checks: ['77'] }],
      [4, { id: id(4), count: 2, checks: ['77', '78'] }],
      [5, { id: id(5), count: 1, checks: undefined }],
    ])
    expect(searched).toEqual([{ ledger: 'main/unit', first: 3, last: 60, at: 1_795_410_000_500_000 }])
    expect(rows).toBe(6)
  })

  it.each([
    ['', 'empty'],
    ['id,count\n', 'no column proofline_id'],
    ['proofline_id\n', 'no column count'],
    [`proofline_id,count\n${id(1)},many\n`, 'no whole number'],
    ['proofline_id,count\nlookup main/unit 0-5,0\n', 'no searched_at'],
    [Buffer.from([0xff, 0xfe, 0x41]), 'not UTF-8'],
  ])('refuses %j: %s', async (text, why) => {
    await expect(readExport(chunksOf(text))).rejects.toMatchObject({
      code: 'request_invalid',
      message: expect.stringContaining(why) as string,
    })
  })
})

describe('judge', () => {
  const record = { id: id(3), check: 77 }
  it.each([
    [{ id: id(3), count: 1, checks: ['77'] }, false, 'present'],
    [{ id: id(3), count: 1, checks: undefined }, false, 'present'],
    [{ id: id(3), count: 2, checks: ['77', '78'] }, false, 'altered'],
    [{ id: id(3), count: 1, checks: ['78'] }, true, 'altered'],
    [{ id: id(4), count: 1, checks: ['77'] }, true, 'absent'],
    [undefined, true, 'absent'],
    [undefined, false, 'open'],
  ] as const)('%j, absence conclusive: %s: %s', (found, isAbsent, verdict) => {
    const copies = found === undefined ? undefined : { ...found, checks: found.checks?.slice() }
    expect(judge(copies, record, isAbsent)).toBe(verdict)
  })
})

describe('lookup', () => {
  it('cuts what is unresolved into searches of ten thousand seqs at most', () => {
    expect(spansOf([])).toEqual([])
    expect(spansOf([5, 6, 10_004, 10_005, 70_000])).toEqual([
      { first: 5, last: 10_004 },
      { first: 10_005, last: 10_005 },
      { first: 70_000, last: 70_000 },
    ])
  })

  it('prints one search, ready to be pasted, whose last line says what was searched and when', () => {
    const span = { ledger: 'main/unit', first: 65_530, last: 65_540, from: 1_795_410_000_123_456, to: 1_795_410_001_000_000 } as const // oxfmt-ignore
    expect(printLookup('proofline_unit', span)).toBe(
      '| tstats count values(proofline_check) as proofline_check where index="proofline_unit" proofline_ledger="main/unit" ' +
        'proofline_block IN ("0","1") proofline_seq>=65530 proofline_seq<=65540 earliest=1795406400 latest=1795413601 by proofline_id ' +
        '| eval searched_at=now() | append [| makeresults | eval proofline_id="lookup main/unit 65530-65540", count=0, searched_at=now()] ' +
        '| table proofline_id count proofline_check searched_at',
    )
  })
})
