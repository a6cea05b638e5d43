import type { PackedSegment } from '../ledger/segments.ts'
import { Problem } from '../record/problem.ts'
import {
  type FromWorker,
  type InventoryJob,
  type InventorySummary,
  type Job,
  type Link,
  type ParseJob,
  type ParseSummary,
  type ToWorker,
  createMailbox,
} from './messages.ts'
import type { ParsePool } from './pool.ts'

/**
 * One pass over a body: the HTTP thread hands the bytes on as they come, a worker decompresses, hashes, keeps and parses them. Nothing is
 * recorded before the whole body was read; a body that breaks off leaves no artifact. Memory: what lies between socket and worker, bounded
 * here, and the distinct lines of the report in the worker.
 */

export interface Taken<Summary = ParseSummary> {
  summary: Summary
  /** The part's payloads as ready segments, a slice at a time; made while they are asked for. `link` tells each its place in its chain. */
  slices(link: (number: number) => Promise<Link>): AsyncGenerator<PackedSegment[]>
  /** Always to be called; gives the worker back. */
  free(): void
}

/** A body that was refused: its problem, and what is known of it. */
export class RefusedBody extends Error {
  override readonly name = 'RefusedBody'
  readonly problem: Problem
  readonly sha256: string | undefined
  readonly bytes: number

  constructor(problem: Problem, bytes: number, sha256: string | undefined) {
    super(problem.message, { cause: problem })
    this.problem = problem
    this.bytes = bytes
    this.sha256 = sha256
  }
}

/** Bytes handed to the worker and not yet taken by it. */
const maxInFlight = 4 * 1_048_576
const handOverBytes = 262_144

/** Throws RefusedBody for what the client is to blame for, Error when a worker died. */
export function takeIn(
  pool: ParsePool,
  job: ParseJob,
  body: AsyncIterable<Uint8Array>,
  credential: string | undefined,
): Promise<Taken>
export function takeIn(
  pool: ParsePool,
  job: InventoryJob,
  body: AsyncIterable<Uint8Array>,
  credential: string | undefined,
): Promise<Taken<InventorySummary>>
export async function takeIn(
  pool: ParsePool,
  job: Job,
  body: AsyncIterable<Uint8Array>,
  credential: string | undefined,
): Promise<Taken<ParseSummary | InventorySummary>> {
  const { port, free } = await pool.start(job, credential)
  const box = createMailbox<FromWorker, ToWorker>(port)
  let inFlight = 0
  let bytes = 0
  let wake: (() => void) | undefined
  let finished = false

  let gathered: Uint8Array[] = []
  let waiting = 0
  /** One message, and one turn of the compressor, for what arrived in pieces of 64 KiB. */
  const handOver = (): void => {
    const joined = new Uint8Array(waiting)
    let at = 0
    for (const chunk of gathered) {
      joined.set(chunk, at)
      at += chunk.length
    }
    inFlight += waiting
    gathered = []
    waiting = 0
    box.send({ type: 'chunk', bytes: joined }, [joined.buffer])
  }

  const feed = async (): Promise<void> => {
    try {
      for await (const chunk of body) {
        if (finished) return
        gathered.push(chunk)
        waiting += chunk.length
        bytes += chunk.length
        if (waiting < handOverBytes) continue
        handOver()
        while (inFlight > maxInFlight && !finished) await new Promise<void>((resolve) => (wake = resolve))
      }
      if (waiting > 0) handOver()
      box.send({ type: 'end' })
    } catch (error) {
      const problem =
        error instanceof Problem ? error : new Problem('body_incomplete', `the body broke off after ${bytes} bytes`)
      box.send({ type: 'broken', code: problem.code, detail: problem.message })
    }
  }

  const untilSummary = async (): Promise<ParseSummary | InventorySummary> => {
    for (;;) {
      const message = await box.next()
      switch (message.type) {
        case 'taken':
          inFlight -= message.bytes
          wake?.()
          break
        case 'summary':
          return message.summary
        case 'refused':
          throw new RefusedBody(new Problem(message.code, message.detail), message.bytes, message.sha256)
        case 'failed':
          throw new Error(`a parse worker failed: ${message.error}`)
        case 'link':
        case 'slice':
        case 'done':
          throw new Error(`a parse worker said ${message.type} before its summary`)
      }
    }
  }

  try {
    const feeding = feed()
    const summary = await untilSummary().finally(() => {
      finished = true
      wake?.()
    })
    await feeding
    return { summary, slices: (link) => slicesOf(box, link), free }
  } catch (error) {
    finished = true
    free()
    throw error
  }
}

async function* slicesOf(
  box: ReturnType<typeof createMailbox<FromWorker, ToWorker>>,
  link: (number: number) => Promise<Link>,
): AsyncGenerator<PackedSegment[]> {
  box.send({ type: 'go' })
  for (;;) {
    const message = await box.next()
    switch (message.type) {
      case 'link':
        box.send({ type: 'link', link: await link(message.number) })
        break
      case 'slice':
        yield message.segments
        box.send({ type: 'next' })
        break
      case 'done':
        return
      case 'failed':
        throw new Error(`a parse worker failed: ${message.error}`)
      case 'refused':
        throw new RefusedBody(new Problem(message.code, message.detail), message.bytes, message.sha256)
      case 'taken':
      case 'summary':
        break
    }
  }
}
