import assert from 'node:assert/strict'
import { parseAttempt, printAttempt } from '../../../src/delivery/attempts-of.ts'
import { cookieOf } from '../../../src/delivery/cookies.ts'
import type { Answer, Outcome } from '../../../src/delivery/destination.ts'
import { classifyBulk } from '../../../src/delivery/elastic-answers.ts'
import { readExport } from '../../../src/delivery/export-csv.ts'
import { retryAfterMs } from '../../../src/delivery/http-answers.ts'
import { readAnswer } from '../../../src/delivery/readings.ts'
import { ackedOf, classifyHec, isAckOff, isTokenRefused } from '../../../src/delivery/splunk-answers.ts'
import { createSplunkLook } from '../../../src/delivery/splunk-look.ts'
import { readRows } from '../../../src/delivery/splunk-search.ts'
import { readTrail } from '../../../src/delivery/trail.ts'
import { Problem } from '../../../src/record/problem.ts'
import { encodeRecord, recordId } from '../../../src/record/record.ts'
import { sha256Hex } from '../../../src/record/sha256.ts'
import { storedRecord } from '../../support/stored-record.ts'
import { inOne, inPieces, toBytes, toText } from '../engine/bytes.ts'
import { type FuzzTarget, target } from '../engine/target.ts'

/** What a destination may say, hostile or broken: it is always an outcome for each record, and nothing counts as delivered that was not named so. */

const statuses = [200, 200, 200, 201, 400, 401, 403, 404, 413, 429, 500, 503]
const payload = toBytes('{"kind":"coverage"}')
const records = [0, 1, 2].map((seq) => {
  const place = { ledger: 'main/unit' as const, seq, recordedAt: 1_790_000_000_000_000 + seq }
  return storedRecord({ ...place, id: recordId(place.ledger, seq, sha256Hex(payload)), kind: 'coverage', bytes: encodeRecord(payload, place) } as Parameters<typeof storedRecord>[0])
}) // oxfmt-ignore
const ids = records.map(({ id }) => id)
const created = JSON.stringify({
  took: 1,
  errors: false,
  items: ids.map((_id) => ({ create: { _index: 'i', _id, status: 201, result: 'created' } })),
})
const failed = JSON.stringify({
  items: ids.map((_id, i) => ({
    create: { _index: 'i', _id, status: [409, 429, 400][i], error: { type: 'x', reason: 'y' } },
  })),
})

const answerOf = (body: string, status: number): Answer => ({
  kind: 'answer',
  status,
  headers: {},
  body,
  address: '192.0.2.1',
  elapsedMs: 1,
})
/** One outcome a record, and the rows that are kept of them. */
function checkOutcomes(answer: Answer, outcomes: readonly Outcome[]): void {
  assert.equal(outcomes.length, records.length)
  const { outcome, trail } = readAnswer(records, answer, outcomes, 0)
  const kept: unknown = JSON.parse(JSON.stringify(outcome.answer ?? {}))
  assert(readTrail(kept as Record<string, unknown>) !== undefined || trail.ackId === undefined)
}
const end = 'c0ffee'
const rows = [
  { result: { proofline_id: ids[0], count: '1', checks: '123' } },
  { preview: false, messages: [] },
  { result: { proofline_end: end } },
]
  .map((row) => `${JSON.stringify(row)}\n`)
  .join('')
const csv = `\ufeffproofline_id,count,"proofline_check",searched_at\r\n${ids[0]},1,"1\n2",\r\nlookup main/unit 0-59,0,,1790000000.5\r\n`

export const targets: readonly FuzzTarget[] = [
  target({
    name: 'attempt', reaches: ['delivery/attempts-of parseAttempt'], corpus: () => ['splunk:main/unit:1024:1', 'parked:a:main/unit/2:0:9'], dictionary: [':', 'parked:', '9999999999999999'], refusals: ['undefined'], rounds: 1_000,
    read: (input) => parseAttempt(toText(input)),
    check(read, input) {
      if (read === undefined) return
      const printed = printAttempt({ ...read, first: read.seq } as Parameters<typeof printAttempt>[0])
      assert([printed, `parked:${printed}`].includes(toText(input)))
    },
  }),
  target({
    name: 'bulk-answer', reaches: ['delivery/elastic-answers classifyBulk', 'delivery/readings readAnswer', 'delivery/trail readTrail'], corpus: () => [created, failed, '{"error":{"type":"index_not_found_exception"}}'],
    dictionary: [...ids, '"status":201', '"result":"created"', '"_index":"i"', '{"create":', '{"toString":1,"valueOf":1}'], refusals: [], never: 'refused',
    read(input, random) {
      const answer = answerOf(toText(input), statuses[random(statuses.length)] ?? 200)
      return { answer, outcomes: classifyBulk(answer, ids, 'i', 1_000) }
    },
    check({ answer, outcomes }, input) {
      checkOutcomes(answer, outcomes)
      // Delivered is what an item of this id says.
      for (const [i, { kind }] of outcomes.entries()) if (kind === 'delivered') assert(toText(input).includes('201') && JSON.stringify(JSON.parse(toText(input))).includes(ids[i] ?? '?'))
    },
  }),
  target({
    name: 'hec-answer', reaches: ['delivery/splunk-answers classifyHec', 'delivery/splunk-answers readAck'], corpus: () => ['{"text":"Success","code":0,"ackId":0}', '{"text":"x","code":6,"invalid-event-number":1}', '{"acks":{"0":true}}', '<html>'],
    dictionary: ['"code":9', '"ackId":-1', '"ackId":9007199254740993', '"invalid-event-number":99', '"acks":{"1":true}'], refusals: [], never: 'refused',
    read(input, random) {
      const answer = answerOf(toText(input), statuses[random(statuses.length)] ?? 200)
      ackedOf(answer, [0, 1])
      return { answer, told: [isAckOff(answer), isTokenRefused(answer)], outcome: classifyHec(answer, records.length, random(2) === 0 ? 'ack' : 'answer') }
    },
    check: ({ answer, outcome }) => checkOutcomes(answer, records.map(() => outcome)),
  }),
  target({
    name: 'search-answer', reaches: ['delivery/splunk-search readRows', 'delivery/splunk-look createSplunkLook'], corpus: () => [rows, `${JSON.stringify({ messages: [{ type: 'WARN', text: 'a peer is missing' }] })}\n`],
    dictionary: ['{"result":{"proofline_id":', '"count":"1"', '{"toString":1,"valueOf":1}', `{"result":{"proofline_end":"${end}"}}\n`, '"preview":true', '"messages":[{"type":'], refusals: [], never: 'refused',
    read: (input) => readRows(toText(input), end),
    async check(found) {
      for (const row of found.rows) for (const value of Object.values(row)) assert([value].flat().every((one) => typeof one === 'string'), JSON.stringify(value))
      const look = createSplunkLook({
        search: { run: () => Promise.resolve(found), certificates: () => [], close: () => Promise.resolve() },
        lagMs: 0, now: () => new Date(0), indexOf: () => 'i', sendCanary: () => Promise.resolve(false),
      }) // oxfmt-ignore
      const attempt = { target: 'i', deadline: new Date(0), records: () => Promise.resolve(records) } as unknown as Parameters<typeof look>[0] // what look asks of it
      const findings = await look(attempt, AbortSignal.timeout(10_000))
      assert.equal(findings.length, records.length)
      assert(findings.every(({ kind }) => kind !== 'absent'), 'no canary was seen, and it is said to be absent')
    },
  }),
  target({
    name: 'search-export', reaches: ['delivery/export-csv readExport', 'delivery/export-csv readCsv'], corpus: () => [csv, 'proofline_id,count\n'], dictionary: ['""', '"\r\n', 'lookup main/unit 0-9', 'proofline_id', ',1,', '1e400'], refusals: ['request_invalid', 'body_too_large'],
    async read(input, random) {
      const outcome = (chunks: AsyncIterable<Uint8Array>): Promise<unknown> =>
        readExport(chunks).then(({ copies, searched, rows: count }) => ({ copies: [...copies].map(([ledger, of]) => [ledger, ...of]), searched, count }), (error: unknown) => {
          // What is wrong first depends on where it is cut: bytes are decoded before columns are looked at.
          if (error instanceof Problem) return 'refused'
          throw error
        })
      assert.deepEqual(await outcome(inPieces(input, random)), await outcome(inOne(input)), 'another answer when it is cut otherwise')
      return readExport(inOne(input))
    },
    check({ searched, copies }) {
      for (const { first, last, at } of searched) for (const n of [first, last, at]) assert(Number.isSafeInteger(n) && n >= 0, `no number that is counted with: ${n}`)
      for (const of of copies.values()) for (const { count } of of.values()) assert(Number.isSafeInteger(count) && count > 0)
    },
  }),
  target({
    name: 'retry-after', reaches: ['delivery/http-answers retryAfterMs'], corpus: () => ['120', 'Wed, 25 Nov 2026 05:00:00 GMT', ''], dictionary: ['GMT', '2026', '-'], refusals: [], never: 'refused', rounds: 1_000,
    read: (input) => retryAfterMs({ kind: 'answer', status: 503, headers: { 'retry-after': toText(input), date: 'Wed, 25 Nov 2026 04:59:00 GMT' }, body: '', address: '', elapsedMs: 0 }),
    check: ({ retryAfterMs: ms = 0 }) => { assert(ms >= 0 && ms <= 900_000) },
  }),
  target({
    name: 'set-cookie', reaches: ['delivery/cookies cookieOf'], corpus: () => ['a=b; Path=/', 'AWSALB="x"; Secure\nb=c'], dictionary: ['=', ';', '\r\n', '; '], refusals: ['undefined'], rounds: 1_000,
    read: (input) => cookieOf(toText(input).split('\n')), check: (cookie) => { assert(/^[\x20-\x7e]{1,4096}$/.test(cookie ?? 'x')) },
  }),
] // oxfmt-ignore
