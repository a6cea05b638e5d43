import type { LedgerName } from '../record/record.ts'

/** What the records of retention in `operations` name as destroyed, against what is said to be gone by whoever serves the log. */

/** [first, next) */
export interface SeqRange {
  first: number
  next: number
}

export interface ExpiryRecords {
  /** Records of `operations`, as they are read: only those of expiry are kept. */
  add(records: readonly Uint8Array[]): void
  /** What is on record as destroyed, or as begun to be: in order, without overlaps. */
  of(ledger: LedgerName): SeqRange[]
}

const decoder = new TextDecoder()

export function createExpiryRecords(): ExpiryRecords {
  const found = new Map<string, SeqRange[]>()
  return {
    add(records) {
      for (const bytes of records) {
        // Nearly all records are others, and parsing is what takes time.
        const text = decoder.decode(bytes)
        const named = text.includes('"kind":"retention"') ? rangeOf(text) : undefined
        if (named !== undefined) found.set(named.of, [...(found.get(named.of) ?? []), named.range])
      }
    },
    of: (ledger) => merge(found.get(ledger) ?? []),
  }
}

function rangeOf(text: string): { of: string; range: SeqRange } | undefined {
  let record: Record<string, unknown>
  try {
    record = { ...(JSON.parse(text) as object) }
  } catch {
    return undefined // told as malformed by the audit
  }
  const { kind: what, act, state, of, first_seq: first, next_seq: next } = record
  if (what !== 'retention' || act !== 'expire' || (state !== 'begun' && state !== 'done')) return undefined
  if (typeof of !== 'string' || typeof first !== 'number' || typeof next !== 'number' || next <= first) return undefined
  return { of, range: { first, next } }
}

function merge(ranges: readonly SeqRange[]): SeqRange[] {
  const merged: SeqRange[] = []
  for (const { first, next } of ranges.toSorted((a, b) => a.first - b.first)) {
    const last = merged.at(-1)
    if (last !== undefined && first <= last.next) last.next = Math.max(last.next, next)
    else merged.push({ first, next })
  }
  return merged
}

/** `beside`: of records that went with a bundle in which others are on record, since a bundle is served whole or not at all. */
export type Weighed = { kind: 'on_record'; beside: number } | { kind: 'not_on_record'; seq: number; through: number }

/** Pure. `gone`: bundles that are said to be gone, in order; `named` as `ExpiryRecords.of` gives it. */
export function weighGone(gone: readonly SeqRange[], named: readonly SeqRange[]): Weighed {
  let beside = 0
  for (const { first, next } of gone) {
    const covered = named.reduce(
      (sum, one) => sum + Math.max(0, Math.min(next, one.next) - Math.max(first, one.first)),
      0,
    )
    if (covered === 0) return { kind: 'not_on_record', seq: first, through: next - 1 }
    beside += next - first - covered
  }
  return { kind: 'on_record', beside }
}
