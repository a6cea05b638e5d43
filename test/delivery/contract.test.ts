import { describe, expect, it } from 'vitest'
import { openDestination } from '../../src/delivery/open-destination.ts'
import { startFakeBulk } from '../support/bulk.ts'
import { startFakeHec } from '../support/hec.ts'
import { attemptId, destinationContract, type Fixture, type Promised } from './contract.ts'
import { elasticSettings, splunkSettings } from './lane.ts'
import { makeRecord } from './records.ts'

const deps = { publicHost: 'proofline.acme.example', now: () => new Date() }

async function splunk(settings: Record<string, unknown> = {}, options: Parameters<typeof startFakeHec>[0] = {}) {
  const fake = await startFakeHec(options)
  const destination = await openDestination(splunkSettings(fake, settings), deps)
  return { fake, destination, close: fake.close }
}

const bySplunk =
  (settings: Record<string, unknown>, options: Parameters<typeof startFakeHec>[0]) => async (): Promise<Fixture> => {
    const { fake, destination, close } = await splunk(settings, options)
    const { failNext, ids, copies, connections } = fake
    const secrets = [fake.token, fake.searchToken]
    return {
      destination,
      close,
      failNext,
      ids,
      copies,
      connections,
      secrets,
      blind: () => void (fake.searchDown = true),
    }
  }

describe.each<[string, Promised['yes'], Record<string, unknown>, Parameters<typeof startFakeHec>[0]]>([
  ['believing answers', 'delivered', {}, {}],
  ['with gzip', 'delivered', { compression: 'gzip' }, {}],
  ['waiting for acknowledgement', 'accepted', { proof: 'ack' }, { useAck: true, ackAfterMs: 1e9 }],
  ['proving by search', 'accepted', { proof: 'search', event_form: 'string' }, { onBadEvent: 'atomic' }],
])('the contract, by Splunk %s', (_, yes, settings, options) => {
  destinationContract({ by: 'hec', yes, start: bySplunk(settings, options) })
})

describe.each<[string, Record<string, unknown>]>([
  ['as it is', {}],
  ['with gzip', { compression: 'gzip' }],
])('the contract, by Elastic %s', (_, settings) => {
  destinationContract({
    by: 'bulk',
    yes: 'delivered',
    async start() {
      const fake = await startFakeBulk()
      const destination = await openDestination(elasticSettings(fake, settings), deps)
      const { close, failNext, ids, copies, connections } = fake
      const secrets = [fake.apiKey]
      return {
        destination,
        close,
        failNext,
        ids,
        copies,
        connections,
        secrets,
        blind: () => void (fake.searchDown = true),
      }
    },
  })
})

describe('looking in Splunk', () => {
  const signal = AbortSignal.timeout(1_800_000)
  const records = Array.from({ length: 300 }, (_, seq) => makeRecord(seq))

  async function tried(settings: Record<string, unknown>, options: Parameters<typeof startFakeHec>[0], count = 3) {
    const made = await splunk(settings, options)
    const rendered = made.destination.render(records.slice(0, count), attemptId())
    const answer = await made.destination.send(rendered, signal)
    const [outcome] = made.destination.classify(rendered, answer)
    const ackId = outcome?.kind === 'accepted' ? outcome.ackId : undefined
    const past = new Date(Date.now() - 100)
    const attempt = {
      id: rendered.attempt,
      target: rendered.target,
      members: count,
      records: async () => rendered.records,
      openedAt: past,
      deadline: past,
      ...(ackId === undefined ? {} : { ackId }),
    }
    const close = () => Promise.all([made.destination.close(), made.close()])
    return { ...made, attempt, outcome, close }
  }

  it('is believed when the acknowledgement says true, also when its id was lost', async () => {
    const { destination, attempt, outcome, close } = await tried({ proof: 'ack' }, { useAck: true })
    expect(outcome).toEqual({ kind: 'accepted', ackId: 0 })
    const { ackId: _, ...lost } = attempt
    expect(await destination.look(lost, signal)).toMatchObject([
      { kind: 'present', receipt: { by: 'ack', ack_id: 0 } },
      {},
      {},
    ])
    await close()
  })

  it('goes to the search when the acknowledgement was told once already', async () => {
    const { destination, attempt, close } = await tried({ proof: 'ack' }, { useAck: true })
    await destination.look(attempt, signal)
    expect(await destination.look(attempt, signal)).toMatchObject([
      { kind: 'present', receipt: { by: 'search' } },
      {},
      {},
    ])
    await close()
  })

  it('takes nothing from an acknowledgement that stays false', async () => {
    const { destination, attempt, close } = await tried(
      { proof: 'ack', search: undefined },
      { useAck: true, ackAfterMs: Infinity },
    )
    expect(await destination.look(attempt, signal)).toMatchObject([{ kind: 'unknown' }, {}, {}])
    await close()
  })

  it('does not believe absence within the lag window, nor before a canary is visible, nor with a peer missing', async () => {
    const { fake, destination, attempt, close } = await tried({}, { visibleAfterMs: 150 })
    const others = records.slice(200, 203)
    const absent = { ...attempt, members: others.length, records: async () => others }
    expect((await destination.look({ ...absent, deadline: new Date(Date.now() + 60_000) }, signal))[0]).toEqual({
      kind: 'unknown',
      reason: 'within the lag window',
    })
    expect((await destination.look(absent, signal))[0]).toEqual({ kind: 'unknown', reason: 'a canary was sent' })
    expect((await destination.look(absent, signal))[0]?.kind).toBe('unknown')
    await new Promise((resolve) => setTimeout(resolve, 200))
    fake.peerMissing = true
    expect((await destination.look(absent, signal))[0]?.kind).toBe('unknown')
    fake.peerMissing = false
    const sent = (await destination.look(absent, signal))[0]
    if (sent?.kind === 'unknown') await new Promise((resolve) => setTimeout(resolve, 200))
    expect((await destination.look(absent, signal))[0]).toEqual({ kind: 'absent' })
    await close()
  })

  it.each([0, 1])(
    'does not believe absence of a 200 that ends after %i rows, though a canary is visible',
    async (n) => {
      const { fake, destination, attempt, close } = await tried({}, {})
      const others = records.slice(200, 203)
      const absent = { ...attempt, members: others.length, records: async () => others }
      expect((await destination.look(absent, signal))[0]).toEqual({ kind: 'unknown', reason: 'a canary was sent' })
      expect((await destination.look(absent, signal))[0]).toEqual({ kind: 'absent' })
      fake.searchRows = n
      const cut = await destination.look(attempt, signal)
      expect(cut.filter(({ kind }) => kind === 'present')).toHaveLength(n)
      expect(cut.at(-1)).toEqual({ kind: 'unknown', reason: 'search: the answer ends before its last row' })
      await expect(destination.sum({ ledger: 'main/unit', first: 0, last: 2 }, signal)).rejects.toThrow('ends before') // oxfmt-ignore
      await close()
    },
  )

  it('tells how many copies there are, and which bytes', async () => {
    const { destination, attempt, close } = await tried({}, {})
    await destination.send(destination.render(records.slice(0, 1), attemptId({ mark: 1 })), signal)
    const [first, second] = await destination.look(attempt, signal)
    expect([first, second]).toMatchObject([
      { kind: 'present', copies: 2 },
      { kind: 'present', copies: 1 },
    ])
    await close()
  })

  it('asks for many records by range', async () => {
    const { destination, attempt, close } = await tried({}, {}, 300)
    const findings = await destination.look(attempt, signal)
    expect(findings.filter(({ kind }) => kind === 'present').length).toBe(300)
    await close()
  })
})
