import assert from 'node:assert/strict'
import { parseContract } from '../../../src/contract/contract.ts'
import { compileGlob } from '../../../src/contract/glob.ts'
import { parseHunks, printHunks } from '../../../src/record/hunks.ts'
import { parseLines, printLines } from '../../../src/record/lines.ts'
import {
  encodeRecord,
  isLedgerName,
  openRecord,
  parseRecordId,
  parseTime,
  printTime,
  recordId,
  toLedgerName,
} from '../../../src/record/record.ts'
import { decodeHex } from '../../../src/verify/hex.ts'
import { createHeaderReader } from '../../../src/verify/header.ts'
import { readLoss } from '../../../src/verify/loss.ts'
import { whole } from '../../contract/whole.ts'
import { toBytes, toText } from '../engine/bytes.ts'
import { type FuzzTarget, target } from '../engine/target.ts'

/** What stands in records, and what people write in contracts. */

const ledger = 'main/unit'
const record = (seq: number, fields: object): Uint8Array =>
  encodeRecord(toBytes(JSON.stringify({ ledger, ...fields })), { ledger, seq, recordedAt: 1_790_000_000_000_000 + seq })
const loss = {
  kind: 'loss',
  of: ledger,
  size: 9,
  root: '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=',
  signed: { size: 12 },
}
const headers = createHeaderReader(ledger)

/** A text that is read and printed again as it was. */
const again = <T>(
  name: string,
  reaches: string[],
  corpus: string[],
  read: (text: string) => T | undefined,
  print: (value: T) => string,
  refusal: string,
): FuzzTarget =>
  target<T | undefined>({
    name,
    reaches,
    corpus: () => corpus,
    refusals: [refusal],
    rounds: 1_000,
    read: (input) => read(toText(input)),
    check: (value, input) => {
      if (value !== undefined) assert.equal(print(value), toText(input))
    },
  })

export const targets: readonly FuzzTarget[] = [
  again('lines', ['record/lines parseLines'], ['', '1', '1-5,9-17,20', '1-9007199254740991'], parseLines, printLines, 'Error'),
  again('hunks', ['record/hunks parseHunks'], ['-10,2+10,3 -40,0+42,5', '-0,0+1,2', '-1,3+0,0'], parseHunks, printHunks, 'Error'),
  again('time', ['record/record parseTime'], ['2026-11-23T05:00:00.123456Z', '2028-02-29T23:59:59.999999Z'], parseTime, printTime, 'undefined'),
  again('record-id', ['record/record parseRecordId'], ['main.unit-0-0123456789abcdef', 'a-b.changes.2-184471-0123456789abcdef'], parseRecordId, (id) => recordId(id.ledger, id.seq, id.hash), 'undefined'),
  again('ledger-name', ['record/record isLedgerName', 'record/record toLedgerName'], ['main/unit', 'a-1/operations/999'], (text) => (isLedgerName(text) ? toLedgerName(text) : undefined), String, 'undefined'),
  again('hex', ['verify/hex decodeHex'], ['', '00ff'], decodeHex, (bytes) => Buffer.from(bytes).toString('hex'), 'Error'),
  target({
    name: 'record',
    reaches: ['record/record openRecord', 'verify/loss readLoss'],
    corpus: () => [record(0, { kind: 'coverage', path: 'a.ts' }), record(184_471, { kind: 'run', run: 'a"\u{1f600}' }), record(7, loss)],
    dictionary: ['"ledger":"main/unit"', '{"id":"', '"seq":1,', '"signed":{}'],
    refusals: ['Error', 'SyntaxError', 'ERR_ENCODING_INVALID_ENCODED_DATA'],
    read: (input) => openRecord(input),
    check({ ledger: of, seq, recordedAt, payload }, input) {
      assert.deepEqual(encodeRecord(payload, { ledger: of, seq, recordedAt }), input)
      readLoss(input)
      // The two readers of headers agree.
      if (of === ledger) assert.deepEqual([headers.read(input)?.seq, headers.read(input)?.recordedAt], [seq, recordedAt])
    },
  }),
  target({
    name: 'record-header',
    reaches: ['verify/header createHeaderReader'],
    corpus: () => [record(0, { kind: 'coverage', path: 'a.ts' }), record(184_471, { kind: 'run' })],
    refusals: ['undefined'],
    read: (input) => headers.read(input),
    check(header, input) {
      assert.match(toText(input.subarray(0, header?.length)), /^\{"id":"main\.unit-\d{1,16}-.{16}","seq":\d{1,16},"recorded_at":"[^"]{27}",$/s)
    },
  }),
  target({
    name: 'contract',
    reaches: ['contract/contract parseContract'],
    corpus: () => [whole, whole.replace('version', '# ours\nversion')],
    dictionary: ['exclude:\n  - ', '    gate:\n', '&a [', '*a', '!!binary ', '<<: ', '? ', '|\n', '>-\n', '---\n', '{"a":1}', 'identity: [oidc]\n', 'thresholds:\n'],
    refusals: ['contract_invalid'],
    rounds: 80,
    read: (input) => parseContract(toText(input)),
    // It goes into a record as JSON, and is read from there.
    check: (read) => { assert.deepEqual(JSON.parse(JSON.stringify(read)), read) },
  }),
  target({
    name: 'glob',
    reaches: ['contract/glob compileGlob'],
    corpus: () => ['src/**/*.ts\nsrc/a/b.ts', '{a,b}/[a-z]?.[!x]\na/bc.d', '*a*a*a*a*b\naaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '**/**/**/x\na/b/c/d/e/f/g'],
    dictionary: ['**/', '{a,b}', '[a-z]', '[!', '*', '?', '{,}', '{a,{b,c}}'],
    refusals: ['Error'],
    read(input) {
      const [pattern = '', path = ''] = toText(input).split('\n')
      return compileGlob(pattern)(path)
    },
  }),
] // oxfmt-ignore
