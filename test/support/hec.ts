import { planted } from './secrets.ts'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createFailures, type FailMode, type Failures } from './fail-modes.ts'
import { type AckQuirks, createHecAcks } from './hec-acks.ts'
import { createHecEvents, type StoreRules } from './hec-events.ts'
import { type Counters, listen, readBody, sendHtml, sendJson } from './http-fake.ts'
import { failAfterStoring, failBeforeStoring, failWhileReading, type Words } from './misbehave.ts'
import { answerSearch, type SplunkEvent } from './spl.ts'

/**
 * A Splunk of our own: HTTP Event Collector and the search of the management port, each a real HTTP server. HEC merges nothing: what is
 * sent twice is there twice. Bounded: it refuses more than `maxEvents`.
 */

export interface FakeHecOptions {
  port?: number
  /** An address of its own, as one node of several has. */
  host?: string
  /** A second token that is taken, as during a rotation. */
  otherToken?: string
  searchPort?: number
  token?: string
  searchToken?: string
  /** bytes: keeps the events, for digests; ids: only which and how often (benchmark). */
  keep?: 'bytes' | 'ids'
  maxEvents?: number
  maxBodyBytes?: number
  useAck?: boolean
  /** An acknowledgement turns true this long after the event was stored; never for Infinity. */
  ackAfterMs?: number
  /** What the first acknowledgement of a channel is called. */
  ackFrom?: number
  /** Events are found this long after they were stored. */
  visibleAfterMs?: number
  onBadEvent?: StoreRules['onBadEvent']
  /** The number that is told of a bad event, from 0: real ones have been measured to be one off (SIEM.md 1.7). */
  badEventOff?: number
}

export interface FakeHec extends Omit<Failures, 'take'> {
  url: string
  searchUrl: string
  /** As in the options; may be changed while it runs. */
  token: string
  searchToken: string
  counters: Counters & { searches: number; acks: number; canaries: number }
  acks: AckQuirks
  /** Which events HEC refuses, and with which code; called with each id. */
  refuse: (id: string) => number | undefined
  /** Codes that the next requests are answered with, nothing stored. */
  answerNext(status: number, body: unknown, headers?: Record<string, string>): void
  ids(): string[]
  copies(id: string): number
  event(id: string): SplunkEvent | undefined
  /** SHA-256 of the event's bytes as they stood in the request, like sha256(_raw). */
  digest(id: string): string | undefined
  /** Deletes an event, as an administrator would. */
  forget(id: string): boolean
  tokenDisabled: boolean
  otherToken: string | undefined
  /** Requests with a token that is not known, and what happens before one is answered. */
  refusals: number
  beforeRefusing: () => void
  useAck: boolean
  /** What the next questions for acknowledgements are answered with. */
  answerAckNext(status: number, body: unknown): void
  /** As in the options; to be changed while it runs. */
  ackAfterMs: number
  /** Which indexes the token may write to; all unless told. */
  allowsIndex: (index: string) => boolean
  /** Indexes whose events are accepted and thrown away: deleted behind the token's back. */
  discards: (index: string) => boolean
  searchDown: boolean
  /** Searches answer as if a peer were missing. */
  peerMissing: boolean
  /** Searches are answered with 200 and only so many of their rows. */
  searchRows: number
  /** Open to the collector. */
  connections(): Promise<number>
  close(): Promise<void>
}

const words: Words = {
  internal: { text: 'Internal server error', code: 8 },
  busy: { text: 'Server is busy', code: 9 },
  tooMany: { text: 'HEC queue at capacity', code: 26 },
  wrongToken: { status: 403, body: { text: 'Invalid token', code: 4 } },
}
const notFound = { text: 'The requested URL was not found on this server.', code: 404 }

export async function startFakeHec(options: FakeHecOptions = {}): Promise<FakeHec> {
  const {
    token = planted('hec-token'),
    searchToken = planted('search-token'),
    keep = 'bytes',
    maxEvents = 4_000_000,
  } = options
  const { maxBodyBytes = 64 * 1024 * 1024, useAck = false, ackAfterMs = 0, ackFrom = 0 } = options
  const { visibleAfterMs = 0, onBadEvent = 'keep-prefix', badEventOff = 0 } = options
  const events = createHecEvents(keep, maxEvents)
  const failures = createFailures()
  const acks = createHecAcks(ackAfterMs, ackFrom)
  const ackAnswers: { status: number; body: unknown }[] = []
  const answers: { status: number; body: unknown; headers: Record<string, string> }[] = []
  const counters = Object.assign(events.counters, { requests: 0, bytes: 0, searches: 0, acks: 0 })

  const fake: FakeHec = {
    url: '', searchUrl: '', token, searchToken, counters,
    acks: acks.quirks,
    failNext: failures.failNext,
    failAtRandom: failures.failAtRandom,
    failed: failures.failed,
    refuse: () => undefined,
    answerNext: (status, body, headers = {}) => void answers.push({ status, body, headers }),
    ids: () => events.ids(),
    copies: (id) => events.get(id)?.copies ?? 0,
    event: (id) => events.get(id),
    digest: (id) => events.digest(id),
    forget: (id) => events.forget(id),
    get ackAfterMs() { return acks.quirks.afterMs },
    set ackAfterMs(ms) { acks.quirks.afterMs = ms },
    allowsIndex: () => true, discards: () => false,
    answerAckNext: (status, body) => void ackAnswers.push({ status, body }),
    useAck, otherToken: options.otherToken, refusals: 0, beforeRefusing: () => {},
    tokenDisabled: false, searchDown: false, peerMissing: false, searchRows: Infinity,
    connections: () => collector.connections(),
    async close() {
      await Promise.all([collector.close(), search.close()])
    },
  } // oxfmt-ignore

  async function collect(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?')[0]?.replace(/\/1\.0$/, '')
    if (path === '/services/collector/health') return sendJson(response, 200, { text: 'HEC is healthy', code: 17 })
    const { authorization = '' } = request.headers
    if (authorization === '') return sendJson(response, 401, { text: 'Token is required', code: 2 })
    if (!authorization.startsWith('Splunk ')) return sendJson(response, 401, { text: 'Invalid authorization', code: 3 })
    if (![fake.token, fake.otherToken].some((one) => one !== undefined && authorization === `Splunk ${one}`)) {
      fake.refusals++
      fake.beforeRefusing()
      return sendJson(response, 403, { text: 'Invalid token', code: 4 })
    }
    if (fake.tokenDisabled) return sendJson(response, 403, { text: 'Token disabled', code: 1 })
    const channel = String(
      request.headers['x-splunk-request-channel'] ??
        new URL(request.url ?? '', 'http://x').searchParams.get('channel') ??
        '',
    )
    // Ids are counted for each channel of each token.
    const ackKey = `${authorization} ${channel}`
    if (path === '/services/collector/ack') return answerAck(request, response, ackKey)
    if (path !== '/services/collector/event') return sendJson(response, 404, notFound)
    if (fake.useAck && channel === '') return sendJson(response, 400, { text: 'Data channel is missing', code: 10 })
    if (fake.useAck && !/^[0-9a-f-]{36}$/i.test(channel))
      return sendJson(response, 400, { text: 'Invalid data channel', code: 11 })
    counters.requests++
    const mode = failures.take()
    if (failWhileReading(mode, request, response)) return
    const body = await readBody(request, maxBodyBytes)
    if (body === 'too-large') return sendHtml(response, 413)
    counters.bytes += body.length
    if (body.length === 0) return sendJson(response, 400, { text: 'No data', code: 5 })
    const planned = answers.shift()
    if (planned !== undefined) return sendJson(response, planned.status, planned.body, planned.headers)
    const rules = { refuse: fake.refuse, onBadEvent, discards: fake.discards }
    if (failBeforeStoring(mode, request, response, words, () => events.store(body, rules))) return
    if (failAtAdmission(mode, response)) return
    const missing = [...body.toString('latin1').matchAll(/"index":"([^"]*)"/g)].findIndex(
      ([, index]) => !fake.allowsIndex(index ?? ''),
    )
    const bad =
      missing >= 0 ? { code: 7, number: missing } : events.store(body, { ...rules, ...prefixOf(mode, body, rules) })
    if (bad !== undefined && fake.useAck && acks.quirks.ofPrefixes) acks.stored(ackKey)
    if (bad !== undefined)
      return sendJson(response, bad.code === 9 ? 503 : 400, {
        text: 'Bad event',
        code: bad.code,
        'invalid-event-number': bad.number + badEventOff,
      })
    const reply: Record<string, unknown> = { text: 'Success', code: 0 }
    if (mode === 'near-capacity') Object.assign(reply, { text: 'HEC queue approaching capacity', code: 24 })
    if (mode === 'near-ack-capacity') Object.assign(reply, { text: 'HEC ACK approaching capacity', code: 25 })
    if (fake.useAck) {
      const ackId = acks.stored(ackKey)
      if (!acks.quirks.silent) reply['ackId'] = ackId
    }
    if (mode === 'shutting-down-after-storing')
      return sendJson(response, 503, { text: 'Server is shutting down', code: 23 })
    if (await failAfterStoring(mode, request, response, words, JSON.stringify(reply))) return
    sendJson(response, 200, reply)
  }

  async function answerAck(request: IncomingMessage, response: ServerResponse, channel: string): Promise<void> {
    counters.acks++
    const body = await readBody(request, 65_536)
    const planned = ackAnswers.shift()
    if (planned !== undefined) return sendJson(response, planned.status, planned.body)
    const { broken } = acks.quirks
    if (broken !== undefined)
      return typeof broken.body === 'string' && broken.body.startsWith('<')
        ? sendHtml(response, broken.status)
        : sendJson(response, broken.status, broken.body)
    if (!fake.useAck) return sendJson(response, 400, { text: 'ACK is disabled', code: 14 })
    const asked = (JSON.parse(body.toString()) as { acks: number[] }).acks
    sendJson(response, 200, { acks: acks.ask(channel, asked) })
  }

  async function find(request: IncomingMessage, response: ServerResponse): Promise<void> {
    counters.searches++
    if (fake.searchDown) return sendHtml(response, 503)
    if (request.headers.authorization !== `Bearer ${fake.searchToken}`)
      return sendJson(response, 401, { messages: [{ type: 'WARN', text: 'call not properly authenticated' }] })
    const body = await readBody(request, 1_048_576)
    const form = new URLSearchParams(body.toString())
    const text = form.get('search') ?? ''
    const visible = [...events.some(text)].filter(({ storedAt }) => Date.now() - storedAt >= visibleAfterMs)
    const [earliest, latest] = [Number(form.get('earliest_time')), Number(form.get('latest_time'))]
    const rows = answerSearch(text, visible, earliest, latest, events.raw)
    const lines: unknown[] = rows
      .slice(0, fake.searchRows)
      .map((result, offset) => ({ preview: false, offset, result }))
    if (fake.peerMissing)
      lines.push({
        messages: [{ type: 'WARN', text: 'Search results might be incomplete: the search peer idx2 is down' }],
      })
    sendJson(response, 200, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  }

  const collector = await listen(collect, options.port, options.host)
  const search = await listen(find, options.searchPort)
  fake.url = collector.url
  fake.searchUrl = search.url
  return fake
}

/** What only HEC says, decided before anything is parsed. */
function failAtAdmission(mode: FailMode | undefined, response: ServerResponse): boolean {
  if (mode === 'shutting-down-before-storing') sendJson(response, 503, { text: 'Server is shutting down', code: 23 })
  else if (mode === 'acks-full') sendJson(response, 429, { text: 'HEC ACK channel at capacity', code: 27 })
  else if (mode === 'bad-gzip') sendHtml(response, 400)
  else return false
  return true
}

/** Queues that fill up in the middle of a request: the first half is kept. */
function prefixOf(mode: FailMode | undefined, body: Buffer, rules: StoreRules): Partial<StoreRules> {
  if (mode !== 'busy-after-prefix') return rules
  return { stopAt: Math.floor((body.toString('latin1').split('\n').length - 1) / 2), onBadEvent: 'keep-prefix' }
}
