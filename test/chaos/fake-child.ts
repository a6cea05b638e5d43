import { hash } from 'node:crypto'
import { startFakeBulk } from '../support/bulk.ts'
import { createRandom, type FailMode, modesOf } from '../support/fail-modes.ts'
import { type FakeHecOptions, startFakeHec } from '../support/hec.ts'

/** A Splunk or an Elastic in a process of its own, that misbehaves by a seed until it is told to behave. */

export type FakeInput =
  | { type: 'splunk'; hec: FakeHecOptions; lyingAck?: boolean; searchDown?: boolean }
  | { type: 'elastic'; maxBodyBytes: number }

export type FakeOrder = { order: 'misbehave'; share: number; seed: number } | { order: 'behave' } | { order: 'report' }

export interface FakeStarted {
  url: string
  searchUrl?: string
}

/** What is there: each id, the SHA-256 of its bytes, its copies and how many of them say that they may be one. */
export interface FakeReport {
  held: [id: string, digest: string, copies: number, marked: number][]
  requests: number
  failed: number
}

const input = JSON.parse(process.argv[2] ?? '') as FakeInput // the test's
const send = (message: FakeStarted | FakeReport | 'done'): void => void process.send?.(message)
process.once('disconnect', () => process.exit(0))

/** What depends on the size of a request does so always, so it is no matter of chance. */
const atRandom = (by: 'hec' | 'bulk'): FailMode[] =>
  modesOf({ by }).filter((mode) => !mode.startsWith('too-large') && mode !== 'slow')

if (input.type === 'splunk') {
  const fake = await startFakeHec(input.hec)
  let flutter: NodeJS.Timeout | undefined
  const behave = (): void => {
    clearInterval(flutter)
    fake.failAtRandom(0, [], 0)
    Object.assign(fake, { searchDown: false, peerMissing: false })
    Object.assign(fake.acks, { broken: undefined, loses: () => false, silent: false })
  }
  const misbehave = (share: number, seed: number): void => {
    const random = createRandom(seed ^ 0x5eed)
    fake.failAtRandom(share, atRandom('hec'), seed)
    if (input.lyingAck === true) fake.acks.loses = () => random() < 0.3
    const broken = [
      { status: 400, body: { text: 'ACK is disabled', code: 14 } },
      { status: 200, body: '<html>welcome</html>' },
      { status: 503, body: { text: 'ack service unavailable', code: 19 } },
      { status: 200, body: '{"acks":{"7":true}}' },
    ]
    flutter = setInterval(() => {
      fake.searchDown = input.searchDown === true || random() < 0.1
      fake.peerMissing = random() < 0.1
      fake.acks.broken = random() < 0.2 ? broken[Math.floor(random() * broken.length)] : undefined
      fake.acks.silent = random() < 0.1
    }, 150)
  }
  process.on('message', (order: FakeOrder) => {
    if (order.order === 'report') {
      const held = fake.ids().map((id): FakeReport['held'][number] => {
        const event = fake.event(id)
        return [id, fake.digest(id) ?? '', event?.copies ?? 0, event?.marked ?? 0]
      })
      return send({ held, requests: fake.counters.requests, failed: fake.failed() })
    }
    behave()
    if (order.order === 'misbehave') misbehave(order.share, order.seed)
    send('done')
  })
  send({ url: fake.url, searchUrl: fake.searchUrl })
} else {
  const fake = await startFakeBulk({ maxBodyBytes: input.maxBodyBytes })
  let flutter: NodeJS.Timeout | undefined
  process.on('message', (order: FakeOrder) => {
    if (order.order === 'report') {
      const held = fake.ids().map((id): FakeReport['held'][number] => {
        const event = (fake.source(id)?.['event'] ?? {}) as { original?: string }
        return [id, hash('sha256', event.original ?? '', 'hex'), fake.copies(id), 0]
      })
      return send({ held, requests: fake.counters.requests, failed: fake.failed() })
    }
    clearInterval(flutter)
    fake.failAtRandom(0, [], 0)
    fake.searchDown = false
    if (order.order === 'misbehave') {
      const random = createRandom(order.seed ^ 0x5eed)
      fake.failAtRandom(order.share, atRandom('bulk'), order.seed)
      flutter = setInterval(() => void (fake.searchDown = random() < 0.15), 150)
    }
    send('done')
  })
  send({ url: fake.url })
}
