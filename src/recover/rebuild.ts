import { setImmediate as breathe } from 'node:timers/promises'
import {
  type Append,
  type PlacedSegment,
  type PlacedSubmission,
  type SealRow,
  leafHashesOf,
  monthOf,
} from '../ledger/batch.ts'
import { unknownDigest } from '../ledger/decide.ts'
import { maxSegmentBytes, maxSegmentRecords, packSegment } from '../ledger/segments.ts'
import { testTypeOf } from '../ledger/store.ts'
import { type Edge, appendLeaves, hashLeaf } from '../log/merkle.ts'
import { keys } from '../admission/run.ts'
import { type LedgerName, type Micros, type RecordKind, openRecord } from '../record/record.ts'
import { measureDigest } from './measure-digest.ts'
import { type RecoveredRecord, submissionOf } from './submission-of.ts'

/**
 * Makes appends out of the record bytes alone: segments and slices are cut as they were when the records were made, heads where one is known
 * to have been and else every so many records. Each record is made anew from what will be stored and must come out byte for byte.
 */

export interface Rebuild {
  ledger: LedgerName
  edge: Edge
  /** Sizes at which there was a signed head: there is one again. */
  heads: ReadonlySet<number>
  /** How many slices of a part the database has. */
  slicesOf: (run: string, part: string) => Promise<number>
}

/** Kinds of which one submission makes several records. */
const several: ReadonlySet<RecordKind> = new Set(['coverage', 'inventory', 'linemap'])
const sliceSegments = 4
const appendRecords = 8_192
const appendBytes = 8 * 1_048_576

interface Open {
  name: string
  kind: RecordKind
  key: string
  digest: Uint8Array
  firstSeq: number
  firstTime: Micros
  /** Finished segments; the last group is not packed yet. */
  segments: PlacedSegment[]
  group: { payloads: Uint8Array[]; leaves: Uint8Array[]; bytes: number }
  records: number
}

export async function* rebuild(
  records: AsyncIterable<Uint8Array>,
  { ledger, edge, heads, slicesOf }: Rebuild,
): AsyncGenerator<Append> {
  let open: Open | undefined
  let submissions: PlacedSubmission[] = []
  let segments: PlacedSegment[] = []
  let seals: SealRow[] = []
  let tree = edge
  let [count, bytes] = [0, 0]
  const slices = new Map<string, number>()

  const pack = (): void => {
    if (open === undefined || open.group.payloads.length === 0) return
    const { payloads, leaves } = open.group
    const before = open.segments.reduce((sum, { segment }) => sum + segment.count, 0)
    const segment = packSegment(open.kind, payloads)
    const [firstSeq, firstTime] = [open.firstSeq + before, open.firstTime + before]
    const leafHashes = leafHashesOf(ledger, firstSeq, firstTime, segment)
    const signed = Buffer.concat(leaves)
    if (Buffer.compare(leafHashes, signed) !== 0) throw new Error(`${ledger}: record ${firstSeq} or one of the ${segment.count} from there on does not come out as it was`) // oxfmt-ignore
    open.segments.push({ firstSeq, firstTime, segment, leafHashes })
    open.group = { payloads: [], leaves: [], bytes: 0 }
  }
  const close = (): void => {
    pack()
    if (open === undefined) return
    const { key, digest, firstSeq, firstTime } = open
    submissions.push({ key, digest, firstSeq, lastSeq: firstSeq + open.records - 1, firstTime })
    segments.push(...open.segments)
    count += open.records
    bytes += open.segments.reduce((sum, { segment }) => sum + segment.rawBytes, 0)
    open = undefined
  }
  const flush = (): Append => {
    const [first] = segments
    const last = submissions.at(-1)
    if (first === undefined || last === undefined) throw new Error('an append without records')
    const grown = appendLeaves(tree, Buffer.concat(segments.map(({ leafHashes }) => leafHashes)))
    const append: Append = {
      base: tree.size,
      next: { ledger, edge: { size: grown.size, hashes: grown.hashes }, root: grown.root, lastTime: last.firstTime + last.lastSeq - last.firstSeq },
      firstTime: first.firstTime,
      month: monthOf(first.firstTime),
      testType: testTypeOf(ledger),
      submissions,
      segments,
      tileRoots: grown.completed.map(({ height, index, hash }) => ({ level: height / 8, index, root: hash })),
      seals,
    } // oxfmt-ignore
    tree = append.next.edge
    ;[submissions, segments, seals, count, bytes] = [[], [], [], 0, 0]
    return append
  }

  for await (const record of records) {
    const opened = openRecord(record)
    const { seq, recordedAt, payload, fields } = opened
    const kind = fields['kind'] as RecordKind // a record of a signed log
    const known: RecoveredRecord = { ...opened, kind }
    const of = submissionOf(known)
    const part = `${String(fields['run'])}/${String(fields['part'])}`
    const name = of?.key ?? `slice:${part}`
    const follows =
      open !== undefined && several.has(kind) && open.kind === kind && open.name === name && recordedAt === open.firstTime + open.records // oxfmt-ignore
    const isFull = open !== undefined && (open.group.payloads.length === maxSegmentRecords || open.group.bytes + payload.length + 1 > maxSegmentBytes) // oxfmt-ignore
    if (follows && isFull) pack()
    const isSliceFull = kind === 'coverage' && isFull && open?.segments.length === sliceSegments
    if (!follows || isSliceFull || heads.has(seq)) close()
    const isOtherMonth = segments[0] !== undefined && monthOf(segments[0].firstTime) !== monthOf(recordedAt)
    if (
      count > 0 &&
      open === undefined &&
      (heads.has(seq) || isOtherMonth || count >= appendRecords || bytes >= appendBytes)
    ) {
      // oxfmt-ignore
      yield flush()
      await breathe()
    }
    if (open === undefined) {
      let submission = of
      if (submission === undefined) {
        const [run, called] = [String(fields['run']), String(fields['part'])]
        const index = slices.get(part) ?? (await slicesOf(run, called))
        slices.set(part, index + 1)
        submission = { key: keys.slice(run, called, index), digest: unknownDigest }
      }
      open = { ...submission, name, kind, firstSeq: seq, firstTime: recordedAt, segments: [], group: { payloads: [], leaves: [], bytes: 0 }, records: 0 } // oxfmt-ignore
    }
    open.group.payloads.push(payload)
    open.group.leaves.push(hashLeaf(record))
    open.group.bytes += payload.length + 1
    open.records++
    if (kind === 'seal') seals.push(sealRow(seq, fields))
  }
  close()
  if (count > 0) yield flush()
}

/** What admission reads of earlier runs of a suite. */
function sealRow(
  seq: number,
  { repository, suite, ref, admitted, totals }: Readonly<Record<string, unknown>>,
): SealRow {
  const onRef = { repository: String(repository), suite: String(suite), ref: typeof ref === 'string' ? ref : '' }
  return { ...onRef, seq, admitted: admitted === true, measure_digest: measureDigest(totals) }
}
