import type { AtHead } from '../ledger/decide.ts'
import { rootOfLeaves } from '../log/merkle.ts'
import { type PartSummary, joinRanges } from './run.ts'
import type { RecordedPart } from './shards.ts'

/** What a run consists of at the head that is being extended: what its last record binds. */
export interface RunAtHead {
  parts: RecordedPart[]
  records: { first: number | undefined; last: number | undefined; count: number }
  /** Merkle root over the leaf hashes of the run's records in seq order, hex. */
  root: string
}

export async function readRunAtHead(run: string, at: AtHead): Promise<RunAtHead> {
  const prefix = `part:${run}/`
  const ranges: [number, number][] = []
  const parts: RecordedPart[] = []
  for (const key of at.run.keys()) {
    const known = at.run.get(key)
    if (known === undefined) continue
    ranges.push([known.firstSeq, known.lastSeq])
    if (!key.startsWith(prefix)) continue
    const summary = JSON.parse((await at.payload(known.firstSeq)).toString()) as PartSummary // written by partSubmission
    parts.push({ run, part: key.slice(prefix.length), seq: known.firstSeq, summary })
  }
  const joined = joinRanges(ranges)
  const leaves: Buffer[] = []
  for (const [first, last] of joined) leaves.push(await at.leafHashes(first, last + 1))
  return {
    parts,
    records: {
      first: joined[0]?.[0],
      last: joined.at(-1)?.[1],
      count: joined.reduce((sum, [first, last]) => sum + last - first + 1, 0),
    },
    root: Buffer.from(rootOfLeaves(Buffer.concat(leaves))).toString('hex'),
  }
}
