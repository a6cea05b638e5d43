import { describe, expect, it } from 'vitest'
import type { Answer, Destination, Finding, Rendered } from '../../src/delivery/destination.ts'
import { measured, type Sent } from '../../src/delivery/measured.ts'
import type { Mark } from '../../src/delivery/marks.ts'
import { silentMetrics } from '../../src/delivery/metrics.ts'
import { reportLook, reportPolicy, reportSettled } from '../../src/delivery/report.ts'
import { makeRecord } from './records.ts'

const lane = { destination: 'siem', ledger: 'main/unit' } as const
function listen() {
  const told: unknown[][] = []
  const metrics = {
    ...silentMetrics,
    settled: (...args: unknown[]) => void told.push(['settled', ...args.slice(2)]),
    resolved: (...args: unknown[]) => void told.push(['resolved', ...args.slice(2)]),
    proved: (...args: unknown[]) => void told.push(['proved', ...args.slice(1)]),
  }
  return { told, metrics }
}
const present = (by: 'ack' | 'search' | 'compare'): Finding => ({ kind: 'present', copies: 1, receipt: { by } })

describe('the report of a look', () => {
  it('counts what was in doubt by what told it, what was only unproved not as doubt, and nothing that is not known', () => {
    const { told, metrics } = listen()
    const before: Mark[] = ['i', 'i', 'i', 'e', 'a', 'i']
    const marks: Mark[] = ['d', 'd', 'u', 'r', 'd', 'i']
    const findings = [present('search'), present('search'), { kind: 'absent' }, present('compare'), present('search'), { kind: 'unknown', reason: '' }] as const // oxfmt-ignore
    reportLook(
      metrics,
      lane,
      { before, marks, openedAt: 1e6, at: 4.5e6 },
      findings.map((finding, at) => ({ at, finding })),
    )
    reportSettled(metrics, lane, before, marks)
    expect(told).toEqual([
      ['resolved', 'search', 'present', 2],
      ['resolved', 'look', 'absent', 1],
      ['resolved', 'compare', 'altered', 1],
      ['proved', 'search', 3.5],
      ['settled', 'delivered', 3],
      ['settled', 'refused', 1],
    ])
  })

  it('counts what policy ends, of what was in doubt', () => {
    const { told, metrics } = listen()
    const members = [{ at: 0 }, { at: 1 }, { at: 2 }]
    reportPolicy(metrics, lane, ['i', 'e', 'a'], members, 'parked')
    reportPolicy(metrics, lane, ['u', 'u', 'u'], members, 'resent')
    expect(told).toEqual([['resolved', 'policy', 'parked', 2]])
  })
})

describe('a measured destination', () => {
  const rendered: Rendered = {
    attempt: { ledger: 'main/unit', firstSeq: 0, try: 1, mark: 0, channel: '', sendBeforeMs: 0, deadlineMs: 0 },
    records: [makeRecord(0), makeRecord(1)], target: '', body: Buffer.alloc(700), digest: Buffer.alloc(32),
  } // oxfmt-ignore
  async function sentOf(answer: Answer): Promise<Sent | undefined> {
    let told: Sent | undefined
    const destination = { send: async () => answer } as unknown as Destination // the others are passed on as they are
    await measured(destination, (_, sent) => (told = sent)).send(rendered, AbortSignal.timeout(1_000))
    return told
  }
  const answer = (status: number, body: string): Answer => ({ kind: 'answer', status, headers: {}, body, address: '', elapsedMs: 20 }) // oxfmt-ignore

  it.each([
    ['a code of HEC', answer(503, '{"text":"Server is busy","code":9,"invalid-event-number":1}'), '503', '9'],
    ['a bulk answer', answer(200, '{"took":3,"errors":true,"items":[{"create":{"code":1}}]}'), '200', 'none'],
    ['a page of a proxy', answer(502, '<html>"code":12345</html>'), '502', 'none'],
    ['a code that is none', answer(400, '{"code":123456}'), '400', 'none'],
    ['a connection that failed', { kind: 'failure', phase: 'connect', wrote: false, code: 'ECONNREFUSED', message: '', address: '', elapsedMs: 20 }, 'connect', 'ECONNREFUSED'], // oxfmt-ignore
  ] as const)('tells status and code of %s', async (_, seen, status, code) => {
    expect(await sentOf(seen)).toEqual({ status, code, records: 2, bytes: 700, seconds: 0.02 })
  })

  it('does not count what was not begun', async () => {
    expect(await sentOf({ kind: 'expired' })).toBeUndefined()
  })
})
