import type { Queryable } from '../database/database.ts'
import { type ColdRow, type ColdSource, earliestSeq, joinLeaves, leafPiecesBetween } from '../ledger/cold.ts'
import { LogError } from '../log/log-error.ts'
import { parseStatement } from '../log/statement.ts'
import type { Objects } from '../objects/objects.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import { dayKey, manifestDigest, manifestFile, parseManifest, recordsFile } from '../verify/day-manifest.ts'
import type { DayManifest } from '../verify/day-manifest.ts'
import { toColdRows } from './cold-rows.ts'
import { openFrame } from './read-back.ts'
import { createRecent } from './recent.ts'
import { type ColdDay, coldDayHolding, isExpired } from './store.ts'

/**
 * Reads detached months out of the archive: the day that holds a record, its manifest (the one whose digest the database has), one frame by
 * range. Frames are kept while they are likely to be asked for again; what they hold is checked against the leaf hashes in the database.
 */

const maxFrames = 32
const maxManifests = 64
/** A day of a hundred million records has one of two megabytes. */
const maxManifestBytes = 64 * 1_048_576

interface Frame {
  first: number
  rows: ColdRow[]
}

export function createColdSource(db: Queryable, objects: Objects): ColdSource {
  const manifests = createRecent<DayManifest>(maxManifests)
  const frames = createRecent<Frame>(maxFrames)

  const dayOf = async (ledger: LedgerName, seq: number): Promise<ColdDay> => {
    const day = await coldDayHolding(db, ledger, seq)
    if (day === undefined)
      throw new Problem('integrity', `${ledger}: record ${seq} is neither in the tables nor in the archive`)
    return day
  }

  /** What a day's files held is gone once its retention has passed; else it has to be there. */
  const missing = async (ledger: LedgerName, { day, next }: ColdDay, what: string): Promise<Problem> => {
    if (!(await isExpired(db, ledger, day))) return broken(`the archive of ${ledger} lost ${what} of ${day}`, next)
    const earliest = await earliestSeq(db, ledger)
    return new Problem('expired', `records before ${next} of ${ledger} were deleted when their retention had passed`, {
      extra: { earliest },
    })
  }

  const read = async (key: string, range?: { from: number; to: number }): Promise<Buffer | undefined> => {
    const stream = await objects.open(key, range)
    if (stream === undefined) return undefined
    const chunks: Buffer[] = []
    let more = range === undefined ? maxManifestBytes : range.to - range.from
    // No more than was asked for: a storage that passes over the range would send a whole day.
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (chunk.length > more) throw new Problem('integrity', `the storage gives more of ${key} than there is to be`)
      more -= chunk.length
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  }

  const manifestOf = (ledger: LedgerName, cold: ColdDay): Promise<DayManifest> =>
    manifests.get(`${ledger} ${cold.day}`, async () => {
      const bytes = await read(dayKey(ledger, cold.day, manifestFile))
      if (bytes === undefined) throw await missing(ledger, cold, 'the manifest')
      try {
        // Its signature was checked before the day counted; the digest says that it is still that one.
        const { payload } = parseStatement(bytes)
        if (manifestDigest(payload) === cold.manifest.toString('hex')) return parseManifest(payload)
      } catch (cause) {
        if (!(cause instanceof LogError)) throw cause
      }
      throw broken(`the archive of ${ledger} has another manifest of ${cold.day}`, cold.next)
    })

  const frameOf = async (ledger: LedgerName, cold: ColdDay, seq: number): Promise<Frame> => {
    const manifest = await manifestOf(ledger, cold)
    const place = placeOf(manifest, seq)
    return frames.get(`${ledger} ${place.first}`, async () => {
      const bytes = await read(dayKey(ledger, cold.day, recordsFile), {
        from: place.offset,
        to: place.offset + place.bytes,
      })
      if (bytes === undefined) throw await missing(ledger, cold, 'the records')
      const end = place.first + place.records
      const { raw, ends } = await openFrame(bytes).catch((cause: unknown) => {
        throw broken(`the archive of ${ledger} cannot be decompressed at record ${place.first}`, end, cause)
      })
      const leafHashes = joinLeaves(await leafPiecesBetween(db, ledger, place.first, end), place.first, end)
      if (ends.length !== place.records || leafHashes === undefined)
        throw broken(`the archive of ${ledger} has another number of records at ${place.first}`, end)
      return { first: place.first, rows: toColdRows({ ledger, firstSeq: place.first, raw, ends, leafHashes }) }
    })
  }

  return {
    async segmentsFrom(ledger, from, maxBytes) {
      const cold = await dayOf(ledger, from)
      // Also of a frame that is kept: what has expired is read by nobody.
      if (await isExpired(db, ledger, cold.day)) throw await missing(ledger, cold, 'the records')
      const { rows } = await frameOf(ledger, cold, from)
      const found: ColdRow[] = []
      let bytes = 0
      for (const row of rows) {
        if (row.firstSeq + row.count <= from) continue
        if (found.length > 0 && bytes >= maxBytes) break
        found.push(row)
        bytes += row.rawBytes
      }
      return found
    },
  }
}

/** What cannot be read: `next` is where reading can go on. */
const broken = (detail: string, next: number, cause?: unknown): Problem =>
  new Problem('integrity', detail, { extra: { next }, ...(cause === undefined ? {} : { cause }) })

/** The frame that holds a record of the day. */
function placeOf(
  manifest: DayManifest,
  seq: number,
): { first: number; records: number; offset: number; bytes: number } {
  let first = manifest.first
  let offset = 0
  for (const { records, bytes } of manifest.frames) {
    if (seq < first + records) return { first, records, offset, bytes }
    first += records
    offset += bytes
  }
  throw new Problem('integrity', `the manifest of ${manifest.day} has no record ${seq}`)
}
