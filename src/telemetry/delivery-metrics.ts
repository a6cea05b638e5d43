import { delayBuckets, type Instruments, secondsBuckets } from './instruments.ts'

/** What is counted of deliveries as they happen, in this process. */
export interface DeliveryCounts {
  /** Records that reached an outcome: delivered, accepted, refused, unresolved, unproved. */
  settled(destination: string, ledger: string, outcome: string, count: number): void
  /**
   * One request was sent and ended. `status`: of HTTP, or the phase in which the connection failed; `code`: of the destination's own protocol,
   * or of the failure.
   */
  sent(destination: string, ledger: string, request: SentRequest): void
  /** Records in doubt that are not any more: by ack, search, compare, look or policy; present, absent, altered, parked or resent. */
  resolved(destination: string, ledger: string, by: string, result: string, count: number): void
  /** A look proved an attempt so long after it was opened. */
  proved(destination: string, by: string, seconds: number): void
  /** Who pulls the feed; `lag` as of the size of the ledger when the list was made, which may have grown since. */
  setConsumers(list: () => readonly PullingConsumer[]): void
}

export interface PullingConsumer {
  consumer: string
  ledger: string
  next: number
  lag: number
  /** Microseconds since 1970. */
  seenAt: number
}

export interface SentRequest {
  status: string
  code: string
  records: number
  bytes: number
  seconds: number
}

/** `sizeOf`: published size of a ledger; undefined while none is known. */
export function createDeliveryCounts(
  { counter, histogram, gauge }: Instruments,
  sizeOf: (ledger: string) => number | undefined,
): DeliveryCounts {
  const countSettled = counter('proofline_settled_records', 'Records that reached an outcome at a destination')
  const countAttempts = counter('proofline_delivery_attempts', 'Requests with records that were sent')
  const countRecords = counter('proofline_delivery_records', 'Records in these requests, repeats included')
  const countBytes = counter('proofline_delivery_bytes', 'Bytes of the bodies of these requests, before compression')
  const countResponses = counter('proofline_delivery_responses', 'Their answers, by status and code')
  const timeRequest = histogram('proofline_delivery_request_seconds', 'Until the answer was read', secondsBuckets)
  const countResolved = counter('proofline_in_doubt_resolved', 'Records in doubt that are not any more')
  const timeProof = histogram('proofline_proof_seconds', 'From the opening of an attempt to its proof', delayBuckets)
  let consumers: Parameters<DeliveryCounts['setConsumers']>[0] = () => []

  gauge('proofline_consumer_lag_records', 'Published records that a named puller of the feed has not asked for', () =>
    consumers().map(({ consumer, ledger, next, lag }) => [
      Math.max(lag, (sizeOf(ledger) ?? next) - next),
      { consumer, ledger },
    ]),
  )
  gauge('proofline_consumer_seen_at', 'When a named puller of the feed asked last, in seconds since 1970', () =>
    consumers().map(({ consumer, ledger, seenAt }) => [seenAt / 1e6, { consumer, ledger }]),
  )

  return {
    settled: (destination, ledger, outcome, count) => countSettled(count, { destination, ledger, outcome }),
    sent(destination, ledger, { status, code, records, bytes, seconds }) {
      countAttempts(1, { destination, ledger })
      countRecords(records, { destination, ledger })
      countBytes(bytes, { destination, ledger })
      countResponses(1, { destination, status, code })
      timeRequest(seconds, { destination })
    },
    resolved: (destination, ledger, by, result, count) => countResolved(count, { destination, ledger, by, result }),
    proved: (destination, by, seconds) => timeProof(seconds, { destination, by }),
    setConsumers: (list) => void (consumers = list),
  }
}
