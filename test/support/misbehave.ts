import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FailMode } from './fail-modes.ts'
import { sendCut, sendEndless, sendHtml, sendJson } from './http-fake.ts'

/** What every HTTP server can do wrong, in the words of one protocol. */
export interface Words {
  internal: unknown
  busy: unknown
  tooMany: unknown
  wrongToken: { status: number; body: unknown }
}

/** Until when a late store waits, when nobody told it otherwise. */
const lateMs = 900

/** Before the body is read. True when that was all. */
export function failWhileReading(mode: FailMode | undefined, request: IncomingMessage, response: ServerResponse) {
  if (mode === 'drop-while-writing') request.socket.destroy()
  else if (mode === 'too-large-early') {
    sendHtml(response, 413, { connection: 'close' })
    request.resume()
  } else return false
  return true
}

/** With the body read and nothing stored. True when that was all; `store` is for the mode that does so later. */
export function failBeforeStoring(
  mode: FailMode | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  words: Words,
  store: () => unknown,
): boolean {
  switch (mode) {
    case 'drop-before-storing':
      request.socket.destroy()
      return true
    case 'timeout-before-storing':
      return true
    case 'store-late':
      setTimeout(store, lateMs)
      return true
    case '500-before-storing':
      sendJson(response, 500, words.internal)
      return true
    case 'html-503-before-storing':
      sendHtml(response, 503)
      return true
    case 'not-json-before-storing':
      sendHtml(response, 200)
      return true
    case 'head-before-storing':
    case 'cut-before-storing':
      sendCut(response, '{"text":"Success","code":0}', mode === 'head-before-storing' ? 0 : 0.5)
      return true
    case 'endless-before-storing':
      sendEndless(response)
      return true
    case 'busy':
      sendJson(response, 503, words.busy)
      return true
    case 'too-many':
      sendJson(response, 429, words.tooMany, { 'retry-after': '0' })
      return true
    case 'too-large':
      sendHtml(response, 413)
      return true
    case 'unsupported-encoding':
      sendHtml(response, 415)
      return true
    case 'wrong-token':
      sendJson(response, words.wrongToken.status, words.wrongToken.body)
      return true
    case 'proxy-credentials':
      sendHtml(response, 407, { 'proxy-authenticate': 'Basic realm="proxy"' })
      return true
    case 'redirect':
      sendHtml(response, 303, { location: 'http://127.0.0.1:9/login?session=1' })
      return true
    default:
      return false
  }
}

/** With everything stored, instead of `reply`. False when it is to be answered as it should. */
export async function failAfterStoring(
  mode: FailMode | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  words: Words,
  reply: string,
): Promise<boolean> {
  switch (mode) {
    case 'drop-after-storing':
      request.socket.destroy()
      return true
    case 'timeout-after-storing':
      return true
    case '500-after-storing':
      sendJson(response, 500, words.internal)
      return true
    case 'html-502-after-storing':
      sendHtml(response, 502)
      return true
    case 'html-504-after-storing':
      sendHtml(response, 504)
      return true
    case 'garbled-after-storing':
      sendJson(response, 200, reply.slice(0, 9))
      return true
    case 'not-json-after-storing':
      sendHtml(response, 200)
      return true
    case 'head-after-storing':
    case 'cut-after-storing':
      sendCut(response, reply, mode === 'head-after-storing' ? 0 : 0.5)
      return true
    case 'endless-after-storing':
      sendEndless(response)
      return true
    case 'slow':
      await new Promise((resolve) => setTimeout(resolve, 150))
      return false
    default:
      return false
  }
}
