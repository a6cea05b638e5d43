import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { existsSync, readFileSync } from 'node:fs'
import { blockReasons } from '../../src/delivery/destination.ts'
import { type AlertCode, alertCodes } from '../../src/watch/alert-codes.ts'
import { type Alert, type AlertState, alertName, type Finding, stepAlerts } from '../../src/watch/alerts.ts'
import { findProblems, type Known } from '../../src/watch/findings.ts'

const late: Finding = { code: 'destination_late', subject: 'splunk main/unit', detail: '20 min' }
const letters: Finding = { code: 'dead_letters', subject: 'splunk main/unit', detail: '3 records' }

/** Windows one after another, as the worker goes through them. Answers what happened in each. */
function run(windows: readonly (readonly Finding[])[]): string[][] {
  const open = new Map<string, Alert>()
  const toldTo = new Map<string, number>()
  let seen: AlertState['seen'] = new Map()
  return windows.map((findings, i) => {
    const { state, steps } = stepAlerts({ open, seen, toldTo }, findings)
    seen = state.seen
    for (const { alert, to, finding } of steps) {
      if (to === 'closed') open.delete(alert)
      else open.set(alert, { ...finding, state: 'opened', at: i })
    }
    return steps.map(({ alert, to }) => `${to} ${alert}`)
  })
}

describe('stepAlerts', () => {
  it('opens what is transient in the second window in a row, and the rest at once', () => {
    expect(run([[late], [late], [late]])).toEqual([[], [`opened ${alertName(late)}`], []])
    expect(run([[late], [], [late], [late]])).toEqual([[], [], [], [`opened ${alertName(late)}`]])
    expect(run([[letters]])).toEqual([[`opened ${alertName(letters)}`]])
  })

  it('closes what is found no more, and opens it anew like the first time', () => {
    const [opened, closed] = [`opened ${alertName(late)}`, `closed ${alertName(late)}`]
    expect(run([[late], [late], [], [late], [late]])).toEqual([[], [opened], [closed], [], [opened]])
  })

  it('counts a look once, however often its result is found', () => {
    const by = (lookedAt: string): Finding => ({ ...late, code: 'reconciliation_missing', lookedAt })
    const name = alertName(by(''))
    expect(run([[by('1')], [by('1')], [by('1')], [by('2')]])).toEqual([[], [], [], [`opened ${name}`]])
    expect(run([[by('1')], [], [by('2')], [by('2')], [by('3')]])).toEqual([[], [], [], [], [`opened ${name}`]])
  })

  it('keeps what happened open until somebody acknowledged it, and opens it again for what happened since', () => {
    const happened = (happenedAt: number): Finding => ({
      code: 'unexplained_change',
      subject: 'api',
      detail: 'tool',
      happenedAt,
    })
    const alert = alertName(happened(0))
    const step = (state: Alert['state'] | undefined, openedAt: number | undefined, findings: readonly Finding[]) => {
      const open = new Map(state === undefined ? [] : [[alert, { ...happened(0), state, at: 0 }]])
      const toldTo = new Map(openedAt === undefined ? [] : [[alert, openedAt]])
      return stepAlerts({ open, seen: new Map(), toldTo }, findings).steps.map(({ to }) => to)
    }
    expect(step(undefined, undefined, [happened(5)])).toEqual(['opened'])
    expect(step('opened', 6, [happened(5)])).toEqual([])
    expect(step('opened', 6, [])).toEqual([]) // it is out of sight, and nobody explained it
    expect(step('acknowledged', 6, [happened(5)])).toEqual(['closed'])
    expect(step(undefined, 6, [happened(5)])).toEqual([])
    expect(step(undefined, 6, [happened(7)])).toEqual(['opened'])
  })

  it('opens and closes each alert by turns, whatever is found', () => {
    const finding = fc.record({ code: fc.constantFrom(...(Object.keys(alertCodes) as AlertCode[])), subject: fc.constantFrom('a', 'b'), detail: fc.string() }) // oxfmt-ignore
    fc.assert(
      fc.property(fc.array(fc.array(finding, { maxLength: 8 }), { maxLength: 12 }), (windows) => {
        const last = new Map<string, string>()
        for (const step of run(windows).flat()) {
          const [to = '', alert = ''] = step.split(' ', 2)
          expect(to).toBe(last.get(alert) === 'opened' ? 'closed' : 'opened')
          last.set(alert, to)
        }
      }),
    )
  })
})

const day = 86_400_000_000
const now = 2_000_000 * day
const ledger: Known['ledgers'][number] = { ledger: 'main/unit', recorded: 9, published: 9, stopped: null }
const lane: Known['lanes'][number] = { destination: 'siem', ledger: 'main/unit', state: 'running', reason: undefined, detail: '', inDoubt: 0, inDoubtSince: null, parked: 0, oldestUnsent: null, failure: undefined, freshnessMs: 900_000 } // oxfmt-ignore
const comparison: Known['comparisons'][number] = {
  at: '', destination: 'siem', ledger: 'main/unit', verdict: 'same', missing: 0, duplicated: 0, altered: 0, foreign: 0 } // oxfmt-ignore
const node: Known['nodes'][number] = { node: 'a', host: 'a', version: '1', configuration: 'x' }
const well: Known = {
  now,
  ledgers: [ledger],
  lanes: [lane],
  comparisons: [comparison],
  certificates: [{ subject: 'siem', expiresAt: now + 22 * day }],
  disks: [{ path: 'data', freeBytes: 11, totalBytes: 100 }],
  partitionsAhead: 2,
  nodes: [node, { ...node, node: 'b' }],
  drills: [{ destination: 'siem', everyMs: 86_400_000, since: now - 0.9 * day }],
  limits: { inDoubtMs: 3_600_000, certificateDays: 21, diskFree: 0.1 },
}
const codes = (known: Partial<Known>): string[] => findProblems({ ...well, ...known }).map(({ code }) => code)
const ofLane = (extra: Partial<Known['lanes'][number]>): string[] => codes({ lanes: [{ ...lane, ...extra }] })

describe('findProblems', () => {
  it('finds nothing where nothing is wrong', () => {
    expect(findProblems(well)).toEqual([])
  })

  it.each([
    ['a stopped ledger', () => codes({ ledgers: [{ ...ledger, stopped: { code: 'signer_not_current', detail: '' } }] }), 'recording_stopped'], // oxfmt-ignore
    ['a database that is older than what was signed', () => codes({ ledgers: [{ ...ledger, stopped: { code: 'rollback_detected', detail: '' } }] }), 'rollback_detected'], // oxfmt-ignore
    ['clocks that disagree', () => codes({ ledgers: [{ ...ledger, stopped: { code: 'clock_step', detail: '' } }] }), 'clock_step'], // oxfmt-ignore
    ['records without a signature', () => codes({ ledgers: [{ ...ledger, recorded: 10 }] }), 'checkpoint_stale'],
    ['a blocked destination', () => ofLane({ state: 'blocked', reason: 'credentials' }), 'destination_blocked'],
    ['a destination whose own proof does not come', () => ofLane({ reason: 'weaker_proof', detail: 'no acknowledgement id' }), 'proof_weakened'], // oxfmt-ignore
    ['a destination that lags', () => ofLane({ oldestUnsent: now - 901_000_000 }), 'destination_late'],
    ['an old doubt', () => ofLane({ inDoubt: 1, inDoubtSince: now - 3_601_000_000 }), 'in_doubt_old'],
    ['parked records', () => ofLane({ parked: 1 }), 'dead_letters'],
    ['missing records', () => codes({ comparisons: [{ ...comparison, missing: 1 }] }), 'reconciliation_missing'],
    ['copies', () => codes({ comparisons: [{ ...comparison, duplicated: 1 }] }), 'reconciliation_duplicated'],
    ['altered records', () => codes({ comparisons: [{ ...comparison, altered: 1 }] }), 'reconciliation_altered'],
    ['foreign records', () => codes({ comparisons: [{ ...comparison, foreign: 1 }] }), 'reconciliation_foreign'],
    ['a certificate', () => codes({ certificates: [{ subject: 's', expiresAt: now + 20 * day }] }), 'certificate_expiring'], // oxfmt-ignore
    ['a full disk', () => codes({ disks: [{ path: 'data', freeBytes: 9, totalBytes: 100 }] }), 'disk_low'],
    ['a destination without a drill', () => codes({ drills: [{ destination: 'siem', everyMs: 86_400_000, since: now - 1.1 * day }] }), 'drill_due'], // oxfmt-ignore
    ['nodes of two versions', () => codes({ nodes: [node, { ...node, node: 'b', version: '2' }] }), 'configuration_differs'], // oxfmt-ignore
    ['nodes with two configurations', () => codes({ nodes: [node, { ...node, node: 'b', configuration: 'y' }] }), 'configuration_differs'], // oxfmt-ignore
    ['partitions that nobody made', () => codes({ partitionsAhead: 1 }), 'partition_missing'],
  ])('tells %s', (_, find, code) => {
    expect(find()).toEqual([code])
  })

  it('says of a destination that lags why it was not taken, where that is known', () => {
    const known = { ...lane, oldestUnsent: now - 901_000_000, failure: { reason: 'connect 127.0.0.1:9: ECONNREFUSED' } }
    expect(findProblems({ ...well, lanes: [known] })).toMatchObject([
      { detail: 'the oldest record that is not there is 15 min old; tried last: connect 127.0.0.1:9: ECONNREFUSED' },
    ])
  })

  it('leaves alone what an operator paused, and what is blocked is not late besides', () => {
    expect(ofLane({ state: 'paused', oldestUnsent: 0 })).toEqual([])
    expect(ofLane({ state: 'blocked', oldestUnsent: 0 })).toEqual(['destination_blocked'])
  })
})

const readme = readFileSync(new URL('../../docs/playbooks/README.md', import.meta.url), 'utf8')

describe('every alert', () => {
  it.each(Object.keys(alertCodes))('%s has a playbook that says what it means and what to do', (code) => {
    const file = new URL(`../../docs/playbooks/${code}.md`, import.meta.url)
    expect(existsSync(file)).toBe(true)
    const text = readFileSync(file, 'utf8')
    expect(text.startsWith(`# ${code}\n`)).toBe(true)
    const { severity } = alertCodes[code as AlertCode]
    expect(readme).toMatch(new RegExp(`^\\| \\[${code}\\]\\(${code}\\.md\\) \\| ${severity} \\|`, 'm'))
    for (const heading of ['## What it means', '## Look at', '## Do', '## Closes'])
      expect(text).toContain(`\n${heading}\n`)
  })
})

describe('the playbook of a connector', () => {
  const of = (name: string): string => readFileSync(new URL(`../../docs/playbooks/${name}.md`, import.meta.url), 'utf8')

  it('of Splunk goes through every code of HEC but success', () => {
    const text = of('splunk')
    const codes = Array.from({ length: 27 }, (_, i) => i + 1)
    expect(codes.filter((code) => !new RegExp(`/${code}\\b`).test(text))).toEqual([])
  })

  it('names every reason for being blocked', () => {
    const both = of('splunk') + of('elastic')
    expect(blockReasons.filter((reason) => !both.includes(`blocked, \`${reason}\``))).toEqual([])
  })
})
