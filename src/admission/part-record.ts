import type { AtHead, Submission } from '../ledger/decide.ts'
import { type ChainLink, packSegment } from '../ledger/segments.ts'
import { Problem } from '../record/problem.ts'
import { maxPayloadBytes } from '../record/record.ts'
import { type By, identityFields, printPayload } from '../record/run.ts'
import { fitList, jsonBytes } from './fit-list.ts'
import type { ParseSummary } from './messages.ts'
import { type PartParameters, decidePart, keys, sliceRanges } from './run.ts'
import type { RunFields } from './submissions.ts'

export interface PartName {
  id: RunFields
  part: string
  digest: Buffer
  parameters: PartParameters
  summary: ParseSummary
  /** Who brought it, where their credential is of one run. */
  by?: By | undefined
  /** As many as the run may have. */
  maxParts?: number
}

type Range = [first: number, last: number]

const most = Number.MAX_SAFE_INTEGER
/** What `ranges_digest` adds when the ranges do not fit, and what a range takes at most. */
const digestBytes = 130
const rangeBytes = 40
/** The first refused records and unresolved paths; the report itself, which has them all, is kept. */
const maxListBytes = 600

/**
 * The payload of a `part` record. `list`, where there is one, holds all ranges and is to be kept before the record is made.
 * Throws Problem('record_too_large') when names and parameters alone do not fit.
 */
export function partPayload(
  { id, part, parameters, summary, by }: PartName,
  ranges: readonly Range[],
): { payload: Uint8Array; list: Uint8Array | undefined } {
  const { shard, ...reading } = parameters
  const [first, last] = [ranges[0]?.[0], ranges.at(-1)?.[1]]
  const count = ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0)
  const fields = {
    run: id.run,
    part,
    ...identityFields(id),
    artifact_sha256: summary.sha256,
    bytes: summary.bytes,
    format: summary.format,
    metric: summary.metric,
    definition: summary.definition,
    tool: summary.tool,
    parameters: reading,
    shard,
    by,
    incomplete: summary.incomplete,
    files: summary.totals.recomputed.files,
    files_digest: summary.filesDigest,
    totals: summary.totals,
    records: first === undefined || last === undefined ? null : { first, last, count },
    ranges: [] as Range[],
    refused: { count: summary.refused.count, first: [] as unknown[] },
    unresolved: { count: summary.unresolved.count, first: [] as unknown[] },
  }
  const longest = { ...fields, records: { first: most, last: most, count: most } }
  // Kind and schema are the same length as in every part: 60 bytes and the ledger's name.
  const room = maxPayloadBytes - jsonBytes(longest) - jsonBytes(id.ledger) - 60 - digestBytes - rangeBytes
  if (room < 0)
    throw new Problem(
      'record_too_large',
      `names and parameters of this part are ${-room} bytes longer than its record can hold`,
    )
  const refused = fitList(summary.refused.first, Math.min(maxListBytes, room / 3)).shown
  const unresolved = fitList(summary.unresolved.first, Math.min(maxListBytes, room / 3)).shown
  const fitted = fitList(ranges, room + rangeBytes - jsonBytes(refused) - jsonBytes(unresolved))
  const payload = printPayload('part', id.ledger, {
    ...fields,
    ranges: fitted.shown,
    ...(fitted.digest === undefined ? {} : { ranges_digest: fitted.digest }),
    refused: { ...fields.refused, first: refused },
    unresolved: { ...fields.unresolved, first: unresolved },
  })
  return { payload, list: fitted.list }
}

/** The `part` record: made at the head, since it names the seqs of the part's slices. Recording it is what makes the slices count. */
export function partSubmission(
  name: PartName,
  link: ChainLink,
  keepList: (list: Uint8Array) => Promise<void>,
): Submission {
  const { id, part, digest, maxParts } = name
  partPayload(name, []) // refuses what cannot end before anything of it is recorded
  return {
    key: keys.part(id.run, part),
    digest,
    run: id.run,
    conflict: 'part_conflict',
    decide: decidePart(id.run, part, digest, maxParts),
    async segments(at: AtHead) {
      const { payload, list } = partPayload(name, sliceRanges(id.run, part, at.run))
      if (list !== undefined) await keepList(list)
      return { segments: [packSegment('part', [payload], link)] }
    },
  }
}
