import type { LedgerName } from '../record/record.ts'
import type { Answer, Destination } from './destination.ts'

/** One request with records, as it is counted. `status` is the phase where the connection failed. */
export interface Sent {
  status: string
  code: string
  records: number
  bytes: number
  seconds: number
}

/** Tells of every request with records that left, or was to leave, how it ended. One that was not begun in time is none. */
export function measured(destination: Destination, onSent: (ledger: LedgerName, sent: Sent) => void): Destination {
  return {
    ...destination,
    async send(rendered, signal) {
      const { attempt, records, body } = rendered
      const bytes = body.length // the memory behind it may be given back before the answer comes
      const answer = await destination.send(rendered, signal)
      if (answer.kind === 'expired') return answer
      onSent(attempt.ledger, { ...toLabels(answer), records: records.length, bytes, seconds: answer.elapsedMs / 1_000 })
      return answer
    },
  }
}

/** A code of HEC stands in the first bytes of its answers. Only numbers of up to three digits, so that no answer makes a label of its own. */
function toLabels(answer: Exclude<Answer, { kind: 'expired' }>): { status: string; code: string } {
  if (answer.kind === 'failure') return { status: answer.phase, code: answer.code }
  const code = /^\s*\{[^{}]{0,300}?"code"\s*:\s*(\d{1,3})\b/.exec(answer.body.slice(0, 400))?.[1]
  return { status: String(answer.status), code: code ?? 'none' }
}
