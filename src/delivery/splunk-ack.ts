import type { Collector } from './collector.ts'
import type { Attempt } from './destination.ts'
import type { Outgoing } from './outgoing.ts'
import { ackedOf, firstAckIds, isAckOff } from './splunk-answers.ts'
import type { Token, Tokens } from './tokens.ts'

export interface AckDeps {
  collector: Pick<Collector, 'postWith'>
  outgoing: Pick<Outgoing, 'addresses'>
  tokens: Pick<Tokens, 'find' | 'inOrder'>
  requestTimeoutMs: number
}

/** `pending` means nothing: not yet, lost, told already, or asked of another node. `over`: no acknowledgement will ever come. */
export type Acknowledged = { kind: 'yes'; ackId: number } | { kind: 'pending' } | { kind: 'over' }

/**
 * Asks for the acknowledgement of one attempt: of the node that took it, with the token and the cookies it was sent with. A channel was
 * made for the attempt alone, so its only id is a first one, and it can be asked for although the answer was lost. Where it went is
 * unknown after a crash: then every address of the name is asked, with every token. Only one of them has the channel, and `true` is told
 * once, so they are asked one after the other; the caller stores it before it does anything else.
 */
export function createAckPoll(deps: AckDeps) {
  return async function poll({ id, trail = {} }: Attempt, signal: AbortSignal): Promise<Acknowledged> {
    const ids = trail.ackId === undefined ? firstAckIds : [trail.ackId]
    const request = {
      path: `/services/collector/ack?channel=${id.channel}`,
      channel: id.channel,
      body: Buffer.from(JSON.stringify({ acks: ids })),
      timeoutMs: deps.requestTimeoutMs,
      ...(trail.cookie === undefined ? {} : { cookie: trail.cookie }),
    }
    const tokens = await tokensOf(trail.token)
    let asked = 0
    let off = 0
    async function askAt(address: string): Promise<number | 'no' | 'unreached'> {
      let isReached = false
      for (const token of tokens) {
        const answer = await deps.collector.postWith(token, { ...request, address }, signal)
        const acked = ackedOf(answer, ids)
        if (acked !== undefined) return acked
        if (isAckOff(answer)) off++
        asked++
        isReached ||= answer.kind === 'answer' || (answer.kind === 'failure' && answer.wrote)
      }
      return isReached ? 'no' : 'unreached'
    }

    const first = trail.address === undefined ? 'unreached' : await askAt(trail.address)
    if (typeof first === 'number') return { kind: 'yes', ackId: first }
    if (first === 'unreached') {
      // Also when the address is gone: a load balancer has several, and its cookie leads to the same node from each.
      for (const address of await deps.outgoing.addresses()) {
        const other = address === trail.address ? 'no' : await askAt(address)
        if (typeof other === 'number') return { kind: 'yes', ackId: other }
      }
    }
    return { kind: asked > 0 && off === asked ? 'over' : 'pending' }
  }

  async function tokensOf(fingerprint: string | undefined): Promise<readonly Token[]> {
    const own = fingerprint === undefined ? undefined : await deps.tokens.find(fingerprint)
    return own === undefined ? deps.tokens.inOrder() : [own]
  }
}
