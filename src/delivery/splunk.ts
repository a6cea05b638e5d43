import { randomUUID } from 'node:crypto'
import { createBodyMemory, keptBodies } from './body.ts'
import { createCollector } from './collector.ts'
import type { Answer, Attempt, Destination } from './destination.ts'
import type { Outgoing } from './outgoing.ts'
import { type Acknowledged, createAckPoll } from './splunk-ack.ts'
import { ackReceipt, classifyHec } from './splunk-answers.ts'
import { createSplunkLook } from './splunk-look.ts'
import { createSplunkMeasure } from './splunk-measure.ts'
import { printSeconds, renderSplunk, splunkIndex, type SplunkRendering, splunkTarget } from './splunk-render.ts'
import type { SplunkSearch } from './splunk-search.ts'
import type { Tokens } from './tokens.ts'

export interface SplunkDeps {
  rendering: SplunkRendering
  outgoing: Outgoing
  tokens: Tokens
  proof: 'ack' | 'search' | 'answer'
  ackDeadlineMs: number
  requestTimeoutMs: number
  /** Absent where the management port cannot be reached, as on many clouds. */
  search?: { client: SplunkSearch; lagMs: number }
  now: () => Date
}

const indexOf = (target: string): string => target.slice(0, target.indexOf(' '))

const refuse = async (): Promise<never> => {
  throw new Error('comparing needs search.url')
}
const blind = { sum: refuse, sumBlocks: refuse, ids: refuse, originals: refuse, digests: refuse }

/** Splunk by HTTP Event Collector. */
export function createSplunk(deps: SplunkDeps): Destination {
  const { rendering, outgoing, search, now } = deps
  const memory = createBodyMemory(keptBodies)
  const collector = createCollector(outgoing, deps.tokens)
  const poll = createAckPoll({ ...deps, collector })

  async function acknowledged(attempt: Attempt, signal: AbortSignal): Promise<Acknowledged> {
    // After an answer with a code of an error `true` may be about those that were kept, and would settle the rest.
    if (attempt.trail?.partial === true) return { kind: 'over' }
    if (deps.proof !== 'ack' || now().getTime() > attempt.openedAt.getTime() + deps.ackDeadlineMs)
      return { kind: 'over' }
    return poll(attempt, signal)
  }

  /** A search costs Splunk far more than an acknowledgement, and finds nothing before it is indexed: what only waits for one is not searched. */
  const isWaiting = ({ openedAt, trail }: Attempt): boolean =>
    trail?.ackId !== undefined && now().getTime() < openedAt.getTime() + (search?.lagMs ?? 0)

  const searchFor =
    search === undefined
      ? undefined
      : createSplunkLook({
          search: search.client,
          lagMs: search.lagMs,
          now,
          indexOf: (target) => indexOf(target),
          sendCanary,
        })

  async function sendCanary(index: string, canary: string, signal: AbortSignal): Promise<boolean> {
    const at = now().getTime() * 1000
    const event = {
      host: rendering.publicHost,
      source: `${rendering.publicHost}/canary`,
      sourcetype: 'proofline:canary',
      index,
      fields: { proofline_canary: canary },
      event: { canary },
    }
    const body = Buffer.from(`{"time":${printSeconds(at)},${JSON.stringify(event).slice(1)}\n`)
    const request = { path: '/services/collector/event', channel: randomUUID(), body, timeoutMs: deps.requestTimeoutMs }
    const answer = await collector.post(request, signal)
    return classifyHec(answer, 1, 'answer').kind === 'delivered'
  }

  const targets = new Map<string, Map<string, string>>()

  const measure =
    search === undefined ? blind : createSplunkMeasure(search.client, (ledger) => splunkIndex(rendering, ledger), now)

  return {
    ...measure,
    target(record) {
      const ofLedger = targets.get(record.ledger) ?? new Map<string, string>()
      targets.set(record.ledger, ofLedger)
      const target = ofLedger.get(record.kind) ?? splunkTarget(rendering, record)
      ofLedger.set(record.kind, target)
      return target
    },
    render: (records, attempt) => renderSplunk(rendering, records, attempt, memory),
    send({ attempt, body }, signal): Promise<Answer> {
      const { sendBeforeMs, deadlineMs, channel } = attempt
      const path = '/services/collector/event'
      return collector.post({ path, channel, body, sendBeforeMs, deadlineMs, left: memory.giveBack }, signal)
    },
    classify({ records }, answer) {
      const outcome = classifyHec(answer, records.length, deps.proof)
      // Without a search nothing could ever prove what follows: better not to send it.
      const isBlind = outcome.kind === 'accepted' && outcome.weaker !== undefined && search === undefined
      return records.map(() => (isBlind ? { ...outcome, block: 'channel' } : outcome))
    },
    async look(attempt, signal) {
      const acked = await acknowledged(attempt, signal)
      if (acked.kind === 'yes') {
        const receipt = ackReceipt(attempt.id.channel, acked.ackId)
        return Array.from({ length: attempt.members }, () => ({ kind: 'present', copies: 1, receipt }))
      }
      const isPending = acked.kind === 'pending' && isWaiting(attempt)
      if (searchFor !== undefined && !isPending) return searchFor(attempt, signal)
      const reason = deps.proof === 'ack' ? 'not acknowledged' : 'there is neither acknowledgement nor search'
      return Array.from({ length: attempt.members }, () => ({ kind: 'unknown', reason }))
    },
    // HEC tells nothing of itself, and what the management port tells is of a search head.
    cluster: async () => undefined,
    certificates: () => [...outgoing.certificates(), ...(search?.client.certificates() ?? [])],
    async close() {
      await Promise.all([outgoing.close(), search?.client.close()])
    },
  }
}
