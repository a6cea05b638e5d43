import { type TracedAttempt, attemptsHolding, destinationsOf, printAttempt } from '../delivery/attempts-of.ts'
import type { Queryable } from '../database/database.ts'
import { monthOf } from '../ledger/batch.ts'
import type { StoredRecord } from '../ledger/read.ts'
import { type LedgerName, printTime } from '../record/record.ts'

/**
 * Where records of a lineage went. What an attempt comes to changes after the record it carries, so this says when it was looked at and is no
 * part of what holds as of sizes.
 */

export interface LineageDeliveries {
  observed_at: string
  deliveries: Delivery[]
}

export interface Delivery {
  destination: string
  ledger: string
  /** Which record, and what the newest attempt says of it; `waiting` while none holds it: it is not cut yet, or not selected. */
  record?: string
  state?: string
  /** Which attempt, where that was asked for, and how many of its records are in which state. */
  attempt?: string
  states?: Record<string, number>
  /** Oldest first. */
  attempts: object[]
  left_out?: Record<string, number>
}

/** Of one record at one destination: the newest. */
const maxAttempts = 10

export async function traceDeliveries(db: Queryable, records: readonly StoredRecord[], now: Date): Promise<LineageDeliveries> {
  const byLedger = Map.groupBy(records, ({ ledger }) => ledger)
  const ofLedger = async ([ledger, own]: [LedgerName, StoredRecord[]]): Promise<Delivery[]> => {
    const places = own.map(({ seq, recordedAt }) => ({ seq, month: monthOf(recordedAt) }))
    const lanes = (await destinationsOf(db, ledger)).map(async (destination) => {
      const attempts = await attemptsHolding(db, { ledger, destination }, places)
      return own.map((record) => toDelivery(destination, record, attempts.filter((one) => one.has(record.seq))))
    })
    return (await Promise.all(lanes)).flat()
  }
  const found = await Promise.all([...byLedger].map(ofLedger))
  return { observed_at: printTime(now.getTime() * 1000), deliveries: found.flat() }
} // oxfmt-ignore

function toDelivery(destination: string, { ledger, id, seq }: StoredRecord, attempts: readonly TracedAttempt[]): Delivery {
  const newest = attempts.at(-1)
  const shown = attempts.slice(-maxAttempts)
  return {
    destination,
    ledger,
    record: id,
    state: newest?.stateOf(seq) ?? 'waiting',
    attempts: shown.map(printTraced),
    ...(shown.length === attempts.length ? {} : { left_out: { attempts: attempts.length - shown.length } }),
  }
} // oxfmt-ignore

/** Without addresses, tokens and channels: those are for operators. */
export function printTraced(attempt: TracedAttempt): object {
  const { first, last, try: n, target, redelivery, openedAt, request, steps } = attempt
  return {
    attempt: printAttempt(attempt),
    first,
    last,
    try: n,
    target,
    ...(redelivery === null ? {} : { redelivery }),
    opened_at: printTime(openedAt),
    request_sha256: request,
    steps: steps.map(({ step, at, source, reason, receipt }) => ({
      step, at: printTime(at), source, ...(reason === null ? {} : { reason }), ...(receipt === null ? {} : { receipt }),
    })),
  } // oxfmt-ignore
}
