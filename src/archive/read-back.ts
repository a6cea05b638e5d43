import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { setImmediate as breathe } from 'node:timers/promises'
import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import type { Edge } from '../log/merkle.ts'
import type { Objects } from '../objects/objects.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import { createAudit } from '../verify/audit.ts'
import { dayKey, leavesFile, recordsFile } from '../verify/day-manifest.ts'
import type { DayManifest } from '../verify/day-manifest.ts'
import { createHeaderReader } from '../verify/header.ts'
import { type DayNames, createDayNames } from './day-names.ts'
import { maxFrameBytes, measured, splitFrames } from './records-file.ts'

/**
 * What lies in the archive under a day, read from the first byte to the last and checked by the same audit as the ledger itself: every
 * record hashed, every leaf compared, the root at the day's end met. Only what this says counts; what the writer thinks it wrote does not.
 */

export interface DayToRead {
  ledger: LedgerName
  day: string
  origin: string
  /** The tree before the day's first record, and the time of the record before it; -1 when there is none. */
  from: Edge & { lastTime: Micros }
  size: number
  root: Uint8Array
}

export interface ReadDay {
  files: DayManifest['files']
  frames: DayManifest['frames']
  lastTime: Micros
  names: DayNames
}

const decompress = promisify<Uint8Array, object, Buffer>(zstdDecompress)

/** The records of one frame, each without its newline. Throws for anything but whole lines of at most a frame's bytes. */
export async function openFrame(frame: Uint8Array): Promise<{ raw: Buffer; ends: number[] }> {
  const raw = await decompress(frame, { maxOutputLength: maxFrameBytes })
  const ends: number[] = []
  for (let at = raw.indexOf(10); at >= 0; at = raw.indexOf(10, at + 1)) ends.push(at)
  if (raw.length === 0 || ends.at(-1) !== raw.length - 1) throw new Error('a frame does not end with a line')
  return { raw, ends }
}

/** Throws Problem('integrity') with the first thing that is wrong. */
export async function readBack(objects: Objects, wanted: DayToRead, signal: AbortSignal): Promise<ReadDay> {
  const { ledger, day, from, size, root } = wanted
  const names = createDayNames()
  if (size === from.size) return { files: [], frames: [], lastTime: from.lastTime, names }
  const audit = createAudit({ ledger, origin: wanted.origin, vkeys: [], from, findDoubles: false })
  audit.expectHead(size, root)
  const bad = (what: string, cause?: unknown): Problem =>
    new Problem('integrity', `the archive of ${ledger} has another ${day}: ${what}`, { cause })
  const open = async (file: string): Promise<Readable> => {
    const stream = await objects.open(dayKey(ledger, day, file))
    if (stream === undefined) throw bad(`${file} is missing`)
    return stream
  }

  const leavesStream = await open(leavesFile)
  // What nobody reads or destroys ends the process when it is collected.
  const recordsStream = await open(recordsFile).catch((error: unknown) => {
    leavesStream.destroy()
    throw error
  })
  const leaves = createTaker(leavesStream)
  const records = measured(recordsStream as AsyncIterable<Buffer>)
  const frames: { records: number; bytes: number }[] = []
  const headers = createHeaderReader(ledger)
  let at = from.size
  let lastTime = from.lastTime
  try {
    for await (const frame of splitFrames(records.bytes)) {
      signal.throwIfAborted()
      const { raw, ends } = await openFrame(frame)
      audit.expectLeafHashes(at, await leaves.take(ends.length * 32))
      let start = 0
      for (const end of ends) {
        const line = raw.subarray(start, end)
        audit.add(line, at++)
        names.add(line)
        start = end + 1
      }
      frames.push({ records: ends.length, bytes: frame.length })
      const lastLine = raw.subarray((ends.at(-2) ?? -1) + 1, ends.at(-1))
      lastTime = headers.read(lastLine)?.recordedAt ?? lastTime
      await breathe()
    }
    await leaves.end()
  } catch (error) {
    if (error instanceof Problem || signal.aborted) throw error
    throw bad(error instanceof Error ? error.message : String(error), error)
  } finally {
    leavesStream.destroy()
    recordsStream.destroy()
  }
  const { differences } = audit.finish()
  // A root that is not met follows from what is named more exactly.
  const first = differences.find(({ kind }) => kind !== 'root-mismatch') ?? differences[0]
  if (first !== undefined)
    throw bad(`at seq ${first.seq} ${first.kind}: expected ${first.expected}, found ${first.found}`)
  if (at !== size) throw bad(`it has records to ${at}, not to ${size}`)
  const files = [
    { name: recordsFile, ...records.facts() },
    { name: leavesFile, ...leaves.facts() },
  ]
  return { files, frames, lastTime, names }
}

interface Taker {
  /** Exactly so many bytes; throws when the stream has fewer. */
  take(bytes: number): Promise<Buffer>
  /** Throws unless everything was taken. */
  end(): Promise<void>
  facts(): { bytes: number; sha256: string }
}

function createTaker(stream: Readable): Taker {
  const chunks = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  const digest = createHash('sha256')
  let held: Buffer = Buffer.alloc(0)
  let length = 0
  return {
    async take(bytes) {
      const parts = [held]
      for (let have = held.length; have < bytes;) {
        const next = await chunks.next()
        if (next.done === true) throw new Error('leaf hashes end early')
        parts.push(next.value)
        have += next.value.length
      }
      const all = Buffer.concat(parts)
      held = all.subarray(bytes)
      digest.update(all.subarray(0, bytes))
      length += bytes
      return all.subarray(0, bytes)
    },
    async end() {
      if (held.length > 0 || (await chunks.next()).done !== true)
        throw new Error('there are more leaf hashes than records')
    },
    facts: () => ({ bytes: length, sha256: digest.digest('hex') }),
  }
}
