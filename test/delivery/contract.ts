import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import type { Attempt, AttemptId, Destination, Rendered } from '../../src/delivery/destination.ts'
import type { StoredRecord } from '../../src/ledger/read.ts'
import { sha256Hex } from '../../src/record/sha256.ts'
import { type Failures, modesOf } from '../support/fail-modes.ts'
import { makeRecord } from './records.ts'

/** A destination with a fake behind it. */
export interface Fixture extends Pick<Failures, 'failNext'> {
  destination: Destination
  /** What must be seen nowhere. */
  secrets: readonly string[]
  ids(): string[] | Promise<string[]>
  copies(id: string): number | Promise<number>
  /** Makes what is there invisible to looks, as a search that is down does. */
  blind(): void
  /** Connections that are open at its end. */
  connections(): Promise<number>
  close(): Promise<void>
}

export interface Promised {
  /** Whose ways of failing are tried. */
  by: 'hec' | 'bulk' | 'any'
  /** What a definite yes comes to: `accepted` where the proof is yet to come. */
  yes: 'delivered' | 'accepted'
  start(): Promise<Fixture>
}

const records = [0, 1, 2].map((seq) => makeRecord(seq))
const signal = AbortSignal.timeout(1_800_000)

export function attemptId(more: Partial<AttemptId> = {}): AttemptId {
  const startMs = performance.now()
  const channel = '6b1d2a34-0000-4000-8000-000000000001'
  return {
    ledger: 'main/unit',
    firstSeq: 0,
    try: 1,
    mark: 0,
    channel,
    sendBeforeMs: startMs + 15_000,
    deadlineMs: startMs + 15_400,
    ...more,
  }
}

/** As another process would look: long after the deadline. */
function lookedUp(rendered: Rendered, which: readonly StoredRecord[] = rendered.records): Attempt {
  const past = new Date(Date.now() - 1_000)
  return {
    id: rendered.attempt,
    target: rendered.target,
    members: which.length,
    records: async () => which,
    openedAt: past,
    deadline: past,
  }
}

/** What every destination promises. */
export function destinationContract({ by, yes, start }: Promised): void {
  async function within(work: (fixture: Fixture) => Promise<void>): Promise<void> {
    const fixture = await start()
    try {
      await work(fixture)
    } finally {
      await fixture.destination.close()
      await fixture.close()
    }
  }
  /** Only what never answers is given up soon: a busy machine is no reason for doubt. */
  async function sendOnce(destination: Destination, mode = '', more: Partial<AttemptId> = {}) {
    const soon = /timeout|endless|late/.test(mode) ? { deadlineMs: performance.now() + 300 } : {}
    const id = attemptId({ ...soon, ...more })
    const rendered = destination.render(records, id)
    const answer = await destination.send(rendered, signal)
    return { rendered, answer, outcomes: destination.classify(rendered, answer) }
  }

  it('renders the same bytes for the same records, whatever the try', () =>
    within(async ({ destination }) => {
      const [a, b] = [
        destination.render(records, attemptId()),
        destination.render(records, attemptId({ try: 4, channel: 'other' })),
      ]
      expect(a.body.equals(b.body)).toBe(true)
      expect(a.digest.equals(b.digest)).toBe(true)
      expect(a.digest.length).toBe(32)
      expect(a.target).toBe(destination.target(records[0]!))
    }))

  it('tells one outcome per record, and that they are there', () =>
    within(async ({ destination, ids }) => {
      const { rendered, outcomes } = await sendOnce(destination)
      expect(outcomes.map(({ kind }) => kind)).toEqual([yes, yes, yes])
      expect((await ids()).length).toBe(3)
      expect(await destination.look(lookedUp(rendered), signal)).toMatchObject([
        { kind: 'present', copies: 1 },
        { kind: 'present' },
        { kind: 'present' },
      ])
    }))

  it.each(modesOf({ by, stores: 'all', says: 'doubt' }).filter((mode) => mode !== 'items-missing'))(
    'is in doubt after %s, and finds by looking that the records are there',
    (mode) =>
      within(async ({ destination, failNext, ids }) => {
        failNext(mode)
        const { rendered, outcomes } = await sendOnce(destination, mode)
        expect(outcomes.map(({ kind }) => kind)).toEqual(['in_doubt', 'in_doubt', 'in_doubt'])
        expect((await ids()).length).toBe(3)
        const findings = await destination.look(lookedUp(rendered), signal)
        for (const [i, finding] of findings.entries()) {
          expect(finding.kind).toBe('present')
          if (finding.kind === 'present' && finding.digest !== undefined)
            expect(sha256Hex(records[i]!.bytes).startsWith(finding.digest)).toBe(true)
        }
      }),
  )

  it.each(modesOf({ by, stores: 'nothing', says: 'doubt' }))(
    'is in doubt after %s, and finds by looking that the records are not there',
    (mode) =>
      within(async ({ destination, failNext, ids }) => {
        failNext(mode)
        const { rendered, outcomes } = await sendOnce(destination, mode)
        expect(outcomes.map(({ kind }) => kind)).toEqual(['in_doubt', 'in_doubt', 'in_doubt'])
        expect(await ids()).toEqual([])
        let findings = await destination.look(lookedUp(rendered), signal)
        // Where absence needs a canary, it takes a second look.
        if (findings.some(({ kind }) => kind === 'unknown'))
          findings = await destination.look(lookedUp(rendered), signal)
        expect(findings.map(({ kind }) => kind)).toEqual(['absent', 'absent', 'absent'])
      }),
  )

  it.each(modesOf({ by, stores: 'all', says: 'yes' }))('takes %s for a yes, and never sends it again', (mode) =>
    within(async ({ destination, failNext, ids }) => {
      failNext(mode)
      const { outcomes } = await sendOnce(destination, mode)
      expect(outcomes.map(({ kind }) => kind)).toEqual([yes, yes, yes])
      expect((await ids()).length).toBe(3)
    }),
  )

  it.each(modesOf({ by, stores: 'nothing', says: 'no' }))('never takes %s for a yes', (mode) =>
    within(async ({ destination, failNext, ids }) => {
      failNext(mode)
      const { outcomes } = await sendOnce(destination, mode)
      expect(outcomes.every(({ kind }) => kind === 'unsent' || kind === 'in_doubt')).toBe(true)
      expect(await ids()).toEqual([])
    }),
  )

  it.each(modesOf({ by, stores: 'part' }))(
    'tells of %s no member to be there that is not, and finds those that are',
    (mode) =>
      within(async ({ destination, failNext, copies }) => {
        failNext(mode)
        const { rendered, outcomes } = await sendOnce(destination, mode)
        for (const [i, { id }] of records.entries()) {
          const { kind } = outcomes[i]!
          if (kind === yes) expect(await copies(id)).toBe(1)
          if (kind === 'unsent' || kind === 'refused') expect(await copies(id)).toBe(0)
        }
        let findings = await destination.look(lookedUp(rendered), signal)
        if (findings.some(({ kind }) => kind === 'unknown'))
          findings = await destination.look(lookedUp(rendered), signal)
        const there = await Promise.all(records.map(async ({ id }) => (await copies(id)) === 1))
        expect(findings.map(({ kind }) => kind === 'present')).toEqual(there)
      }),
  )

  it('leaves no connection open on which a request is overdue', () =>
    within(async ({ destination, failNext, connections }) => {
      failNext('timeout-after-storing')
      await sendOnce(destination, 'timeout')
      for (const end = Date.now() + 5_000; (await connections()) > 0 && Date.now() < end;) {
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      expect(await connections()).toBe(0)
    }))

  it('is in doubt when it is told to stop while it waits for the answer', () =>
    within(async ({ destination, failNext, ids }) => {
      failNext('timeout-after-storing')
      const rendered = destination.render(records, attemptId())
      const stop = new AbortController()
      const sending = destination.send(rendered, stop.signal)
      while ((await ids()).length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      stop.abort(new Error('stop'))
      const answer = await sending
      expect(answer).toMatchObject({ kind: 'failure', wrote: true })
      expect(destination.classify(rendered, answer)[0]?.kind).toBe('in_doubt')
    }))

  it('sends records of another ledger, and of another month where that is another index, to another place', () =>
    within(async ({ destination }) => {
      const unit = destination.target(makeRecord(0))
      expect(destination.target(makeRecord(1))).toBe(unit)
      expect(destination.target(makeRecord(0, { ledger: 'main/integration' }))).not.toBe(unit)
      const december = destination.target(makeRecord(0, { recordedAt: Date.UTC(2026, 11, 1) * 1000 }))
      expect(december === unit).toBe(by === 'hec')
    }))

  it('case 52: tells nobody its secrets, whatever happens', () =>
    within(async ({ destination, failNext, secrets }) => {
      const told: unknown[] = [destination]
      for (const mode of modesOf({ by }).filter((one) => !/timeout|endless|late/.test(one))) {
        failNext(mode)
        told.push(await sendOnce(destination, mode))
      }
      const text = `${JSON.stringify(told)}${inspect(told, { depth: 12, showHidden: true, maxStringLength: 100_000 })}`
      expect(secrets.filter((secret) => text.includes(secret))).toEqual([])
    }))

  it('does not begin a byte when send_before has passed', () =>
    within(async ({ destination, ids }) => {
      const { answer, outcomes } = await sendOnce(destination, '', { sendBeforeMs: performance.now() - 1 })
      expect(answer).toEqual({ kind: 'expired' })
      expect(outcomes[0]).toMatchObject({ kind: 'unsent' })
      expect(await ids()).toEqual([])
    }))

  it('rejects when it is told to stop before the first byte', () =>
    within(async ({ destination }) => {
      const rendered = destination.render(records, attemptId())
      await expect(destination.send(rendered, AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop')
    }))

  it('knows nothing when it cannot look', () =>
    within(async ({ destination, blind }) => {
      const { rendered } = await sendOnce(destination)
      blind()
      const findings = await destination.look(lookedUp(rendered), signal)
      expect(findings.map(({ kind }) => kind)).toEqual(['unknown', 'unknown', 'unknown'])
    }))

  it('counts a range over there, and names its ids', () =>
    within(async ({ destination }) => {
      await sendOnce(destination)
      const sum = records
        .slice(1)
        .reduce((total, { bytes }) => total + Number.parseInt(sha256Hex(bytes).slice(0, 8), 16), 0)
      const range = { ledger: 'main/unit', first: 1, last: 5 } as const
      expect(await destination.sum(range, signal)).toEqual({ count: 2, checkSum: sum })
      expect([...(await destination.ids(range, signal))]).toEqual(records.slice(1).map(({ id }) => [id, 1]))
      expect([...(await destination.sumBlocks(range, signal))]).toEqual([[0, { count: 2, checkSum: sum }]])
      expect(await destination.sum({ ...range, first: 100, last: 200 }, signal)).toEqual({ count: 0, checkSum: 0 })
    }))

  it('reads back what it stored, byte for byte', () =>
    within(async ({ destination }) => {
      await sendOnce(destination)
      const absent = makeRecord(77)
      expect(await destination.digests([...records, absent], signal)).toEqual(
        new Map(records.map(({ id, bytes }) => [id, sha256Hex(bytes)])),
      )
      const originals = await destination.originals({ ledger: 'main/unit', first: 1, last: 77 }, signal)
      const digests = new Map([...originals].map(([id, bytes]) => [id, sha256Hex(bytes)]))
      expect(digests).toEqual(new Map(records.slice(1).map(({ id, bytes }) => [id, sha256Hex(bytes)])))
    }))

  it('measures nothing when it cannot be asked', () =>
    within(async ({ destination, blind }) => {
      await sendOnce(destination)
      blind()
      const range = { ledger: 'main/unit', first: 1, last: 5 } as const
      await expect(destination.sum(range, signal)).rejects.toThrow()
      await expect(destination.sumBlocks(range, signal)).rejects.toThrow()
      await expect(destination.ids(range, signal)).rejects.toThrow()
      await expect(destination.digests(records, signal)).rejects.toThrow()
      await expect(destination.originals(range, signal)).rejects.toThrow()
    }))
}
