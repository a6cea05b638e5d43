import { hash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  type Counters,
  createFailures,
  type Failures,
  listen,
  readBody,
  sendCut,
  sendHtml,
  sendJson,
} from './http-fake.ts'
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
  /** bytes: keeps the events, for digests; ids: only which and how often (demo, benchmark). */
  keep?: 'bytes' | 'ids'
  maxEvents?: number
  maxBodyBytes?: number
  useAck?: boolean
  /** An acknowledgement turns true this long after the event was stored; never for Infinity. */
  ackAfterMs?: number
  /** Events are found this long after they were stored. */
  visibleAfterMs?: number
  /** What becomes of the events before a bad one: open question on real ones (SIEM.md 1.7). */
  onBadEvent?: 'keep-prefix' | 'atomic'
}

export interface FakeHec extends Pick<Failures, 'failNext'> {
  url: string
  searchUrl: string
  /** As in the options; may be changed while it runs. */
  token: string
  searchToken: string
  counters: Counters & { searches: number; acks: number; canaries: number }
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
  /** As in the options; to be changed while it runs. */
  ackAfterMs: number
  useAck: boolean
  /** What the next questions for acknowledgements are answered with. */
  answerAckNext(status: number, body: unknown): void
  /** Which indexes the token may write to; all unless told. */
  allowsIndex: (index: string) => boolean
  searchDown: boolean
  /** Searches answer as if a peer were missing. */
  peerMissing: boolean
  close(): Promise<void>
}

const idMark = Buffer.from('"proofline_id":"')
const eventMark = Buffer.from('},"event":')

export async function startFakeHec(options: FakeHecOptions = {}): Promise<FakeHec> {
  const {
    token = 'hec-token',
    searchToken = 'search-token',
    keep = 'bytes',
    maxEvents = 4_000_000,
    maxBodyBytes = 64 * 1024 * 1024,
  } = options
  const { useAck = false, ackAfterMs = 0, visibleAfterMs = 0, onBadEvent = 'keep-prefix' } = options
  const failures = createFailures()
  const events = new Map<string, SplunkEvent>()
  const canaries = new Map<string, SplunkEvent>()
  const acks = new Map<string, number[]>()
  const ackAnswers: { status: number; body: unknown }[] = []
  const answers: { status: number; body: unknown; headers: Record<string, string> }[] = []
  const counters = { requests: 0, stored: 0, duplicates: 0, bytes: 0, searches: 0, acks: 0, canaries: 0 }

  const fake: FakeHec = {
    url: '', searchUrl: '', token, searchToken, counters,
    failNext: failures.failNext,
    refuse: () => undefined,
    answerNext: (status, body, headers = {}) => void answers.push({ status, body, headers }),
    ids: () => [...events.keys()],
    copies: (id) => events.get(id)?.copies ?? 0,
    event: (id) => events.get(id),
    digest(id) {
      const raw = events.get(id)?.raw
      return raw === undefined ? undefined : hash('sha256', raw, 'hex')
    },
    forget: (id) => events.delete(id),
    answerAckNext: (status, body) => void ackAnswers.push({ status, body }),
    ackAfterMs, useAck, allowsIndex: () => true,
    tokenDisabled: false, otherToken: options.otherToken, refusals: 0, beforeRefusing: () => {}, searchDown: false, peerMissing: false,
    async close() {
      await Promise.all([collector.close(), search.close()])
    },
  } // oxfmt-ignore

  function keepEvent(line: Buffer, at: number): void {
    const idAt = line.indexOf(idMark, at) + idMark.length
    const isCanary = idAt < idMark.length
    const fields =
      keep === 'bytes' || isCanary ? (JSON.parse(line.subarray(at).toString()) as Record<string, unknown>) : undefined
    const inner = (fields?.['fields'] ?? {}) as Record<string, string>
    const id = isCanary ? (inner['proofline_canary'] ?? '') : line.toString('latin1', idAt, line.indexOf(0x22, idAt))
    const into = isCanary ? canaries : events
    const known = into.get(id)
    if (isCanary) counters.canaries++
    else counters.stored++
    if (known !== undefined) {
      known.copies++
      counters.duplicates++
      return
    }
    if (events.size >= maxEvents) throw new Error('the fake is full')
    const eventAt = line.indexOf(eventMark, at)
    const raw =
      keep === 'bytes' || isCanary ? Buffer.from(line.subarray(eventAt + eventMark.length, line.length - 1)) : undefined
    into.set(id, { id, copies: 1, storedAt: Date.now(), raw, envelope: fields, fields: inner })
  }

  /** Stores line by line; answers with the first bad event's code and number. */
  function storeBody(body: Buffer): { code: number; number: number } | undefined {
    const lines: Buffer[] = []
    for (let at = 0; at < body.length;) {
      let end = body.indexOf(0x0a, at)
      if (end < 0) end = body.length
      if (end > at) lines.push(body.subarray(at, end))
      at = end + 1
    }
    let bad: { code: number; number: number } | undefined
    for (const [number, line] of lines.entries()) {
      const idAt = line.indexOf(idMark) + idMark.length
      const code = fake.refuse(idAt < idMark.length ? '' : line.toString('latin1', idAt, line.indexOf(0x22, idAt)))
      if (code !== undefined) {
        bad = { code, number }
        break
      }
    }
    const kept = bad === undefined ? lines : onBadEvent === 'atomic' ? [] : lines.slice(0, bad.number)
    for (const line of kept) keepEvent(line, 0)
    return bad
  }

  async function collect(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?')[0]
    if (path === '/services/collector/health') return sendJson(response, 200, { text: 'HEC is healthy', code: 17 })
    const shown = request.headers.authorization
    const isKnown = [fake.token, fake.otherToken].some((one) => one !== undefined && shown === `Splunk ${one}`)
    if (!isKnown) {
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
    const ackKey = `${shown} ${channel}`
    if (path === '/services/collector/ack') return answerAck(request, response, ackKey)
    if (path !== '/services/collector/event')
      return sendJson(response, 404, { text: 'The requested URL was not found on this server.', code: 404 })
    if (fake.useAck && channel === '') return sendJson(response, 400, { text: 'Data channel is missing', code: 10 })
    counters.requests++
    const mode = failures.take()
    if (mode === 'drop-while-writing') return void request.socket.destroy()
    const body = await readBody(request, maxBodyBytes)
    if (body === 'too-large' || mode === 'too-large') return sendHtml(response, 413)
    counters.bytes += body.length
    if (body.length === 0) return sendJson(response, 400, { text: 'No data', code: 5 })
    const planned = answers.shift()
    if (planned !== undefined) return sendJson(response, planned.status, planned.body, planned.headers)
    switch (mode) {
      case 'drop-before-storing':
        return void request.socket.destroy()
      case 'timeout-before-storing':
        return
      case '500-before-storing':
        return sendJson(response, 500, { text: 'Internal server error', code: 8 })
      case 'not-json-before-storing':
        return sendHtml(response, 200)
      case 'busy':
        return sendJson(response, 503, { text: 'Server is busy', code: 9 })
      case 'too-many':
        return sendJson(response, 429, { text: 'HEC queue at capacity', code: 26 }, { 'retry-after': '0' })
      case 'wrong-token':
        return sendJson(response, 403, { text: 'Invalid token', code: 4 })
      case 'redirect':
        return sendHtml(response, 303, { location: 'http://127.0.0.1:9/login?session=1' })
      default:
    }
    const missing = [...body.toString('latin1').matchAll(/"index":"([^"]*)"/g)].findIndex(
      ([, index]) => !fake.allowsIndex(index ?? ''),
    )
    if (missing >= 0)
      return sendJson(response, 400, { text: 'Incorrect index', code: 7, 'invalid-event-number': missing })
    const bad = storeBody(body)
    if (bad !== undefined)
      return sendJson(response, 400, { text: 'Bad event', code: bad.code, 'invalid-event-number': bad.number })
    const reply: Record<string, unknown> = { text: 'Success', code: 0 }
    if (fake.useAck) {
      const times = acks.get(ackKey) ?? []
      reply['ackId'] = times.push(Date.now()) - 1
      acks.set(ackKey, times)
    }
    switch (mode) {
      case 'drop-after-storing':
        return void request.socket.destroy()
      case 'timeout-after-storing':
        return
      case '500-after-storing':
        return sendJson(response, 500, { text: 'Internal server error', code: 8 })
      case 'html-502-after-storing':
        return sendHtml(response, 502)
      case 'garbled-after-storing':
        return sendJson(response, 200, JSON.stringify(reply).slice(0, 9))
      case 'cut-after-storing':
        return sendCut(response, JSON.stringify(reply))
      case 'slow':
        await new Promise((resolve) => setTimeout(resolve, 150))
        break
      default:
    }
    sendJson(response, 200, reply)
  }

  /** `true` is told once, as Splunk does. */
  async function answerAck(request: IncomingMessage, response: ServerResponse, channel: string): Promise<void> {
    counters.acks++
    const body = await readBody(request, 65_536)
    const planned = ackAnswers.shift()
    if (planned !== undefined) return sendJson(response, planned.status, planned.body)
    if (!fake.useAck) return sendJson(response, 400, { text: 'ACK is disabled', code: 14 })
    const asked = (JSON.parse(body.toString()) as { acks: number[] }).acks
    const times = acks.get(channel) ?? []
    const told = asked.map((id) => {
      const at = times[id]
      const is = at !== undefined && Date.now() - at >= fake.ackAfterMs
      if (is) times[id] = Infinity
      return [String(id), is] as const
    })
    sendJson(response, 200, { acks: Object.fromEntries(told) })
  }

  async function find(request: IncomingMessage, response: ServerResponse): Promise<void> {
    counters.searches++
    if (fake.searchDown) return sendHtml(response, 503)
    if (request.headers.authorization !== `Bearer ${fake.searchToken}`)
      return sendJson(response, 401, { messages: [{ type: 'WARN', text: 'call not properly authenticated' }] })
    const body = await readBody(request, 1_048_576)
    const form = new URLSearchParams(body.toString())
    const visible = [...events.values(), ...canaries.values()].filter(
      ({ storedAt }) => Date.now() - storedAt >= visibleAfterMs,
    )
    const rows = answerSearch(
      form.get('search') ?? '',
      visible,
      Number(form.get('earliest_time')),
      Number(form.get('latest_time')),
    )
    const lines: unknown[] = rows.map((result, offset) => ({ preview: false, offset, result }))
    if (fake.peerMissing)
      lines.push({
        messages: [{ type: 'WARN', text: 'Search results might be incomplete: the search peer idx2 is down' }],
      })
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
    sendJson(response, 200, text)
  }

  const collector = await listen(collect, options.port, options.host)
  const search = await listen(find, options.searchPort)
  fake.url = collector.url
  fake.searchUrl = search.url
  return fake
}
