import { expect, it } from 'vitest'
import { printDestinations } from '../../src/commands/destination-table.ts'

type Status = Parameters<typeof printDestinations>[0][number]
type Lane = Status['ledgers'][number]

const lane = (ledger: string, more: Partial<Lane> = {}): Lane => ({
  ledger,
  state: 'running',
  detail: '',
  sent_to: 3,
  proved_to: 2,
  published: 4,
  in_doubt: 1,
  parked: 0,
  redeliveries: [],
  failure: null,
  ...more,
})

const siem = (state: Status['state'], ...ledgers: Lane[]): Status => ({
  name: 'siem',
  kind: 'splunk',
  state,
  proof: 'search',
  ledgers,
})

it('shows the state of each ledger, since one is blocked beside others that are not', () => {
  const blocked: Partial<Lane> = { state: 'blocked', reason: 'credentials', detail: 'HEC 403/4' }
  const text = printDestinations([siem('blocked', lane('main/changes'), lane('main/unit', blocked))]) // oxfmt-ignore
  expect(text).toMatch(/siem +splunk +running +search +main\/changes +4 +3 +2 +1 +0\n/)
  expect(text).toMatch(/siem +splunk +blocked +search +main\/unit +4 +3 +2 +1 +0\n/)
  expect(text).toMatch(/\nsiem takes nothing of main\/unit: credentials: HEC 403\/4\n$/)
})

it('says once what holds several ledgers, and apart what differs', () => {
  const paused: Partial<Lane> = { state: 'paused', reason: 'by ann', detail: 'maintenance' }
  const at = '2026-11-29T23:02:18.000000Z'
  const failure = { at, reason: 'connect 127.0.0.1:1: ECONNREFUSED', address: '127.0.0.1:1', phase: 'connect' }
  const text = printDestinations([siem('paused', lane('main/unit', paused), lane('main/integration', paused), lane('main/operations', { failure }))]) // oxfmt-ignore
  expect(text.split('\n').slice(4)).toEqual([
    'siem is sent nothing of main/unit, main/integration: paused by ann: maintenance',
    'siem did not take main/operations at 2026-11-29T23:02:18.000000Z: connect 127.0.0.1:1: ECONNREFUSED',
    '',
  ])
})

it('says so where there is none', () => {
  expect(printDestinations([])).toBe('no destinations are configured\n')
})
