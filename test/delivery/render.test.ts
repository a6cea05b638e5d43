import { hash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AttemptId } from '../../src/delivery/destination.ts'
import { renderElastic } from '../../src/delivery/elastic-render.ts'
import { scanMembers } from '../../src/delivery/members.ts'
import { printSeconds, renderSplunk } from '../../src/delivery/splunk-render.ts'
import { checkOf, encodeRecord, openRecord, type RecordKind } from '../../src/record/record.ts'
import { sha256Hex } from '../../src/record/sha256.ts'
import { comparisonPayload, lineMapPayloads } from '../../src/record/line-map.ts'
import { makeRecord } from './records.ts'
import { storedRecord } from '../support/stored-record.ts'

const attempt: AttemptId = {
  ledger: 'main/unit',
  firstSeq: 0,
  try: 1,
  mark: 0,
  channel: 'c',
  sendBeforeMs: 0,
  deadlineMs: 0,
}
const splunk = { publicHost: 'proofline.acme.example', indexes: {}, eventForm: 'object' as const }
const elastic = { publicHost: 'proofline.acme.example', indexes: {} }
const record = makeRecord(184467, { recordedAt: Date.UTC(2026, 10, 23, 5) * 1000 + 123_456 })
const text = Buffer.from(record.bytes).toString()
const check = checkOf(sha256Hex(record.bytes))

describe('renderSplunk', () => {
  it('prints the envelope of ENVELOPES.md byte for byte', () => {
    const { body, target } = renderSplunk(splunk, [record], attempt)
    expect(body.toString()).toBe(
      `{"time":1795410000.123,"host":"proofline.acme.example","source":"proofline.acme.example/main/unit","sourcetype":"proofline:coverage","index":"proofline_unit",` +
        `"fields":{"proofline_id":"${record.id}","proofline_ledger":"main/unit","proofline_seq":"184467","proofline_block":"2","proofline_check":"${check}","proofline_attempt":"1"},` +
        `"event":${text}}\n`,
    )
    expect(target).toBe('proofline_unit proofline:coverage')
  })

  it('marks a possible duplicate by the number of earlier tries that may have left', () => {
    const { body } = renderSplunk(splunk, [record], { ...attempt, try: 5, mark: 1 })
    expect(body.toString()).toContain('"proofline_attempt":"2","proofline_possible_dup":"1"}')
  })

  it('depends on nothing but records, settings and mark', () => {
    const other = { ...attempt, try: 3, channel: 'd', firstSeq: 9, sendBeforeMs: 77 }
    const [a, b] = [renderSplunk(splunk, [record], attempt), renderSplunk(splunk, [record], other)]
    expect(a.body.equals(b.body) && a.digest.equals(b.digest)).toBe(true)
    expect(renderSplunk(splunk, [record], { ...attempt, mark: 1 }).digest.equals(a.digest)).toBe(false)
    expect(renderSplunk(splunk, [makeRecord(1)], attempt).digest.equals(a.digest)).toBe(false)
  })

  it('prints the event as a string where Splunk does not keep an object', () => {
    const { body } = renderSplunk({ ...splunk, eventForm: 'string' }, [record], attempt)
    expect((JSON.parse(body.toString()) as { event: string }).event).toBe(text)
  })

  it('cuts microseconds, and does not round them', () => {
    expect(printSeconds(1_999_999)).toBe('1.999')
    expect(printSeconds(1_000_000)).toBe('1.000')
  })
})

interface Document {
  event: Record<string, unknown>
  proofline: Record<string, unknown>
}

function documentOf(one: ReturnType<typeof makeRecord>): { action: unknown; source: Document; line: string } {
  const { body } = renderElastic(elastic, [one], attempt)
  const [action = '', line = '', end] = body.toString().split('\n')
  expect(end).toBe('')
  return { action: JSON.parse(action), source: JSON.parse(line) as Document, line }
}

describe('renderElastic', () => {
  it('prints the document of ENVELOPES.md byte for byte', () => {
    const { action, line } = documentOf(record)
    expect(action).toEqual({ create: { _index: 'proofline-unit-2026.11', _id: record.id } })
    expect(line).toBe(
      `{"@timestamp":"2026-11-23T05:00:00.123456Z","ecs":{"version":"9.3.0"},` +
        `"event":{"kind":"event","module":"proofline","dataset":"proofline.coverage","action":"coverage-recorded","type":["info"],"id":"${record.id}","sequence":184467,` +
        `"hash":"${sha256Hex(record.bytes)}","original":${JSON.stringify(text)}},` +
        `"observer":{"vendor":"Proofline","product":"Proofline","name":"proofline.acme.example"},"organization":{"id":"main"},"file":{"path":"src/refund-184467.ts"},` +
        `"vcs":{"repository":{"url":{"full":"https://github.com/acme/payments"}},"ref":{"head":{"name":"refs/heads/main","revision":"4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b"}}},` +
        `"related":{"hash":["4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b","${'ab'.repeat(32)}"]},` +
        `"proofline":{"render":1,"ledger":"main/unit","block":2,"check":${check},"kind":"coverage","test_type":"unit","run":"github.7351001.api.unit","part":"coverage/lcov.info","ordinal":184467,` +
        `"build":"payments-2026.11.23-7351","build_seq":512,"suite":"api","repository":"github.com/acme/payments","blob":"9c1f0e5b7d2a4c6e8f1029384756afbecd012345","metric":"line","definition":"lcov.da@1",` +
        `"tool":{"name":"nyc","version":"17.1.0"},"lines":{"found":22,"covered":15,"partial":2,"missed":5,"executed":17},"branches":{"found":8,"covered":6},"functions":{"found":3,"covered":3},` +
        `"artifact_sha256":"${'ab'.repeat(32)}","missed_lines":[{"gte":6,"lte":8},{"gte":18,"lte":19}],"partial_lines":[{"gte":21,"lte":21},{"gte":45,"lte":45}]}}`,
    )
  })

  it('says how a run ended', () => {
    const seal = (extra: Record<string, unknown>) =>
      documentOf(
        makeRecord(7, {
          kind: 'seal',
          extra: { url: 'https://ci.example/1', by: { actor_id: '583231', subject: 'repo:a' }, ...extra },
        }),
      ).source
    expect(seal({ outcome: 'completed', tests: { total: 3, passed: 3, failed: 0, skipped: 0 } }).event).toMatchObject({
      action: 'run-sealed',
      type: ['end'],
      outcome: 'success',
      reference: 'https://ci.example/1',
    })
    expect(seal({ outcome: 'completed', tests: { total: 3, passed: 2, failed: 1, skipped: 0 } }).event).toMatchObject({
      outcome: 'failure',
    })
    expect(seal({ outcome: 'aborted', tests: null }).event).toMatchObject({ outcome: 'failure' })
    expect(seal({ outcome: 'completed' })).toMatchObject({
      user: { id: '583231', name: 'repo:a' },
      cicd: { pipeline: { run: { id: 'github.7351001.api.unit', url: { full: 'https://ci.example/1' } } } },
    })
  })

  it('says what a seal was judged by and what changed, as fields of one type each', () => {
    const judged = {
      admitted: true,
      reasons: [],
      observed: ['stage_not_allowed'],
      contract: 'cd'.repeat(32),
      contract_version: 3,
      production_digest: 'ef'.repeat(32),
      unexplained_change: {
        run: 'github.1.api.unit',
        seq: 12,
        count: 1,
        changes: [{ what: 'found', measure: 'line lcov.da@1', from: '1480', to: '1312' }],
      },
    }
    const one = makeRecord(9, { kind: 'seal', extra: judged })
    expect(documentOf(one).source.proofline).toMatchObject(judged)
    const { body, target } = renderSplunk(splunk, [one], attempt)
    expect(target).toBe('proofline_unit proofline:seal')
    expect((JSON.parse(body.toString()) as { event: unknown }).event).toMatchObject(judged)
  })

  it('prints a contract byte for byte, its text in the record only', () => {
    const payload = {
      schema: 'proofline.contract.v1', kind: 'contract', ledger: 'main/changes', repository: 'github.com/acme/payments', contract_version: 2,
      contract: 'cd'.repeat(32), parent: 'ab'.repeat(32), mode: 'enforce', ref: 'refs/heads/main', commit: 'c'.repeat(40),
      by: { method: 'token', subject: 'token:1' }, text_sha256: 'ef'.repeat(32), text: 'version: 1\n',
    } as const // oxfmt-ignore
    const place = { ledger: 'main/changes', seq: 7, recordedAt: Date.UTC(2026, 10, 23, 5) * 1000 } as const
    const bytes = encodeRecord(Buffer.from(JSON.stringify(payload)), place)
    const one = storedRecord({ ...place, kind: 'contract', id: openRecord(bytes).id, bytes })
    const { action, line } = documentOf(one)
    expect(action).toEqual({ create: { _index: 'proofline-changes-2026.11', _id: one.id } })
    expect(line).toBe(
      `{"@timestamp":"2026-11-23T05:00:00.000000Z","ecs":{"version":"9.3.0"},` +
        `"event":{"kind":"event","module":"proofline","dataset":"proofline.contract","action":"contract-registered","type":["change"],"id":"${one.id}","sequence":7,` +
        `"hash":"${sha256Hex(bytes)}","original":${JSON.stringify(Buffer.from(bytes).toString())}},` +
        `"observer":{"vendor":"Proofline","product":"Proofline","name":"proofline.acme.example"},"organization":{"id":"main"},` +
        `"vcs":{"repository":{"url":{"full":"https://github.com/acme/payments"}},"ref":{"head":{"name":"refs/heads/main","revision":"${'c'.repeat(40)}"}}},` +
        `"user":{"name":"token:1"},"related":{"hash":["${'c'.repeat(40)}"]},` +
        `"proofline":{"render":1,"ledger":"main/changes","block":0,"check":${checkOf(sha256Hex(bytes))},"kind":"contract","repository":"github.com/acme/payments",` +
        `"contract_version":2,"contract":"${'cd'.repeat(32)}","parent":"${'ab'.repeat(32)}","mode":"enforce","text_sha256":"${'ef'.repeat(32)}"}}`,
    )
    const sent = renderSplunk(splunk, [one], { ...attempt, ledger: 'main/changes' })
    expect(sent.target).toBe('proofline_changes proofline:contract')
    expect(sent.body.toString()).toContain(`"event":${Buffer.from(bytes).toString()}}`)
  })

  it('keeps the record bytes whatever a record holds, in both ways of taking it apart', () => {
    const kinds = fc.constantFrom<RecordKind>('coverage', 'part', 'rejection')
    const extras = fc
      .dictionary(
        fc.stringMatching(/^[a-z_]{1,12}$/).filter((key) => !['id', 'seq', 'recorded_at'].includes(key)), // the header's

        fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue(), fc.integer()),
        { maxKeys: 6 },
      )
      .filter(({ by }) => Object.keys(Object(by)).every((key) => JSON.stringify(key) === `"${key}"`)) // it is taken apart, and our own keys are plain
    const path = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('a"b', 'a\\', '\\"', '","run":"x', 'ä€😀', '}],"lines":{'),
    )
    fc.assert(
      fc.property(kinds, extras, path, (kind, extra, name) => {
        const one = makeRecord(3, { kind, extra: { ...extra, run: name, path: name, ref: name } })
        const { source } = documentOf(one)
        expect(source.event['original']).toBe(Buffer.from(one.bytes).toString())
        expect(source.event['hash']).toBe(hash('sha256', one.bytes, 'hex'))
        expect(source.proofline['run']).toBe(name)
        expect(source).toMatchObject({ file: { path: name }, vcs: { ref: { head: { name } } } })
      }),
      { numRuns: 500 },
    )
  })
})

describe('scanMembers', () => {
  it('finds the same members as a parser', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-z_]{1,9}$/), fc.jsonValue({ maxDepth: 4 }), { minKeys: 1, maxKeys: 8 }),
        (object) => {
          const scanned = Object.fromEntries(
            [...scanMembers(JSON.stringify(object))].map(([key, raw]) => [key, JSON.parse(raw) as unknown]),
          )
          expect(scanned).toEqual(JSON.parse(JSON.stringify(object)))
        },
      ),
    )
  })
})

describe('line maps and comparisons', () => {
  const brought = {
    ledger: 'main/unit' as const,
    run: 'github.7351002.api.unit',
    repository: 'github.com/acme/payments',
    from: '3'.repeat(40),
    to: '4'.repeat(40),
  }
  const storedAs = (kind: RecordKind, payload: Uint8Array) => {
    const bytes = encodeRecord(payload, { ledger: 'main/unit', seq: 7, recordedAt: record.recordedAt })
    const { id } = JSON.parse(Buffer.from(bytes).toString()) as { id: string }
    return storedRecord({ ...record, kind, seq: 7, id, bytes })
  }
  const [payload = new Uint8Array()] = lineMapPayloads(
    {
      from: { path: 'old.ts', blob: 'a'.repeat(40) },
      to: { path: 'src/"new".ts', blob: 'b'.repeat(40) },
      hunks: [3, 1, 3, 2],
    },
    brought,
  )
  const map = storedAs('linemap', payload)
  const compared = storedAs(
    'comparison',
    comparisonPayload(
      {
        definition: 'git.patience@1',
        mapped: 1,
        renames: [['old.ts', 'new.ts']],
        unmapped: [{ path: 'x', reason: 'binary' }],
        refused: [],
        by: { method: 'token', subject: 'token:1' },
      },
      brought,
    ).payload,
  )
  const document = (stored: typeof map): Record<string, unknown> =>
    JSON.parse(renderElastic(elastic, [stored], attempt).body.toString().split('\n')[1] ?? '') as Record<
      string,
      unknown
    >

  it('have a source type of their own in Splunk, with the record bytes as event', () => {
    for (const stored of [map, compared]) {
      const { body, target } = renderSplunk(splunk, [stored], attempt)
      expect(target).toBe(`proofline_unit proofline:${stored.kind}`)
      expect(body.toString()).toContain(`"event":${Buffer.from(stored.bytes).toString()}}`)
    }
  })

  it('are found in Elastic by the file and commit they lead to', () => {
    expect(document(map)).toMatchObject({
      event: { action: 'linemap-recorded', dataset: 'proofline.linemap', original: Buffer.from(map.bytes).toString() },
      file: { path: 'src/"new".ts' },
      vcs: { ref: { head: { revision: brought.to } } },
    })
    expect(document(map)['proofline']).toMatchObject({
      kind: 'linemap',
      run: brought.run,
      blob: 'b'.repeat(40),
      from: { commit: brought.from, path: 'old.ts', blob: 'a'.repeat(40) },
      hunks: '-3,1+3,2',
    })
    expect(document(compared)).toMatchObject({ event: { action: 'comparison-recorded' }, user: { name: 'token:1' } })
  })

  it('give every field of Elastic one type, together with the other kinds: a strict mapping takes all of them', () => {
    const part = {
      refused: { count: 1, first: [{ where: 'line 1', reason: 'x' }] },
      window: { index: 0, of: 2, from: 1, to: 9 },
    }
    const documents = [document(map), document(compared), document({ ...makeRecord(8, { extra: part }), kind: 'part' })]
    const types = new Map<string, string>()
    const walk = (name: string, value: unknown): void => {
      if (Array.isArray(value)) return value.forEach((entry) => walk(name, entry))
      const type = value !== null && typeof value === 'object' ? 'object' : typeof value
      expect(types.get(name) ?? type, name).toBe(type)
      types.set(name, type)
      if (type === 'object') for (const [key, entry] of Object.entries(value as object)) walk(`${name}.${key}`, entry)
    }
    for (const { proofline } of documents as { proofline: object }[])
      for (const [key, value] of Object.entries(proofline)) walk(key, value)
    expect(types.get('from')).toBe('object')
    expect(types.get('refused.first.where')).toBe('string')
  })
})
