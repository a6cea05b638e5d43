import { ROOT_CONTEXT, SpanKind, SpanStatusCode, propagation, trace } from '@opentelemetry/api'
import type { StoredRecord } from '../ledger/read.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import type { Answer, Destination } from './destination.ts'

/**
 * The trace of a run goes on to its delivery: sending a `run` record is a span of the trace that the CI job declared the run in. Only those
 * records are looked into, so this costs nothing per coverage record. `onAnswered` hears how recent the records are that were answered for.
 */
export function traced(
  name: string,
  destination: Destination,
  onAnswered: (ledger: LedgerName, recordedAt: Micros) => void,
): Destination {
  return {
    ...destination,
    async send(rendered, signal) {
      const last = rendered.records.at(-1)
      const spans = rendered.records.flatMap((record) => startSpan(name, record))
      const answer = await destination.send(rendered, signal).finally(() => {
        if (signal.aborted) for (const span of spans) span.end()
      })
      if (last !== undefined && answer.kind === 'answer') onAnswered(last.ledger, last.recordedAt)
      for (const span of spans) {
        span.setAttribute('proofline.try', rendered.attempt.try)
        span.setAttribute('proofline.answer', describe(answer))
        if (answer.kind !== 'answer' || answer.status >= 300) span.setStatus({ code: SpanStatusCode.ERROR })
        span.end()
      }
      return answer
    },
  }
}

function startSpan(name: string, record: StoredRecord) {
  if (record.kind !== 'run') return []
  const traceparent = /"traceparent":"([0-9a-f-]{55})"/.exec(Buffer.from(record.bytes).toString('latin1'))?.[1]
  if (traceparent === undefined) return []
  const parent = propagation.extract(ROOT_CONTEXT, { traceparent })
  const attributes = { 'proofline.destination': name, 'proofline.ledger': record.ledger, 'proofline.record': record.id }
  return [trace.getTracer('proofline').startSpan(`deliver ${name}`, { kind: SpanKind.PRODUCER, attributes }, parent)]
}

function describe(answer: Answer): string {
  switch (answer.kind) {
    case 'answer':
      return String(answer.status)
    case 'failure':
      return `${answer.phase} ${answer.code}`
    case 'expired':
      return 'expired'
  }
}
