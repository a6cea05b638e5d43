import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Attempt, Destination, Outcome, Rendered, Trail } from '../../src/delivery/destination.ts'
import { openDestination } from '../../src/delivery/open-destination.ts'
import { gateReport, readAnswer } from '../../src/delivery/readings.ts'
import { type DestinationSettings, destinationSettings } from '../../src/delivery/settings.ts'
import { printTrail, readTrail } from '../../src/delivery/trail.ts'
import { startBalancer } from '../support/balancer.ts'
import { type FakeHec, startFakeHec } from '../support/hec.ts'
import { attemptId } from './contract.ts'
import { quick } from './lane.ts'
import { makeRecord } from './records.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
let signal: AbortSignal
beforeEach(() => {
  signal = AbortSignal.timeout(30_000)
})
const records = [0, 1, 2].map((seq) => makeRecord(seq))

async function hec(options: Parameters<typeof startFakeHec>[0] = {}): Promise<FakeHec> {
  const fake = await startFakeHec({ useAck: true, ...options })
  closers.push(fake.close)
  return fake
}

function ackSettings(url: string, extra: Record<string, unknown> = {}): DestinationSettings {
  return destinationSettings.parse({
    type: 'splunk',
    url,
    token: 'planted-hec-token-5ec7e7ed',
    proof: 'ack',
    ...quick,
    ...extra,
  })
}

async function opened(settings: DestinationSettings, lookUp?: () => Promise<string[]>): Promise<Destination> {
  const destination = await openDestination(settings, {
    publicHost: 'proofline.acme.example',
    now: () => new Date(),
    ...(lookUp === undefined ? {} : { lookUp }),
  })
  closers.push(destination.close)
  return destination
}

interface Sent {
  rendered: Rendered
  outcomes: Outcome[]
  trail: Trail
  gate: ReturnType<typeof gateReport>
}

let channels = 0
async function sent(destination: Destination, more: { deadlineMs?: number } = {}): Promise<Sent> {
  const channel = `6b1d2a34-0000-4000-8000-${String(++channels).padStart(12, '0')}`
  const rendered = destination.render(records, attemptId({ channel, ...more }))
  const answer = await destination.send(rendered, signal)
  const outcomes = destination.classify(rendered, answer)
  const { trail } = readAnswer(records, answer, outcomes, 0)
  return { rendered, outcomes, trail, gate: gateReport(answer, outcomes) }
}

/** As it is looked up by whoever has the trail, or by whoever has nothing after a crash. */
function attemptOf({ rendered }: Sent, trail?: Trail): Attempt {
  const now = new Date()
  return { id: rendered.attempt, target: rendered.target, members: records.length, records: async () => records, openedAt: now, deadline: now, ...(trail === undefined ? {} : { trail }) } // oxfmt-ignore
}
const acked = { kind: 'present', receipt: { by: 'ack', ack_id: 0 } }

describe('an acknowledgement behind a load balancer', () => {
  async function balanced() {
    const nodes = [await hec(), await hec()]
    const balancer = await startBalancer(nodes.map(({ url }) => url))
    closers.push(balancer.close)
    return { nodes, balancer, destination: await opened(ackSettings(balancer.url)) }
  }

  it('is asked of the node that took the events, by the cookies of its answer, names and values only', async () => {
    const { balancer, destination } = await balanced()
    for (let i = 0; i < 4; i++) {
      const one = await sent(destination)
      expect(one.outcomes[0]).toEqual({ kind: 'accepted', ackId: 0 })
      expect(await destination.look(attemptOf(one, one.trail), signal)).toMatchObject([acked, acked, acked])
    }
    const [events, acks] = ['event', 'ack'].map((path) => balancer.seen.filter((one) => one.path.endsWith(path)))
    expect(events?.map(({ cookie }) => cookie)).toEqual([undefined, undefined, undefined, undefined])
    expect(acks?.map(({ node }) => node)).toEqual(events?.map(({ node }) => node))
    expect(new Set(acks?.map(({ cookie }) => cookie))).toEqual(new Set(['LB=n0; other=1', 'LB=n1; other=1']))
  })

  it('is false from another node, which is no answer: it is pending, and comes when the right node is asked', async () => {
    const { destination } = await balanced()
    const one = await sent(destination)
    const wrong = { ...one.trail, cookie: one.trail.cookie === 'LB=n0; other=1' ? 'LB=n1' : 'LB=n0' }
    expect(await destination.look(attemptOf(one, wrong), signal)).toMatchObject([{ kind: 'unknown' }, {}, {}])
    expect(await destination.look(attemptOf(one, one.trail), signal)).toMatchObject([acked, acked, acked])
  })
})

describe('an acknowledgement of one of several addresses', () => {
  async function addressed(lost: boolean) {
    const first = await hec({ host: '127.0.0.1' })
    const port = Number(new URL(first.url).port)
    const nodes = [first, await hec({ host: '127.0.0.2', port }), await hec({ host: '127.0.0.3', port })]
    const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3']
    const destination = await opened(ackSettings(`http://hec.example:${port}`), async () => hosts)
    const one = []
    for (let i = 0; i < 3; i++) {
      if (lost) nodes[i]?.failNext('drop-after-storing')
      one.push(await sent(destination))
    }
    const asked = () => nodes.map(({ counters }) => counters.acks)
    return { nodes, one, destination, asked, port }
  }

  it('is asked at the address that took the events, and nowhere else', async () => {
    const { one, destination, asked } = await addressed(false)
    for (const each of one)
      expect(await destination.look(attemptOf(each, each.trail), signal)).toMatchObject([acked, acked, acked])
    expect(asked()).toEqual([1, 1, 1])
  })

  it('case 5: is asked there although the answer was lost', async () => {
    const { one, destination, asked, port } = await addressed(true)
    expect(one.map(({ outcomes }) => outcomes[0]?.kind)).toEqual(['in_doubt', 'in_doubt', 'in_doubt'])
    expect(one.map(({ trail }) => trail.address)).toEqual([1, 2, 3].map((n) => `127.0.0.${n}:${port}`))
    for (const each of one)
      expect(await destination.look(attemptOf(each, each.trail), signal)).toMatchObject([acked, acked, acked])
    expect(asked()).toEqual([1, 1, 1])
  })

  it('case 5: is found under the first id that there can be, whether a server counts from 0 or from 1', async () => {
    const fake = await hec({ ackFrom: 1 })
    const destination = await opened(ackSettings(fake.url))
    fake.failNext('drop-after-storing')
    const lost = await sent(destination)
    const byOne = { kind: 'present', receipt: { by: 'ack', ack_id: 1 } }
    expect(await destination.look(attemptOf(lost, lost.trail), signal)).toMatchObject([byOne, byOne, byOne])
    const told = await sent(destination)
    expect(told.trail.ackId).toBe(1)
    expect(await destination.look(attemptOf(told, told.trail), signal)).toMatchObject([byOne, byOne, byOne])
  })

  it('case 42: is asked at every address when nobody knows where the attempt went', async () => {
    const { one, destination } = await addressed(false)
    for (const each of one) expect(await destination.look(attemptOf(each), signal)).toMatchObject([acked, acked, acked])
  })

  it('is asked at the others when its address is gone', async () => {
    const { one, destination, port, asked } = await addressed(false)
    const gone = { ...one[1]?.trail, address: `127.0.0.77:${port}` }
    expect(await destination.look(attemptOf(one[1]!, gone), signal)).toMatchObject([acked, acked, acked])
    expect(asked()[1]).toBe(1)
  })
})

describe('an acknowledgement that does not come', () => {
  const withSearch = (fake: FakeHec, lag_ms = 0): DestinationSettings =>
    ackSettings(fake.url, { search: { url: fake.searchUrl, token: fake.searchToken, lag_ms, timeout_ms: 1_000 } })

  it.each([6, 9])(
    'case 12, 19: is not asked for after code %i of a batch: it may be that of what was kept',
    async (code) => {
      const fake = await hec()
      fake.acks.ofPrefixes = true
      fake.refuse = (id) => (id === records[2]?.id ? code : undefined)
      const destination = await opened(withSearch(fake))
      const one = await sent(destination)
      expect(one.outcomes[0]?.kind).toBe('in_doubt')
      const kept = readTrail(JSON.parse(JSON.stringify(printTrail(one.trail))) as Record<string, unknown>)
      for (const trail of [one.trail, kept]) {
        const found = await destination.look(attemptOf(one, trail), signal)
        expect(found.map((finding) => finding.kind === 'present')).toEqual([true, true, false])
      }
      expect(fake.counters.acks).toBe(0)
    },
  )

  it('case 25: an answer without its id is no delivery; the search proves instead, and the gate is told', async () => {
    const fake = await hec({ useAck: false })
    const destination = await opened(withSearch(fake, 60_000))
    const one = await sent(destination)
    expect(one.outcomes[0]).toMatchObject({ kind: 'accepted', weaker: expect.stringContaining('switched off') })
    expect(one.gate).toMatchObject({ kind: 'ok', weaker: expect.stringContaining('switched off') })
    expect(await destination.look(attemptOf(one, one.trail), signal)).toMatchObject([
      { kind: 'present', receipt: { by: 'search' } },
      { kind: 'present' },
      { kind: 'present' },
    ])
  })

  it('case 25: without a search nothing could be proved, so the destination is blocked', async () => {
    const fake = await hec({ useAck: false })
    const destination = await opened(ackSettings(fake.url))
    const one = await sent(destination)
    expect(one.outcomes.map(({ kind }) => kind)).toEqual(['accepted', 'accepted', 'accepted'])
    expect(one.gate).toMatchObject({ kind: 'blocked', reason: 'channel' })
    expect(await destination.look(attemptOf(one, one.trail), signal)).toMatchObject([{ kind: 'unknown' }, {}, {}])
  })

  it.each([
    [400, { text: 'ACK is disabled', code: 14 }],
    [401, { text: 'Invalid authorization', code: 3 }],
    [404, { text: 'The requested URL was not found on this server.', code: 404 }],
    [500, { text: 'Internal server error', code: 8 }],
    [503, '<html></html>'],
    [200, '<html></html>'],
    [200, { acks: {} }],
    [200, { acks: { '0': 'true' } }],
    [200, { acks: { '1': true } }],
  ])('case 26: is not taken for given when the question is answered %i %j', async (status, body) => {
    const fake = await hec()
    const destination = await opened(ackSettings(fake.url))
    const one = await sent(destination)
    fake.answerAckNext(status, body)
    expect(await destination.look(attemptOf(one, one.trail), signal)).toMatchObject([
      { kind: 'unknown' },
      { kind: 'unknown' },
      { kind: 'unknown' },
    ])
    expect(await destination.look(attemptOf(one, one.trail), signal)).toMatchObject([acked, acked, acked])
  })

  it('case 27: was told to a process that died: false from then on, and the search finds the records', async () => {
    const fake = await hec()
    const destination = await opened(withSearch(fake))
    const one = await sent(destination)
    await destination.look(attemptOf(one, one.trail), signal)
    expect(await destination.look(attemptOf(one, one.trail), signal)).toMatchObject([
      { kind: 'present', receipt: { by: 'search' } },
      {},
      {},
    ])
    expect(records.map(({ id }) => fake.copies(id))).toEqual([1, 1, 1])
  })

  it('case 23: costs no search before the records would be visible, and is searched for after that', async () => {
    const fake = await hec({ ackAfterMs: Infinity })
    const destination = await opened(withSearch(fake, 60_000))
    const one = await sent(destination)
    expect(await destination.look(attemptOf(one, one.trail), signal)).toMatchObject([{ kind: 'unknown' }, {}, {}])
    expect(fake.counters.searches).toBe(0)
    const old = { ...attemptOf(one, one.trail), openedAt: new Date(Date.now() - 60_001) }
    expect(await destination.look(old, signal)).toMatchObject([{ kind: 'present', receipt: { by: 'search' } }, {}, {}])
  })
})
