import { hash } from 'node:crypto'
import type { Recorded } from '../ledger/appender.ts'
import type { Book } from '../ledger/book.ts'
import type { Submission } from '../ledger/decide.ts'
import type { PackedSegment } from '../ledger/segments.ts'
import type { ObjectsSettings } from '../objects/settings.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import type { By } from '../record/run.ts'
import { toDigests, toEncoding, toFormat } from './body-headers.ts'
import { RefusedBody, type Taken, takeIn } from './intake.ts'
import type { ParseJob, ParseLimits } from './messages.ts'
import type { OpenNote, OpenParts } from './open-parts.ts'
import type { ParsePool } from './pool.ts'
import type { Quotas } from './quotas.ts'
import { type PartParameters, type SliceName, decideSlice, digestOf, keys, partDigest } from './run.ts'
import type { RunsStore } from './runs-store.ts'
import { partSubmission } from './part-record.ts'
import type { Offered, RunFields } from './submissions.ts'

/**
 * One uploaded report becomes slices of coverage records and one `part` record. A slice counts nowhere until the part record exists; a
 * part that a crash left open is finished from its artifact at the next start, or by the client repeating the same bytes.
 */

export interface PartRequest extends PartParameters {
  name: string
  /** The headers as they came. */
  contentType?: string | undefined
  contentEncoding?: string | undefined
  contentDigest?: string | undefined
  contentLength?: number | undefined
  /** Who brought it, where their credential is of one run. */
  by?: By | undefined
  /** Names the credential that it came with. */
  credential?: string
  /** Of the decoded body, where whoever brought it signed that. */
  sha256?: string | undefined
  /** The body comes from our own artifact. */
  isKept?: true
  body: AsyncIterable<Uint8Array>
}

export interface Parts {
  /** Takes the body in and records slices and part. Fills in what was offered, for a rejection. */
  record(run: RunFields, request: PartRequest, offered: Offered): Promise<Recorded>
  /** The same as submissions of one append; throws Problem('use_parts') for what is larger. */
  prepare(run: RunFields, request: PartRequest, offered: Offered): Promise<Submission[]>
  /** Keeps a list that a record names by its digest. */
  keepList(bytes: Uint8Array): Promise<void>
}

export interface PartsDeps {
  pool: ParsePool
  bookOf: (ledger: LedgerName) => Book
  runs: RunsStore
  openParts: OpenParts
  objects: ObjectsSettings
  quotas: Quotas
  keep: (bytes: Uint8Array) => Promise<void>
  limits: ParseLimits
  /** Of one run: each is looked at again by its seal, and by every report. */
  maxParts: number
}

/** What is recorded in one append, slices and part together; more goes slice by slice. */
const maxTogetherBytes = 4 * 1_048_576
const slicesInFlight = 3

export function createParts(deps: PartsDeps): Parts {
  const { pool, bookOf, runs, openParts, limits, quotas, maxParts } = deps

  const take = async (run: RunFields, request: PartRequest, offered: Offered): Promise<Taken> => {
    const { ledger, repository, commit, ref, build, build_seq, suite, test_type } = run
    // What is there already needs no room: a repeat gets its receipt whatever the quota says.
    const needsRoom = request.isKept !== true && !(await runs.hasPart(ledger, run.run, request.name))
    // Decided when it is recorded; what is known to be too much by now is not even read.
    if (needsRoom && (await runs.hasParts(ledger, run.run, maxParts)))
      throw new Problem('too_many_parts', `${run.run} has ${maxParts} parts already`)
    const room = needsRoom ? await quotas.admit(repository, request.contentLength) : undefined
    const job: ParseJob = {
      encoding: toEncoding(request.contentEncoding),
      digests: toDigests(request.contentDigest),
      sha256: request.sha256,
      ...parametersOf(request),
      limits: room === undefined ? limits : { ...limits, maxDecodedBytes: room.bytes },
      objects: deps.objects,
      inventory: await runs.findInventory(run, request.name),
      run: {
        ledger,
        run: run.run,
        part: request.name,
        repository,
        commit,
        suite,
        test_type,
        ...(ref === undefined ? {} : { ref }),
        ...(build === undefined ? {} : { build }),
        ...(build_seq === undefined ? {} : { build_seq }),
      },
    }
    try {
      const taken = await takeIn(pool, job, request.body, request.credential)
      offered.sha256 = taken.summary.sha256
      offered.bytes = taken.summary.bytes
      if (room !== undefined) await counted(taken, repository)
      return taken
    } catch (error) {
      if (!(error instanceof RefusedBody)) throw error
      offered.sha256 = error.sha256
      offered.bytes = error.bytes
      throw room !== undefined && error.problem.code === 'expansion_limit' && error.bytes > room.bytes
        ? room.refusal()
        : error.problem
    }
  }

  const counted = async (taken: Taken, repository: string): Promise<void> => {
    try {
      await quotas.count(repository, taken.summary.bytes)
    } catch (error) {
      taken.free()
      throw error
    }
  }

  /** Slices of one part, each bound to the one before. */
  const slicer = (run: RunFields, part: string, digest: Buffer) => {
    let before: SliceName | undefined
    return (segments: PackedSegment[]): Submission => {
      const index = before === undefined ? 0 : before.index + 1
      // Over the payloads too: a part that is gone on with joins its first slices only when they are the very same bytes.
      const own = digestOf([
        digest.toString('hex'),
        index,
        ...segments.map((segment) => hash('sha256', segment.idHashes, 'hex')),
      ])
      const decide = decideSlice(run.run, part, digest, before, maxParts)
      before = { index, digest: own }
      return {
        key: keys.slice(run.run, part, index),
        digest: own,
        run: run.run,
        conflict: 'part_conflict',
        decide,
        segments,
      }
    }
  }

  const record = async (run: RunFields, request: PartRequest, offered: Offered): Promise<Recorded> => {
    const book = bookOf(run.ledger)
    const taken = await take(run, request, offered)
    let note: OpenNote | undefined
    try {
      const { summary } = taken
      const parameters = parametersOf(request)
      const digest = partDigest(summary.sha256, parameters)
      const link = (number: number) => book.link(run.repository, run.suite, request.name, number)
      const part = partSubmission(
        { id: run, part: request.name, digest, parameters, summary, by: request.by, maxParts },
        await link(-1),
        deps.keep,
      )
      const together: Submission[] = []
      const inFlight: Promise<unknown>[] = []
      let bytes = 0
      const toSlice = slicer(run, request.name, digest)
      const known = await runs.isRecorded(run.ledger, run.run, request.name, digest)
      for await (const segments of known ? [] : taken.slices(link)) {
        const slice = toSlice(segments)
        bytes += segments.reduce((sum, segment) => sum + segment.rawBytes, 0)
        if (note === undefined && bytes <= maxTogetherBytes) {
          together.push(slice)
          continue
        }
        // More than one append: from here on the part is open, and a note on disk says how to finish it should we die.
        note ??= await openParts.note({
          ledger: run.ledger,
          run: run.run,
          part: request.name,
          sha256: summary.sha256,
          parameters,
          by: request.by,
        })
        for (const waiting of together.splice(0)) inFlight.push(watched(book.appender.submit([waiting])))
        inFlight.push(watched(book.appender.submit([slice])))
        while (inFlight.length > slicesInFlight) await inFlight.shift()
      }
      await Promise.all(inFlight)
      const recorded = (await book.appender.submit([...together, part])).at(-1)
      await note?.close()
      if (recorded === undefined) throw new Error('the appender answered nothing')
      return recorded
    } catch (error) {
      if (isOver(error)) await note?.close()
      throw error
    } finally {
      note?.leave()
      taken.free()
    }
  }

  return {
    record,
    keepList: deps.keep,
    async prepare(run, request, offered) {
      const book = bookOf(run.ledger)
      const taken = await take(run, request, offered)
      try {
        const parameters = parametersOf(request)
        const digest = partDigest(taken.summary.sha256, parameters)
        const link = (number: number) => book.link(run.repository, run.suite, request.name, number)
        const part = partSubmission(
          { id: run, part: request.name, digest, parameters, summary: taken.summary, by: request.by, maxParts },
          await link(-1),
          deps.keep,
        )
        const slices: Submission[] = []
        const toSlice = slicer(run, request.name, digest)
        let bytes = 0
        const known = await runs.isRecorded(run.ledger, run.run, request.name, digest)
        for await (const segments of known ? [] : taken.slices(link)) {
          bytes += segments.reduce((sum, segment) => sum + segment.rawBytes, 0)
          if (bytes > maxTogetherBytes) throw new Problem('use_parts', 'the report is larger than one append')
          slices.push(toSlice(segments))
        }
        return [...slices, part]
      } finally {
        taken.free()
      }
    },
  }
}

const parametersOf = ({ format, contentType, strip, root, section, shard }: PartRequest): PartParameters => ({
  format: toFormat(format, contentType),
  strip,
  root,
  section,
  shard,
})

/** The part can never be recorded with this content: a run that ended or is full takes no more, and other bytes never will be these. */
export function isOver(error: unknown): boolean {
  return error instanceof Problem && ['run_sealed', 'too_many_parts', 'part_conflict'].includes(error.code)
}

/** A rejection is met where the promise is awaited; until then it must not end the process. */
function watched<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
