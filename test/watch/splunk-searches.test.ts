import { describe, expect, it } from 'vitest'
import { renderSplunk } from '../../src/delivery/splunk-render.ts'
import type { StoredRecord } from '../../src/ledger/read.ts'
import { checkOf } from '../../src/record/record.ts'
import { sha256Hex } from '../../src/record/sha256.ts'
import { attemptId } from '../delivery/contract.ts'
import { firstTime, makeRecord } from '../delivery/records.ts'
import type { Row } from '../support/spl-expression.ts'
import { type Indexed, runSearch } from '../support/spl-run.ts'
import { timeOf } from '../support/spl-terms.ts'
import { dashboardQueries, readConf } from './splunk-conf.ts'

/** The saved searches of the add-on, run over what delivery sends: each finds what it is for, and nothing while all is well. */

const macros = new Map([...readConf('macros.conf')].map(([name, stanza]) => [name, stanza.get('definition') ?? '']))
const searches = readConf('savedsearches.conf')
const rendering = { publicHost: 'proofline.acme.example', indexes: {}, eventForm: 'object' } as const

interface Envelope {
  time: number
  index: string
  sourcetype: string
  fields: Record<string, string>
}

const minute = 60
const start = firstTime / 1_000_000
const now = start + 30 * minute

/** As it is indexed after HEC took it, by itself a second after it was recorded. */
function indexed(record: StoredRecord, indexedAt = record.recordedAt / 1_000_000 + 1): Indexed {
  const raw = new TextDecoder().decode(record.bytes)
  const body = renderSplunk(rendering, [record], attemptId()).body.toString()
  const { time, index, sourcetype, fields } = JSON.parse(body) as Envelope // one event a line
  return { index, sourcetype, time, indexedAt, raw, fields }
}

const at = (minutes: number): number => firstTime + minutes * minute * 1_000_000
const unit = (['run', 'coverage', 'coverage', 'part'] as const).map((kind, seq) =>
  makeRecord(seq, { kind, recordedAt: at(1) + seq }),
)
const seal = makeRecord(4, { kind: 'seal', recordedAt: at(1) + 4, extra: { records: { first: 0, last: 3, count: 4 } } })
const ledger = [...unit, seal]
const block = {
  number: 0,
  records: 5,
  check_sum: ledger.reduce((sum, { bytes }) => sum + checkOf(sha256Hex(bytes)), 0),
}

/** A heartbeat every five minutes; the heads are those of our five records, of which a closed block is claimed. */
function heartbeat(n: number): StoredRecord {
  const heads = [
    { ledger: 'main/unit', size: 5, last_recorded_at: null, block, note: 'n' },
    { ledger: 'main/integration', size: 0, last_recorded_at: null, block: null, note: null },
  ]
  return makeRecord(n, { ledger: 'main/operations', kind: 'heartbeat', recordedAt: at(5 * n), extra: { heads } })
}
const beats = [1, 2, 3, 4, 5, 6].map(heartbeat)
const well = [...ledger, ...beats].map((record) => indexed(record))

function run(name: string, events: readonly Indexed[], when = now): Row[] {
  const stanza = searches.get(`Proofline - ${name}`)
  if (stanza === undefined) throw new Error(`there is no search ${name}`)
  const span = {
    earliest: timeOf(stanza.get('dispatch.earliest_time') ?? '', when),
    latest: timeOf(stanza.get('dispatch.latest_time') ?? '', when),
  }
  return runSearch(stanza.get('search') ?? '', span, { events, macros, now: when })
}

/** All that tell something wrong. */
const telling = (events: readonly Indexed[], when = now): string[] =>
  [...searches.keys()].map((name) => name.replace('Proofline - ', '')).filter((name) => run(name, events, when).length > 0) // oxfmt-ignore

const without = (...ids: string[]): Indexed[] =>
  well.filter(({ fields }) => !ids.includes(fields['proofline_id'] ?? ''))

describe('the saved searches of the add-on', () => {
  it('find nothing while all is well', () => {
    expect(telling(well)).toEqual([])
  })

  it('tell of silence: since the last heartbeat, and where none came at all', () => {
    expect(telling(well, now + 14 * minute)).toEqual([])
    expect(telling(well, now + 16 * minute)).toEqual(['silence'])
    expect(telling([])).toEqual(['silence'])
    const other = well.map((event) => ({ ...event, index: 'main' }))
    expect(telling(other)).toEqual(['silence'])
  })

  it('tell that a ledger stands still, also when none of it is here', () => {
    const kept = without(seal.id)
    expect(run('ledger stands still', kept)[0]?.get('missing')).toBe(1)
    expect(
      run(
        'ledger stands still',
        beats.map((record) => indexed(record)),
      )[0]?.get('missing'),
    ).toBe(5)
  })

  it('tell of a block that is not complete: a record missing, twice, exchanged, or nothing of it here', () => {
    const name = 'block completeness'
    const [first, second] = [unit[1]?.id ?? '', unit[2]?.id ?? '']
    expect(run(name, without(first))[0]?.get('records')).toBe(4)
    const twin = well.filter(({ fields }) => fields['proofline_id'] === second)
    expect(run(name, [...well, ...twin])[0]?.get('records')).toBe(6)
    // One missing and one twice: the count is right, the ids and the sum are not.
    expect(run(name, [...without(first), ...twin])[0]?.get('ids')).toBe(4)
    const nothing = run(
      name,
      beats.map((record) => indexed(record)),
    )
    expect(nothing.map((row) => [row.get('proofline_block'), row.get('records')])).toEqual([['0', '0']])
  })

  it('tell of bytes that are not what was recorded, also of what came late, and of what says no check', () => {
    const name = 'bytes'
    const [event] = well
    if (event === undefined) throw new Error('there is one')
    const changed = { ...event, raw: event.raw.replace('acme', 'evil') }
    const since = (minutes: number) => ({ ...changed, indexedAt: now - minutes * minute })
    expect(run(name, [since(1)]).map((row) => row.get('proofline_id'))).toEqual([event.fields['proofline_id']])
    const old = start - 20 * 24 * 3_600
    expect(run(name, [{ ...since(1), time: old }])).toHaveLength(1)
    expect(run(name, [since(120)])).toEqual([])
    const { proofline_check: _, ...fields } = event.fields
    expect(run(name, [{ ...event, fields }])).toHaveLength(1)
    expect(run(name, [{ ...changed, sourcetype: 'proofline:canary' }])).toEqual([])
  })

  it('tell of duplicates by their id, however old, and of no others', () => {
    const [event] = well
    if (event === undefined) throw new Error('there is one')
    const old = { ...event, time: start - 300 * 24 * 3_600 }
    const rows = run('duplicates', [...well.slice(1), old, old])
    expect(rows.map((row) => [row.get('proofline_id'), row.get('count')])).toEqual([[event.fields['proofline_id'], 2]])
  })

  it('tell of a run with fewer records than its seal names, and not of one that began the day before', () => {
    const name = 'seal against records'
    expect(run(name, without(unit[1]?.id ?? '')).map((row) => [row.get('run'), row.get('found')])).toEqual([
      ['github.7351001.api.unit', 3],
    ])
    expect(
      run(
        name,
        well.filter(({ sourcetype }) => sourcetype === 'proofline:seal'),
      ),
    ).toHaveLength(1)
    const early = well.map((event) => (event.sourcetype === 'proofline:seal' ? event : { ...event, time: start - 23 * 3_600 })) // oxfmt-ignore
    expect(run(name, early)).toEqual([])
    expect(run(name, without(unit[1]?.id ?? ''), start + 10 * minute)).toEqual([]) // not yet: the rest may be on its way
  })

  it('tell of alerts that were opened and of conflicts, by when they came', () => {
    const alert = (state: string, indexedAt: number) =>
      indexed(makeRecord(50, { ledger: 'main/operations', kind: 'alert', recordedAt: at(2), extra: { state, code: 'disk_low' } }), indexedAt) // oxfmt-ignore
    expect(run('alerts of the service', [alert('opened', now - minute)]).map((row) => row.get('code'))).toEqual(['disk_low']) // oxfmt-ignore
    expect(run('alerts of the service', [alert('closed', now - minute), alert('opened', now - 20 * minute)])).toEqual([]) // oxfmt-ignore
    const rejection = (reason: string) => indexed(makeRecord(60, { kind: 'rejection', recordedAt: at(20), extra: { reason } })) // oxfmt-ignore
    expect(run('conflicting evidence', [rejection('part_conflict')])).toHaveLength(1)
    expect(run('conflicting evidence', [rejection('report_unknown')])).toEqual([])
  })

  it('tell of gates that failed or were overridden, and of deployments without a pass where the contract enforces', () => {
    const made = (kind: 'gate' | 'deployment', extra: Record<string, unknown>) =>
      indexed(makeRecord(70, { ledger: 'main/changes', kind, recordedAt: at(20), extra }))
    for (const verdict of ['fail', 'overridden'])
      expect(run('gates that did not pass', [made('gate', { verdict })]).map((row) => row.get('verdict'))).toEqual([verdict]) // oxfmt-ignore
    expect(run('gates that did not pass', [made('gate', { verdict: 'pass' }), made('gate', { verdict: 'incomplete' })])).toEqual([]) // oxfmt-ignore
    for (const decision of ['fail', 'incomplete', 'none'])
      expect(run('deployments without pass', [made('deployment', { decision, enforced: true })])).toHaveLength(1)
    expect(run('deployments without pass', [made('deployment', { decision: 'fail', enforced: false })])).toEqual([])
    for (const decision of ['pass', 'overridden'])
      expect(run('deployments without pass', [made('deployment', { decision, enforced: true })])).toEqual([])
  })

  it('fill every panel of the dashboard that there is something for', () => {
    const made = (kind: 'alert' | 'reconciliation' | 'rejection' | 'seal', extra: Record<string, unknown>) =>
      indexed(makeRecord(80, { kind, recordedAt: at(2), extra }))
    const totals = [
      { metric: 'line', definition: 'lcov.da@1', lines: { found: 10, covered: 7, partial: 1, missed: 2 } },
    ]
    const events = [
      ...well,
      made('alert', { alert: 'disk_low:a', state: 'opened' }),
      made('reconciliation', { destination: 'siem', of: 'main/unit', verdict: 'same', missing: 0 }),
      made('rejection', { reason: 'part_conflict', detail: 'other bytes' }),
      made('seal', { admitted: true, totals }),
      made('seal', { admitted: false, reasons: ['tests_unknown'] }),
    ]
    const span = { earliest: start - 3_600, latest: now }
    const rows = dashboardQueries().map((query) => runSearch(query, span, { events, macros, now }))
    for (const [n, found] of rows.entries()) expect(found, dashboardQueries()[n]).not.toEqual([])
    expect(rows.flat().find((row) => row.has('executed'))).toEqual(
      new Map<string, unknown>([
        ...Object.entries({ repository: 'github.com/acme/payments', suite: 'api', test_type: 'unit', definition: 'lcov.da@1', executed: 8, found: '10' }),
        ['commit', '4f2d9b8c1e7a6b5d4c3f2e1d0a9b8c7d6e5f4a3b'], ['at', String(at(2) / 1_000_000)], ['percent', 80],
      ]),
    ) // oxfmt-ignore
  })

  it('report runs that do not count', () => {
    const left = makeRecord(4, { kind: 'seal', recordedAt: at(1), extra: { admitted: false, reasons: ['tests_unknown'] } }) // oxfmt-ignore
    expect(run('runs that do not count', [indexed(left)]).map((row) => row.get('reasons'))).toEqual([['tests_unknown']])
  })
})
