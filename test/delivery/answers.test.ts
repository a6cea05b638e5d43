import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Answer } from '../../src/delivery/destination.ts'
import { classifyBulk } from '../../src/delivery/elastic-answers.ts'
import { classifyHec, readAck } from '../../src/delivery/splunk-answers.ts'

function answer(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { kind: 'answer', status, headers, body: text, address: '127.0.0.1:8088', elapsedMs: 3 }
}
const failure = (
  phase: 'resolve' | 'connect' | 'tls' | 'write' | 'read',
  wrote: boolean,
  code = 'ECONNRESET',
): Answer => {
  return { kind: 'failure', phase, wrote, code, message: 'gone', address: '10.0.0.1:8088', elapsedMs: 3 }
}
const html = '<html>502</html>'

describe('classifyHec', () => {
  /** code, HTTP status, of one event, of many events (SIEM.md 1.6). */
  const table: [number, number, string, string][] = [
    [0, 200, 'accepted', 'accepted'], [1, 403, 'unsent credentials', 'unsent credentials'], [2, 401, 'unsent credentials', 'unsent credentials'],
    [3, 401, 'unsent credentials', 'unsent credentials'], [4, 403, 'unsent credentials', 'unsent credentials'], [5, 400, 'unsent settings', 'unsent settings'],
    [6, 400, 'refused', 'in_doubt'], [7, 400, 'unsent index', 'unsent index'], [8, 500, 'in_doubt', 'in_doubt'], [9, 503, 'unsent', 'in_doubt'],
    [10, 400, 'unsent channel', 'unsent channel'], [11, 400, 'unsent channel', 'unsent channel'], [12, 400, 'refused', 'in_doubt'], [13, 400, 'refused', 'in_doubt'],
    [14, 400, 'unsent channel', 'unsent channel'], [15, 400, 'refused', 'in_doubt'], [16, 400, 'unsent settings', 'unsent settings'],
    [17, 200, 'unsent settings', 'unsent settings'], [18, 503, 'in_doubt', 'in_doubt'], [19, 503, 'in_doubt', 'in_doubt'], [20, 503, 'in_doubt', 'in_doubt'],
    [21, 400, 'unsent credentials', 'unsent credentials'], [22, 400, 'unsent credentials', 'unsent credentials'], [23, 503, 'in_doubt', 'in_doubt'],
    [24, 200, 'accepted', 'accepted'], [25, 200, 'accepted', 'accepted'], [26, 429, 'unsent', 'unsent'], [27, 429, 'unsent', 'unsent'],
  ] // oxfmt-ignore
  const said = (outcome: ReturnType<typeof classifyHec>): string =>
    `${outcome.kind}${'block' in outcome && outcome.block !== undefined ? ` ${outcome.block}` : ''}`

  it.each(table)('knows code %i with HTTP %i', (code, status, one, many) => {
    expect(said(classifyHec(answer(status, { text: 'whatever', code }), 1, 'search'))).toBe(one)
    expect(said(classifyHec(answer(status, { text: 'whatever', code }), 9, 'search'))).toBe(many)
  })

  it.each(table)('takes code %i under a status that does not belong to it for in doubt', (code, status) => {
    const other = status === 200 ? 500 : 200
    if (code !== 8) expect(classifyHec(answer(other, { code }), 9, 'search').kind).toBe('in_doubt')
  })

  it('case 13: slows down at 24 and 25, and sends nothing again', () => {
    expect(classifyHec(answer(200, { code: 24, ackId: 0 }), 9, 'ack')).toEqual({
      kind: 'accepted',
      ackId: 0,
      slow: true,
    })
  })

  it('takes a 200 for proof only where the operator wrote so', () => {
    expect(classifyHec(answer(200, { code: 0 }), 9, 'answer').kind).toBe('delivered')
    expect(classifyHec(answer(200, { code: 0 }), 9, 'ack').kind).toBe('accepted')
  })

  it('case 19: isolates the event that a batch was refused for', () => {
    expect(classifyHec(answer(400, { code: 6, 'invalid-event-number': 75 }), 100, 'search')).toMatchObject({
      kind: 'in_doubt',
      split: 'isolate:75',
    })
    expect(classifyHec(answer(400, { code: 7, 'invalid-event-number': 5 }), 100, 'search')).toMatchObject({
      kind: 'in_doubt',
      block: 'index',
    })
  })

  it.each([
    [200, '', 'in_doubt'], [200, html, 'in_doubt'], [200, '{"text":"Succ', 'in_doubt'], [200, '[]', 'in_doubt'], [200, '{"code":"0"}', 'in_doubt'], [204, '', 'in_doubt'],
    [301, html, 'unsent redirect'], [303, html, 'unsent redirect'], [307, html, 'unsent redirect'], [400, html, 'in_doubt'], [401, html, 'unsent credentials'],
    [404, html, 'unsent settings'], [407, html, 'unsent credentials'], [408, html, 'in_doubt'], [413, html, 'unsent'], [415, html, 'unsent settings'], [429, html, 'unsent'],
    [500, html, 'in_doubt'], [502, html, 'in_doubt'], [503, html, 'in_doubt'], [504, html, 'in_doubt'],
  ])('classifies HTTP %i with body %j by status', (status, body, outcome) => {
    expect(said(classifyHec(answer(status, body), 9, 'search'))).toBe(outcome)
  }) // oxfmt-ignore

  it('case 21, 22: halves what is too large, and refuses a single event that is', () => {
    expect(classifyHec(answer(413, html), 2, 'search')).toMatchObject({ split: 'halve' })
    expect(classifyHec(answer(413, html), 1, 'search').kind).toBe('refused')
  })

  it('case 14: caps Retry-After, takes dates, and ignores nonsense', () => {
    const after = (header: string) =>
      classifyHec(
        answer(429, { code: 26 }, { 'retry-after': header, date: 'Mon, 23 Nov 2026 05:00:00 GMT' }),
        9,
        'search',
      )
    expect(after('3')).toMatchObject({ retryAfterMs: 3_000 })
    expect(after('999999')).toMatchObject({ retryAfterMs: 900_000 })
    expect(after('Mon, 23 Nov 2026 05:00:07 GMT')).toMatchObject({ retryAfterMs: 7_000 })
    expect(after('soon')).not.toHaveProperty('retryAfterMs')
  })

  it('case 1, 2, 3: is in doubt from the first byte on, and not before', () => {
    expect(classifyHec(failure('resolve', false, 'ENOTFOUND'), 9, 'search')).toMatchObject({ kind: 'unsent' })
    expect(classifyHec(failure('tls', false, 'CERT_HAS_EXPIRED'), 9, 'search')).toMatchObject({
      kind: 'unsent',
      block: 'certificate',
    })
    expect(classifyHec(failure('write', true), 9, 'search').kind).toBe('in_doubt')
    expect(classifyHec(failure('read', true, 'TIMEOUT'), 9, 'search').kind).toBe('in_doubt')
    expect(classifyHec({ kind: 'expired' }, 9, 'search').kind).toBe('unsent')
  })

  it('believes an acknowledgement only when it says true for the id that was asked', () => {
    expect(readAck(answer(200, { acks: { '0': true } }), 0)).toBe(true)
    expect(readAck(answer(200, { acks: { '0': false } }), 0)).toBe(false)
    expect(readAck(answer(200, { acks: { '1': true } }), 0)).toBeUndefined()
    expect(readAck(answer(400, { text: 'ACK is disabled', code: 14 }), 0)).toBeUndefined()
    expect(readAck(answer(200, html), 0)).toBeUndefined()
  })
})

describe('classifyBulk', () => {
  const index = 'proofline-unit-2026.11'
  const item = (id: string, status: number, more: object = {}) => ({
    create: { _index: index, _id: id, status, ...more },
  })
  const one = (status: number, more: object = {}) =>
    classifyBulk(answer(200, { errors: true, items: [item('a', status, more)] }), ['a'], index, 100)[0]

  it('case 30: matches items by id, in whatever order and number they come', () => {
    const items = [
      item('b', 201, { result: 'created' }),
      item('x', 201, { result: 'created' }),
      item('a', 400, { error: { type: 'mapper_parsing_exception', reason: 'no' } }),
    ]
    expect(classifyBulk(answer(200, { errors: true, items }), ['a', 'b', 'c'], index, 100)).toMatchObject([
      { kind: 'refused', reason: '400 mapper_parsing_exception no' },
      { kind: 'delivered' },
      { kind: 'in_doubt' },
    ])
  })

  it('sees that a pipeline changes ids, and takes an answer of another number for nothing', () => {
    const items = [item('x', 201, { result: 'created' }), item('y', 409)]
    const refused = { kind: 'refused', reason: 'answered as x: a pipeline changes ids' }
    expect(classifyBulk(answer(200, { items }), ['a', 'b'], index, 100)).toEqual([
      refused,
      { ...refused, reason: 'answered as y: a pipeline changes ids' },
    ])
    expect(classifyBulk(answer(200, { items }), ['a'], index, 100)).toMatchObject([{ kind: 'in_doubt' }])
  })

  it.each([
    [201, { result: 'created' }, { kind: 'delivered' }],
    [201, { result: 'created', failure_store: 'used' }, { kind: 'refused' }],
    [201, { result: 'created', failure_store: 'not_applicable_or_unknown' }, { kind: 'delivered' }],
    [201, { result: 'created', _index: 'elsewhere' }, { kind: 'refused' }],
    [200, { result: 'noop' }, { kind: 'refused' }],
    [200, { result: 'updated' }, { kind: 'in_doubt' }],
    [409, {}, { kind: 'in_doubt', held: true }],
    [400, {}, { kind: 'refused' }],
    [403, { error: { type: 'cluster_block_exception' } }, { kind: 'unsent', block: 'cluster_block' }],
    [403, { error: { type: 'security_exception' } }, { kind: 'unsent', block: 'credentials' }],
    [404, { error: { type: 'index_not_found_exception' } }, { kind: 'unsent', block: 'index' }],
    [429, {}, { kind: 'unsent' }],
    // As OpenSearch 2.19 answers.
    [429, { error: { type: 'cluster_block_exception' } }, { kind: 'unsent', block: 'cluster_block' }],
    [400, { error: { type: 'index_closed_exception' } }, { kind: 'unsent', block: 'index' }],
    [
      400,
      { error: { type: 'validation_exception', reason: 'maximum shards open' } },
      { kind: 'unsent', block: 'index' },
    ],
    [
      400,
      { error: { type: 'illegal_argument_exception', reason: 'pipeline with id [p] does not exist' } },
      { kind: 'unsent', block: 'settings' },
    ],
    [
      400,
      {
        error: {
          type: 'illegal_argument_exception',
          reason: 'Document ID is not supported in create/index operation request',
        },
      },
      { kind: 'unsent', block: 'settings' },
    ],
    [400, { error: { type: 'illegal_argument_exception', reason: 'another' } }, { kind: 'refused' }],
    [500, { error: { type: 'fail_processor_exception' } }, { kind: 'refused' }],
    [500, {}, { kind: 'in_doubt' }],
    [503, {}, { kind: 'in_doubt' }],
  ])('classifies an item with %i %j', (status, more, outcome) => {
    expect(one(status, more)).toMatchObject(outcome)
  })

  it.each([
    [200, html, { kind: 'in_doubt' }],
    [200, '{"errors":false,"items":[{"create"', { kind: 'in_doubt' }],
    [400, '{"error":{"type":"x_content_parse_exception"}}', { kind: 'in_doubt', split: 'halve' }],
    [400, html, { kind: 'in_doubt', block: 'settings' }],
    [
      400,
      '{"error":"no handler found for uri [/elk/_bulk] and method [POST]"}',
      { kind: 'in_doubt', block: 'settings' },
    ],
    [401, '{}', { kind: 'unsent', block: 'credentials' }],
    [403, '{"error":{"type":"cluster_block_exception"}}', { kind: 'unsent', block: 'cluster_block' }],
    [429, '{"error":{"type":"cluster_block_exception"}}', { kind: 'unsent', block: 'cluster_block' }],
    [404, '{"error":{"type":"index_not_found_exception"}}', { kind: 'unsent', block: 'index' }],
    [413, html, { kind: 'unsent', split: 'halve' }],
    [429, '{}', { kind: 'unsent' }],
    [502, html, { kind: 'in_doubt' }],
  ])('classifies a whole answer of %i %s', (status, body, outcome) => {
    expect(classifyBulk(answer(status, body), ['a', 'b'], index, 100)).toMatchObject([outcome, outcome])
  })

  it('refuses a document by the word of a server, and never by that of a proxy', () => {
    const of = (body: string) => classifyBulk(answer(400, body), ['a'], index, 100)
    expect(of('{"error":{"type":"x_content_parse_exception"}}')).toMatchObject([{ kind: 'refused' }])
    const page = '<h1>400 The plain HTTP request was sent to HTTPS port</h1>'
    expect(of(page)).toMatchObject([{ kind: 'in_doubt', block: 'settings' }])
  })

  it('reads an answer printed in one piece as it reads the same answer printed otherwise', () => {
    const created = { result: 'created' }
    const ids = ['main.unit-8-0a', 'main.unit-9-0b', 'main.unit-10-0c', 'main.unit-11-0d']
    const change = fc.constantFrom<(items: ReturnType<typeof item>[]) => unknown>(
      (items) => items,
      (items) => [...items].reverse(),
      (items) => items.slice(1),
      (items) => [...items, items[0]],
      (items) => [item('other', 201, created), ...items],
      (items) => items.map(({ create }, i) => ({ create: i === 2 ? { ...create, status: 409 } : create })),
      (items) => items.map(({ create }, i) => ({ create: i === 3 ? { ...create, _index: 'elsewhere' } : create })),
      (items) => items.map(({ create }, i) => ({ index: create, create: i === 0 ? create : undefined })),
      // The id stands in each, but not where it should.
      (items) => items.map(({ create }) => ({ create: { text: create._id, ...create, _id: 'main.unit-8-0a' } })),
      (items) => items.map(({ create }) => ({ create: { ...create, _id: 'x', text: create._id } })),
    )
    const extra = fc.constantFrom({}, { _version: 1 }, { _shards: { total: 2, failed: 0 } }, { failure_store: 'used' })
    const around = fc.constantFrom({ errors: false }, { took: 7, ingest_took: 0 }, { text: '{"create":' })
    fc.assert(
      fc.property(change, extra, around, fc.nat(3), fc.boolean(), (changed, more, before, count, last) => {
        const some = ids.slice(0, count + 1)
        const items = changed(some.map((id) => item(id, 201, { ...more, ...created })))
        const body = last ? { ...before, items } : { items, ...before }
        const of = (text: string) => classifyBulk(answer(200, text), some, index, 100)
        expect(of(JSON.stringify(body))).toEqual(of(JSON.stringify(body, null, 1)))
      }),
      { numRuns: 500 },
    )
  })

  it('halves a large body that was reset while it was written', () => {
    expect(classifyBulk(failure('write', true), ['a', 'b'], index, 2_000_000)).toMatchObject([
      { kind: 'in_doubt', split: 'halve' },
      { split: 'halve' },
    ])
    expect(classifyBulk(failure('write', true), ['a', 'b'], index, 2_000)[0]).not.toHaveProperty('split')
  })
})
