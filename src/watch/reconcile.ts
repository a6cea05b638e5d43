import { hash } from 'node:crypto'
import type { Queryable } from '../database/database.ts'
import type { Destination } from '../delivery/destination.ts'
import type { Lane } from '../delivery/lane.ts'
import { isSelected } from '../delivery/plan-cut.ts'
import type { DestinationSettings } from '../delivery/settings.ts'
import type { Reader } from '../ledger/read.ts'
import { blockSize } from '../record/record.ts'
import { compareIds, type Expected, nextQuestion, rotatingSample, type Span } from './compare.ts'
import { type DifferenceKind, type DifferenceRow, endParked, findParked } from './comparison-store.ts'
import { blockOf, createExpected } from './expected.ts'
import { noneUnlisted, noteUnlisted, type Unlisted } from './unlisted.ts'

/** Compares what a destination holds of a ledger with what it should hold, and tells every difference by id. */

export interface ReconcileDeps {
  db: Queryable
  reader: Reader
  destination: Destination
  select: DestinationSettings['select']
  now: () => Date
}

export interface Findings {
  /** What was compared; `to` is excluded. */
  from: number
  to: number
  /** What should be there, and sum of `check`. */
  records: number
  checkSum: number
  /** How many there are of each kind; of more than `mostListed` only those are listed. */
  counts: Record<DifferenceKind, number>
  differences: DifferenceRow[]
  /** What is missing beyond those that are listed. */
  unlisted: Unlisted
  /** Parked records that turned out to be there; they left the list. */
  found: number
  /** Seqs that were read back and hashed. */
  sampled: readonly number[]
}

export const mostListed = 10_000

/**
 * Compares [from, to) of a lane: all of it by count and sum of blocks, what differs by ids, and reads back `sample` (seqs) to hash it anew. What was
 * sent after `visible` (microseconds) need not be there yet. Writes nothing but the end of parked records that are there after all. Rejects
 * when the destination cannot be asked.
 */
export async function reconcile(
  deps: ReconcileDeps,
  lane: Lane,
  { from, to, sample, visible }: { from: number; to: number; sample: readonly number[]; visible: number },
  signal: AbortSignal,
): Promise<Findings> {
  const { db, reader, destination, select } = deps
  const { ledger } = lane
  const parked = await findParked(db, lane, visible)
  const parkedIds = new Set(parked.map(({ id }) => id))
  const expected = createExpected({
    db,
    reader,
    ledger,
    select,
    parked: new Set(parked.map(({ seq }) => seq)),
  })
  const findings: Findings = {
    from,
    to,
    records: 0,
    checkSum: 0,
    counts: { missing: 0, duplicated: 0, altered: 0, foreign: 0 },
    differences: [],
    unlisted: noneUnlisted(),
    found: 0,
    sampled: [],
  }
  const add = (kind: DifferenceKind, id: string, seq: number, detail: string): void => {
    findings.counts[kind]++
    if (findings.counts[kind] <= mostListed) findings.differences.push({ kind, id, seq, detail })
    else if (kind === 'missing') noteUnlisted(findings.unlisted, seq)
  }

  async function narrow(
    span: Span,
    ours: { count: number; checkSum: number },
    theirs: { count: number; checkSum: number },
  ): Promise<void> {
    signal.throwIfAborted()
    const next = nextQuestion(span, ours, theirs)
    switch (next.kind) {
      case 'equal':
        return
      case 'all-missing':
        for await (const { id, seq } of expected.records(span))
          add('missing', id, seq, 'nothing of this range is there')
        return
      case 'halves':
        for (const half of next.halves)
          await narrow(half, await expected.sum(half), await destination.sum({ ledger, ...half }, signal))
        return
      case 'ids': {
        const own: Expected[] = []
        for await (const record of expected.records(span)) own.push(record)
        const there = compareIds(own, parkedIds, await destination.ids({ ledger, ...span }, signal))
        for (const { id, seq } of there.missing) add('missing', id, seq, 'not there')
        for (const { id, seq, copies } of there.duplicated) add('duplicated', id, seq, `${copies} copies`)
        for (const id of there.foreign) add('foreign', id, -1, 'no record of this ledger has this id')
        const found = parked.filter(({ id, isOpen }) => isOpen && there.found.includes(id))
        if (found.length > 0) await endParked(db, lane, found, deps.now().getTime() * 1000)
        findings.found += found.length
      }
    }
  }

  if (to > from) {
    const whole = { first: from, last: to - 1 }
    const theirs = await destination.sumBlocks({ ledger, ...whole }, signal)
    const ours = await expected.sumBlocks(whole)
    const nothing = { count: 0, checkSum: 0 }
    for (const block of new Set([...ours.keys(), ...theirs.keys()].toSorted((a, b) => a - b))) {
      const own = ours.get(block) ?? nothing
      findings.records += own.count
      findings.checkSum += own.checkSum
      const span = spanOf(block, whole)
      if (span !== undefined) await narrow(span, own, theirs.get(block) ?? nothing)
      // Told as what it is: to refuse the answer for it would blind every comparison of this lane.
      else add('foreign', `block ${block}`, -1, `${theirs.get(block)?.count ?? 0} copies carry a block that these records do not have`) // oxfmt-ignore
    }
    const read = await readBack(deps, lane, sample, signal)
    findings.sampled = read.seqs
    for (const { id, seq, found } of read.altered) add('altered', id, seq, `its bytes hash to ${found}`)
  }
  return findings
}

/** Undefined for a block that no seq of these is in: somebody else wrote that. */
const spanOf = (block: number, { first, last }: Span): Span | undefined => {
  if (!(block >= blockOf(first) && block <= blockOf(last)) || !Number.isInteger(block)) return undefined
  return { first: Math.max(first, block * blockSize), last: Math.min(last, (block + 1) * blockSize - 1) }
}

const readAtOnce = 100

/** Reads these seqs back and hashes them. What is not there is no business of this check. */
async function readBack(
  { reader, destination, select }: ReconcileDeps,
  { ledger }: Lane,
  seqs: readonly number[],
  signal: AbortSignal,
): Promise<{ seqs: number[]; altered: { id: string; seq: number; found: string }[] }> {
  const read: number[] = []
  const altered: { id: string; seq: number; found: string }[] = []
  for (let at = 0; at < seqs.length; at += readAtOnce) {
    const wanted = seqs.slice(at, at + readAtOnce)
    const batches = await Promise.all(wanted.map((seq) => reader.readBatch(ledger, seq, { maxRecords: 1 })))
    const records = batches.flatMap((batch) => batch.records).filter((record) => isSelected(record, select))
    const digests = await destination.digests(records, signal)
    for (const { id, seq, bytes } of records) {
      const found = digests.get(id)
      if (found === undefined) continue
      read.push(seq)
      if (found !== hash('sha256', bytes, 'hex')) altered.push({ id, seq, found })
    }
  }
  return { seqs: read, altered }
}

/** The seqs that this round reads back: a rotating sample, and what was found altered before. */
export function sampleOf(
  span: { from: number; to: number },
  count: number,
  round: number,
  before: readonly { kind: string; seq: number }[],
): number[] {
  if (span.to <= span.from) return []
  const rotating = rotatingSample({ first: span.from, last: span.to - 1 }, count, round)
  const again = before
    .filter(({ kind, seq }) => kind === 'altered' && seq >= span.from && seq < span.to)
    .map(({ seq }) => seq)
  return [...new Set([...rotating, ...again])].toSorted((a, b) => a - b)
}
