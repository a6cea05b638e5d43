import type { Reader, StoredRecord } from '../ledger/read.ts'
import { ensureMonth } from './attempts.ts'
import type { Ticket } from './conduct.ts'
import { sleep } from './gate.ts'
import type { DeliveryDeps, Lane } from './lane.ts'
import { LostRace } from './lost-race.ts'
import { type OpenAttempt, isOpenMark } from './open-attempt.ts'
import { openTry, type Try } from './open-try.ts'
import { insertOrderCut, insertOrderEnd, largestTry, type Order, widestAttempt } from './order-store.ts'
import { type CutPlan, planCut } from './plan-cut.ts'
import { hasMember } from './range.ts'

/**
 * Carries out orders to send records again, one after the other, beside the tail and through the same slots and gate. Records of an
 * attempt that is still open are left to that attempt: sent twice at once they could neither be told apart by a look, nor would the
 * numbers of their tries. What this process knows to be open is never less than what is: it read all of it at the start, and whatever
 * another worker opened since lies in cuts or pieces of orders that this one has not taken on, and finds taken when it tries to.
 */

export interface Redelivery {
  /** Until the signal aborts; then it rejects. */
  run(signal: AbortSignal): Promise<void>
  /** Orders that were given since. */
  add(orders: readonly Order[]): void
  /** Whether something is waiting to be taken on. */
  isBusy(): boolean
  /** Writes the end of what has ended. */
  finish(): Promise<void>
}

export interface RedeliveryDeps extends DeliveryDeps {
  lane: Lane
  orders: readonly Order[]
  open: ReadonlySet<OpenAttempt>
  monotonicMs: () => number
  /** The most bytes of a batch, as learnt by now. */
  maxBytes: () => number
  /** Resolves when another attempt of an order may be opened. */
  room: (signal: AbortSignal) => Promise<void>
  admit: () => Promise<Ticket>
  launch: (tries: readonly Try[], ticket: Ticket) => Promise<void>
}

export function createRedelivery(deps: RedeliveryDeps): Redelivery {
  const { db, lane, reader, settings, destination, open, now, log } = deps
  const orders = deps.orders.map((order) => ({ ...order }))
  let woken = Promise.withResolvers<void>()

  /** One piece: read, written with its attempts, and let go. A crash before the row leaves nothing, behind it attempts in doubt. */
  async function takeOn(order: Order): Promise<void> {
    const limits = { records: settings.batch.records, bytes: deps.maxBytes() }
    const gathered = await gatherOrdered(reader, lane, order, limits)
    const plan = planCut({ ledger: lane.ledger, first: order.next, ...gathered }, settings.select, (record) =>
      destination.target(record),
    )
    if (plan === undefined) throw new Error(`order ${order.n} has no record at ${order.next}`)
    await ensureMonth(db, plan.month)
    const ticket = await deps.admit()
    const tries = await openTries(order, plan).catch((error: unknown) => {
      ticket.pass({ kind: 'unused' })
      ticket.release()
      throw error
    })
    order.next = plan.next
    await deps.launch(tries, ticket)
  }

  async function openTries(order: Order, plan: CutPlan): Promise<Try[]> {
    const busy = openSeqs(open, order.next, plan.next)
    const groups = plan.groups
      .map((group) => group.filter(({ seq }) => !busy.has(seq)))
      .filter(({ length }) => length > 0)
    const before = await Promise.all(
      groups.map((group) => largestTry(db, lane, plan.month, group[0]?.seq ?? 0, group.at(-1)?.seq ?? 0)),
    )
    const tries = groups.map((group, i) => {
      const n = Math.max(2, 1 + (before[i] ?? 0))
      const mark = Math.min(order.mark ?? n - 1, n - 1)
      return openTry(deps, { month: plan.month, try: n, mark, redelivery: order.n }, group)
    })
    const rows = tries.map(({ row }) => row)
    if (!(await insertOrderCut(db, lane, { n: order.n, base: order.next, next: plan.next }, rows)))
      throw new LostRace(`order ${order.n} at ${order.next} was taken on by another worker`)
    return tries
  }

  return {
    async run(signal) {
      for (;;) {
        signal.throwIfAborted()
        const order = orders.find(({ next, end }) => next < end)
        if (order === undefined) {
          await sleep(Infinity, woken.promise, signal)
          continue
        }
        await deps.room(signal)
        await takeOn(order)
      }
    },
    add(more) {
      orders.push(...more.map((order) => ({ ...order })))
      for (const { n, why, first, end, reason, byWhom } of more)
        log.info('redelivery.began', { ...lane, n, why, first, end, reason, byWhom })
      woken.resolve()
      woken = Promise.withResolvers<void>()
    },
    isBusy: () => orders.some(({ next, end }) => next < end),
    async finish() {
      for (const order of orders.filter(({ next, end }) => next >= end)) {
        if ([...open].some(({ row }) => row.redelivery === order.n)) continue
        await insertOrderEnd(db, lane, order.n, now().getTime() * 1000)
        const at = orders.indexOf(order)
        if (at < 0) continue // finished twice at once
        orders.splice(at, 1)
        log.info('redelivery.ended', { ...lane, n: order.n })
      }
    },
  }
}

function openSeqs(open: Iterable<OpenAttempt>, from: number, to: number): Set<number> {
  const seqs = new Set<number>()
  for (const { row, seqs: members, marks } of open) {
    if (row.last < from || row.first >= to) continue
    members.forEach((seq, at) => {
      if (isOpenMark(marks[at] ?? 'i')) seqs.add(seq)
    })
  }
  return seqs
}

/** The next member at or behind `from`; the end where there is none. */
export function nextMember(order: Order, from: number): number {
  let seq = Math.max(from, order.first)
  while (seq < order.end && !hasMember(order, seq)) seq++
  return seq
}

/** Records of an order from its place on, of which one request holds all; never none. */
export async function gatherOrdered(
  reader: Pick<Reader, 'readBatch'>,
  { ledger }: Lane,
  order: Order,
  limits: { records: number; bytes: number },
): Promise<{ records: StoredRecord[]; next: number }> {
  const records: StoredRecord[] = []
  let bytes = 0
  let at = nextMember(order, order.next)
  const until = Math.min(order.end, at + widestAttempt)
  while (at < until) {
    const batch = await reader.readBatch(ledger, at, { until: runEnd(order, at, until), maxRecords: limits.records })
    if (batch.next <= at) throw new Error(`${ledger} ends before ${order.end}`)
    for (const record of batch.records) {
      if (!hasMember(order, record.seq)) continue
      bytes += record.size
      const isFull = records.length === limits.records || (records.length > 0 && bytes > limits.bytes)
      if (isFull) return { records, next: record.seq }
      records.push(record)
    }
    at = nextMember(order, batch.next)
  }
  return { records, next: at }
}

/** Behind the last member before the next wide gap: reading costs by the record, so gaps are not read through. */
function runEnd(order: Order, from: number, until: number): number {
  const widestGap = 32
  let end = from + 1
  for (let seq = end; seq < until && seq - end < widestGap; seq++) if (hasMember(order, seq)) end = seq + 1
  return end
}
