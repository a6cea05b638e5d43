import { randomUUID } from 'node:crypto'
import type { StoredRecord } from '../ledger/read.ts'
import type { AttemptRow } from './attempts.ts'
import { type AttemptId, type Destination, type Rendered, renderVersion } from './destination.ts'
import type { DeliveryDeps } from './lane.ts'
import { toRange } from './range.ts'

export interface OpenTry {
  destination: Destination
  settings: DeliveryDeps['settings']
  ledger: DeliveryDeps['ledger']
  now: () => Date
  monotonicMs: () => number
}

export interface Try {
  row: AttemptRow
  rendered: Rendered
}

/** A try, ready to be written and then sent. Its times begin now, so the write and the send follow at once. */
export function openTry(
  deps: OpenTry,
  place: Pick<AttemptRow, 'month' | 'try' | 'mark' | 'redelivery'>,
  records: readonly StoredRecord[],
): Try {
  const { settings } = deps
  const openedAt = deps.now().getTime() * 1000
  const sendBeforeMs = deps.monotonicMs() + settings.send_before_ms
  const range = toRange(records.map(({ seq }) => seq))
  const channel = randomUUID()
  const id: AttemptId = {
    ledger: deps.ledger,
    firstSeq: range.first,
    try: place.try,
    mark: place.mark,
    channel,
    sendBeforeMs,
    deadlineMs: sendBeforeMs + settings.request_timeout_ms,
  }
  const rendered = deps.destination.render(records, id)
  const row: AttemptRow = {
    ...range,
    ...place,
    channel,
    target: rendered.target,
    render: renderVersion,
    request: rendered.digest,
    openedAt,
    sendBefore: openedAt + settings.send_before_ms * 1000,
    deadline: openedAt + (settings.send_before_ms + settings.request_timeout_ms) * 1000,
  }
  return { row, rendered }
}
