import type { StoredRecord } from '../ledger/read.ts'
import type { Answer, Destination } from './destination.ts'

/** How many bytes of records a batch of one lane may have: what is configured, and less once the destination took less. */
export interface BatchLimit {
  bytes(): number
  /** The destination, with its refusals for size noted. */
  watch(destination: Destination): Destination
}

/** A server that is sent more than it takes may close instead of answering; smaller bodies are not taken for too large. */
const suspectBytes = 1_048_576

/**
 * Learnt in memory, and only downwards: the limits of servers and proxies seldom grow, a start tries anew, and what is too small costs
 * some requests while what is too large costs each batch twice. Batches on their way together are refused together, and count once.
 */
export function createBatchLimit(configured: number): BatchLimit {
  let most = configured
  return {
    bytes: () => most,
    watch: (destination) => ({
      ...destination,
      async send(rendered, signal) {
        const answer = await destination.send(rendered, signal)
        if (isTooLarge(answer, rendered.body.length))
          most = Math.min(most, Math.max(1, Math.floor(sizeOf(rendered.records) / 2)))
        return answer
      },
    }),
  }
}

/** 413, or a reset while a large body was written: what large servers answer with is lost on the way at times. */
export function isTooLarge(answer: Answer, bodyBytes: number): boolean {
  if (answer.kind === 'answer') return answer.status === 413
  if (answer.kind === 'expired') return false
  return answer.wrote && answer.phase === 'write' && answer.code !== 'TIMEOUT' && bodyBytes > suspectBytes
}

const sizeOf = (records: readonly StoredRecord[]): number => records.reduce((sum, { size }) => sum + size, 0)
