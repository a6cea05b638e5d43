import type { IncomingMessage, ServerResponse } from 'node:http'
import { bulkWords } from '../support/bulk.ts'
import { createFailures, type Failures } from '../support/fail-modes.ts'
import { listen, readBody, sendJson } from '../support/http-fake.ts'
import { failAfterStoring, failBeforeStoring, failWhileReading } from '../support/misbehave.ts'

/** Stands before a real server and fails as the fakes do: requests that carry records are lost before it, or their answers behind it. */
export interface FailingProxy extends Pick<Failures, 'failNext'> {
  url: string
  /** Whatever else is asked is answered 503. */
  blind: boolean
  /** Answers that the client did not get, though the server had done what was asked. */
  lost: number
  connections(): Promise<number>
  close(): Promise<void>
}

/** `carries`: the path that carries records. */
export async function startFailingProxy(upstream: string, carries: string): Promise<FailingProxy> {
  const failures = createFailures()
  const proxy: FailingProxy = {
    url: '',
    blind: false,
    lost: 0,
    failNext: failures.failNext,
    connections: () => front.connections(),
    close: () => front.close(),
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isCarrier = (request.url ?? '').startsWith(carries)
    if (proxy.blind && !isCarrier) return sendJson(response, 503, { error: { type: 'blind' } })
    const mode = isCarrier ? failures.take() : undefined
    if (failWhileReading(mode, request, response)) return
    const body = await readBody(request, 64 * 1024 * 1024)
    if (body === 'too-large') throw new Error('nobody sends as much')
    const send = (): Promise<Response> => pass(request, body)
    if (failBeforeStoring(mode, request, response, bulkWords, send)) return
    const answer = await send()
    const text = await answer.text()
    if (mode !== undefined && mode !== 'slow') proxy.lost++
    if (await failAfterStoring(mode, request, response, bulkWords, text)) return
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' })
    response.end(text)
  }

  function pass(request: IncomingMessage, body: Buffer): Promise<Response> {
    const { host: _, connection: _c, 'content-length': _l, 'transfer-encoding': _t, 'content-encoding': _e, ...headers } = request.headers // oxfmt-ignore
    return fetch(`${upstream}${request.url}`, {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      ...(body.length === 0 ? {} : { body: new Uint8Array(body) }),
    })
  }

  const front = await listen(handle)
  proxy.url = front.url
  return proxy
}
