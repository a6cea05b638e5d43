import type { Answer } from './destination.ts'
import type { Outgoing, OutgoingRequest } from './outgoing.ts'
import { isTokenRefused } from './splunk-answers.ts'
import type { Token, Tokens } from './tokens.ts'

export type CollectorRequest = Omit<OutgoingRequest, 'method' | 'headers'> & { channel: string; cookie?: string }

/** Requests to an HTTP Event Collector with a token, in a channel. */
export interface Collector {
  /**
   * With the token that works; one that is refused makes way for the other one. Sending the same attempt again in the same channel is
   * safe then and only then: the token is judged before the body is read (`proofline destinations check` relies on it, too), so a refusal
   * by HEC's own code says that nothing was stored and no acknowledgement id was given out. Each token is tried once, and the second
   * request keeps to the same send_before and deadline. A crash in between leaves an attempt without outcome, in doubt as any other.
   */
  post(request: CollectorRequest, signal: AbortSignal): Promise<Answer>
  /** With this token and no other. */
  postWith(token: Token, request: CollectorRequest, signal: AbortSignal): Promise<Answer>
}

export function createCollector(outgoing: Pick<Outgoing, 'request'>, tokens: Tokens): Collector {
  async function postWith(token: Token, request: CollectorRequest, signal: AbortSignal): Promise<Answer> {
    const { channel, cookie, ...rest } = request
    const headers = {
      authorization: `Splunk ${token.secret.reveal()}`,
      'content-type': 'application/json',
      'x-splunk-request-channel': channel,
      ...(cookie === undefined ? {} : { cookie }),
    }
    const answer = await outgoing.request({ ...rest, method: 'POST', headers }, signal)
    return answer.kind === 'expired' ? answer : { ...answer, token: token.fingerprint }
  }

  async function post(request: CollectorRequest, signal: AbortSignal): Promise<Answer> {
    // The body is needed until the last try: it is given back when every try that read it has let go of it.
    const { left, ...rest } = request
    const tried = new Set<string>()
    let letGo = 0
    let answer: Answer | undefined
    for (;;) {
      const token = (await tokens.inOrder()).find(({ fingerprint }) => !tried.has(fingerprint))
      if (token === undefined) break
      tried.add(token.fingerprint)
      answer = await postWith(token, { ...rest, ...(left === undefined ? {} : { left: () => letGo++ }) }, signal)
      if (!isTokenRefused(answer)) {
        if (answer.kind === 'answer' && answer.status === 200) tokens.worked(token)
        break
      }
      tokens.refused()
    }
    if (answer === undefined) throw new Error('a collector needs a token')
    if (letGo === tried.size && request.body !== undefined) left?.(request.body)
    return answer
  }

  return { post, postWith }
}
