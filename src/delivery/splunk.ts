import { randomUUID } from 'node:crypto'
import { createBodyMemory, keptBodies } from './body.ts'
import type { Answer, Attempt, Destination, Finding } from './destination.ts'
import type { Outgoing } from './outgoing.ts'
import type { Secret } from './secret.ts'
import { ackReceipt, classifyHec, readAck } from './splunk-answers.ts'
import { createSplunkLook } from './splunk-look.ts'
import { createSplunkMeasure } from './splunk-measure.ts'
import { printSeconds, renderSplunk, splunkIndex, type SplunkRendering, splunkTarget } from './splunk-render.ts'
import type { SplunkSearch } from './splunk-search.ts'

export interface SplunkDeps {
  rendering: SplunkRendering
  outgoing: Outgoing
  token: Secret
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
const blind = { sum: refuse, sumBlocks: refuse, ids: refuse, digests: refuse }

/** Splunk by HTTP Event Collector. */
export function createSplunk(deps: SplunkDeps): Destination {
  const { rendering, outgoing, search, now } = deps
  const memory = createBodyMemory(keptBodies)
  const headers = (channel: string): Record<string, string> => ({
    authorization: `Splunk ${deps.token.reveal()}`,
    'content-type': 'application/json',
    'x-splunk-request-channel': channel,
  })

  async function acknowledged(attempt: Attempt, signal: AbortSignal): Promise<Finding[] | undefined> {
    if (deps.proof !== 'ack' || now().getTime() > attempt.openedAt.getTime() + deps.ackDeadlineMs) return undefined
    const ackId = attempt.ackId ?? 0 // the channel was made for this attempt alone, so its only id is the first one
    const answer = await outgoing.request(
      {
        method: 'POST',
        path: `/services/collector/ack?channel=${attempt.id.channel}`,
        headers: headers(attempt.id.channel),
        body: Buffer.from(JSON.stringify({ acks: [ackId] })),
        timeoutMs: deps.requestTimeoutMs,
      },
      signal,
    )
    // `true` is told once: the caller stores it before it does anything else. `false` means nothing.
    if (readAck(answer, ackId) !== true) return undefined
    const finding: Finding = { kind: 'present', copies: 1, receipt: ackReceipt(attempt.id.channel, ackId) }
    return Array.from({ length: attempt.members }, () => finding)
  }

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
    const request = { method: 'POST', path: '/services/collector/event', headers: headers(randomUUID()), body } as const
    const answer = await outgoing.request({ ...request, timeoutMs: deps.requestTimeoutMs }, signal)
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
      const request = { method: 'POST', path: '/services/collector/event', headers: headers(channel), body } as const
      return outgoing.request({ ...request, sendBeforeMs, deadlineMs, left: memory.giveBack }, signal)
    },
    classify({ records }, answer) {
      const outcome = classifyHec(answer, records.length, deps.proof)
      return records.map(() => outcome)
    },
    async look(attempt, signal) {
      const acked = await acknowledged(attempt, signal)
      if (acked !== undefined) return acked
      if (searchFor !== undefined) return searchFor(attempt, signal)
      const reason = deps.proof === 'ack' ? 'not acknowledged' : 'there is neither acknowledgement nor search'
      return Array.from({ length: attempt.members }, () => ({ kind: 'unknown', reason }))
    },
    certificates: () => [outgoing.certificate(), search?.client.certificate()].filter((one) => one !== undefined),
    async close() {
      await Promise.all([outgoing.close(), search?.client.close()])
    },
  }
}
