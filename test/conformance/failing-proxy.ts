import type { IncomingMessage, ServerResponse } from 'node:http'
import { createFailures, type Failures, listen, readBody, sendCut, sendHtml, sendJson } from '../support/http-fake.ts'

/** Stands before a real server and fails as the fakes do: requests that carry records are lost before it, or their answers behind it. */
export interface FailingProxy extends Pick<Failures, 'failNext'> {
  url: string
  /** Whatever else is asked is answered 503. */
  blind: boolean
  /** Answers that the client did not get, though the server had done what was asked. */
  lost: number
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
    close: () => front.close(),
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isCarrier = (request.url ?? '').startsWith(carries)
    if (proxy.blind && !isCarrier) return sendJson(response, 503, { error: { type: 'blind' } })
    const mode = isCarrier ? failures.take() : undefined
    if (mode === 'drop-while-writing') return void request.socket.destroy()
    const body = await readBody(request, 64 * 1024 * 1024)
    if (body === 'too-large') throw new Error('nobody sends as much')
    switch (mode) {
      case 'drop-before-storing':
        return void request.socket.destroy()
      case 'timeout-before-storing':
        return
      case '500-before-storing':
        return sendJson(response, 500, { error: { type: 'internal' } })
      case 'not-json-before-storing':
        return sendHtml(response, 200)
      case 'busy':
        return sendHtml(response, 503)
      case 'too-many':
        return sendJson(response, 429, { error: { type: 'es_rejected_execution_exception' } }, { 'retry-after': '0' })
      case 'too-large':
        return sendHtml(response, 413)
      case 'wrong-token':
        return sendJson(response, 401, { error: { type: 'security_exception' } })
      case 'redirect':
        return sendHtml(response, 302, { location: 'http://127.0.0.1:9/login' })
      default:
    }
    const { host: _, connection: _c, 'content-length': _l, 'transfer-encoding': _t, 'content-encoding': _e, ...headers } = request.headers // oxfmt-ignore
    const answer = await fetch(`${upstream}${request.url}`, {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      ...(body.length === 0 ? {} : { body: new Uint8Array(body) }),
    })
    const text = await answer.text()
    if (mode !== undefined && mode !== 'slow') proxy.lost++
    switch (mode) {
      case 'drop-after-storing':
        return void request.socket.destroy()
      case 'timeout-after-storing':
        return
      case '500-after-storing':
        return sendJson(response, 500, { error: { type: 'internal' } })
      case 'html-502-after-storing':
        return sendHtml(response, 502)
      case 'garbled-after-storing':
        return sendJson(response, 200, text.slice(0, 20))
      case 'cut-after-storing':
        return sendCut(response, text)
      default:
        response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' })
        response.end(text)
    }
  }

  const front = await listen(handle)
  proxy.url = front.url
  return proxy
}
