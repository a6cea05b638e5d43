import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { parentPort, type MessagePort } from 'node:worker_threads'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { type ReportResult, openReport } from '../formats/format.ts'
import { type PackedSegment, maxSegmentBytes, maxSegmentRecords, packSegment } from '../ledger/segments.ts'
import { type Artifacts, createArtifacts } from '../objects/objects.ts'
import { openObjects } from '../objects/open-objects.ts'
import { type FileCoverage, type RunContext, coveragePayloads } from '../record/coverage.ts'
import { Problem, problems } from '../record/problem.ts'
import type { Totals } from '../record/run.ts'
import {
  type FromWorker,
  type Link,
  type Mailbox,
  type ParseJob,
  type ParseSummary,
  type ToWorker,
  createMailbox,
} from './messages.ts'

/**
 * A worker thread: takes a body in (decompress, limit, hash, keep, parse), answers what it found, then makes payloads and segments as fast
 * as the other side records them. What goes wrong with the body is a Problem; anything else is a bug and ends the job only.
 */

type Box = Mailbox<ToWorker, FromWorker>

/** Payloads kept between counting and recording; a larger report is walked twice instead. */
const maxKeptBytes = 32 * 1_048_576
/** Segments of one slice. */
const sliceSegments = 4

/** One storage a worker: its connections are kept from job to job. One that could not be opened is tried again. */
let opened: Promise<Artifacts> | undefined
function artifactsOf({ objects }: ParseJob): Promise<Artifacts> {
  opened ??= openObjects(objects).then(createArtifacts, (error: unknown) => {
    opened = undefined
    throw error
  })
  return opened
}

/** Where the body stands: how much of it was seen, and the digest of the decoded bytes when it was seen whole. */
interface Seen {
  bytes: number
  sha256: string | undefined
}

async function work(job: ParseJob, box: Box, seen: Seen): Promise<void> {
  const artifact = await (await artifactsOf(job)).writer()
  const decoded = decode(job, box, seen, artifact.write)
  const drain = async (): Promise<void> => {
    while ((await decoded.next()).done !== true) continue
  }
  // Without `return`: a reader that gives up does not end the body, whose rest belongs to the artifact or at least to its digest.
  const chunks = { [Symbol.asyncIterator]: () => ({ next: () => decoded.next() }) }
  let report: ReportResult
  try {
    report = await openReport(chunks, {
      ...(job.format === undefined ? {} : { format: job.format }),
      ...(job.strip === undefined ? {} : { strip: job.strip }),
      ...(job.root === undefined ? {} : { root: job.root }),
      ...(job.inventory === undefined ? {} : { tree: readTree(job.inventory) }),
      maxFiles: job.limits.maxFiles,
      maxLinesPerFile: job.limits.maxLinesPerFile,
    })
    await drain()
  } catch (error) {
    try {
      if (error instanceof Problem && isOfReport(error)) await drain()
    } finally {
      await artifact.abort()
    }
    throw error
  }
  const { sha256 } = await artifact.commit()
  const run: RunContext = {
    ...job.run,
    artifact_sha256: sha256,
    ...(report.tool === undefined ? {} : { tool: report.tool }),
  }
  const { totals, kept } = countFiles(report, run)
  box.send({ type: 'summary', summary: summaryOf(report, totals, sha256, seen.bytes) })
  const asked = await box.next()
  if (asked.type !== 'go') return
  await sendSlices(box, kept ?? payloadsOf(report, run))
  box.send({ type: 'done' })
}

/** Decoded bytes of the body, limited, hashed and kept on the way. */
async function* decode(
  job: ParseJob,
  box: Box,
  seen: Seen,
  keep: (chunk: Uint8Array) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256')
  const announced = job.digests.map(({ algorithm, base64 }) => ({ algorithm, base64, found: createHash(algorithm) }))
  let encoded = 0
  async function* arriving(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const message = await box.next()
      if (message.type === 'end') return
      if (message.type === 'broken') throw new Problem(message.code, message.detail)
      if (message.type !== 'chunk') throw new Error(`the other side said ${message.type} within a body`)
      encoded += message.bytes.length
      for (const { found } of announced) found.update(message.bytes)
      yield message.bytes
      box.send({ type: 'taken', bytes: message.bytes.length })
    }
  }
  const { limits } = job
  let kept: Promise<void> = Promise.resolve()
  for await (const chunk of decompress(job.encoding, arriving())) {
    seen.bytes += chunk.length
    if (seen.bytes > limits.maxDecodedBytes)
      throw new Problem('expansion_limit', `the decoded body is larger than ${limits.maxDecodedBytes} bytes`)
    if (seen.bytes > limits.ratioFreeBytes && seen.bytes > encoded * limits.maxRatio) {
      throw new Problem('expansion_limit', `the body expands to more than ${limits.maxRatio} times its size`)
    }
    digest.update(chunk)
    await kept
    kept = keep(chunk) // compressed in another thread while this one parses
    kept.catch(() => {}) // met above, or nobody wants to know: an aborted artifact refuses what was on its way
    yield chunk
  }
  await kept
  seen.sha256 = digest.digest('hex')
  for (const { algorithm, base64, found } of announced) {
    const sent = found.digest('base64')
    if (sent !== base64)
      throw new Problem('digest_mismatch', `the body as sent has ${algorithm} ${sent}, announced was ${base64}`)
  }
}

async function* decompress(
  encoding: ParseJob['encoding'],
  chunks: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (encoding === 'identity') return yield* chunks
  const decoder = encoding === 'gzip' ? createGunzip() : createZstdDecompress()
  const source = Readable.from(chunks, { objectMode: false })
  source.on('error', (error) => decoder.destroy(error))
  try {
    yield* source.pipe(decoder)
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem('encoding_invalid', `the ${encoding} body cannot be decoded`, { cause: error })
  } finally {
    source.destroy()
    decoder.destroy()
  }
}

/** Path to blob, from the payloads of the inventory records. */
function readTree(payloads: readonly Uint8Array[]): Map<string, string> {
  const tree = new Map<string, string>()
  const decoder = new TextDecoder()
  for (const payload of payloads) {
    const { files } = JSON.parse(decoder.decode(payload)) as { files: [string, string][] } // written by inventoryPayloads
    for (const [path, blob] of files) tree.set(path, blob)
  }
  return tree
}

/** Sums over all files; keeps their payloads when they fit. */
function countFiles(report: ReportResult, run: RunContext): { totals: Totals; kept: Uint8Array[] | undefined } {
  const totals: Totals = { files: 0, lines: { found: 0, covered: 0, partial: 0, missed: 0 } }
  let kept: Uint8Array[] | undefined = []
  let bytes = 0
  let ordinal = 0
  for (const file of report.files) {
    addFile(totals, file)
    const payloads = coveragePayloads(file, run, ordinal)
    ordinal += payloads.length
    for (const payload of payloads) bytes += payload.length
    if (bytes > maxKeptBytes) kept = undefined
    kept?.push(...payloads)
  }
  return { totals, kept }
}

function addFile(totals: Totals, file: FileCoverage): void {
  const count = (ranges: ArrayLike<number>): number => {
    let lines = 0
    for (let i = 0; i + 1 < ranges.length; i += 2) lines += (ranges[i + 1] ?? 0) - (ranges[i] ?? 0) + 1
    return lines
  }
  const [covered, partial, missed] = [count(file.covered), count(file.partial), count(file.missed)]
  totals.files++
  totals.lines.found += covered + partial + missed
  totals.lines.covered += covered
  totals.lines.partial += partial
  totals.lines.missed += missed
  for (const name of ['branches', 'functions'] as const) {
    const of = file[name]
    if (of === undefined) continue
    const sum = (totals[name] ??= { found: 0, covered: 0 })
    sum.found += of.found
    sum.covered += of.covered
  }
}

function* payloadsOf(report: ReportResult, run: RunContext): Generator<Uint8Array> {
  let ordinal = 0
  for (const file of report.files) {
    for (const payload of coveragePayloads(file, run, ordinal)) {
      yield payload
      ordinal++
    }
  }
}

/** Segments in slices, made while earlier ones are being recorded: two are under way at most. */
async function sendSlices(box: Box, payloads: Iterable<Uint8Array>): Promise<void> {
  let group: Uint8Array[] = []
  let bytes = 0
  let slice: PackedSegment[] = []
  let number = 0
  let credits = 2

  /** The next message but credits, which are counted; undefined when a credit is all that is waited for. */
  const receive = async (): Promise<Link | undefined> => {
    const message = await box.next()
    if (message.type === 'link') return message.link
    if (message.type !== 'next') throw new Error(`the other side said ${message.type}`)
    credits++
    return undefined
  }
  const pack = async (): Promise<void> => {
    box.send({ type: 'link', number: number++ })
    let link = await receive()
    while (link === undefined) link = await receive()
    slice.push(packSegment('coverage', group, link))
    group = []
    bytes = 0
  }
  const ship = async (): Promise<void> => {
    while (credits === 0) await receive()
    credits--
    box.send({ type: 'slice', segments: slice })
    slice = []
  }
  for (const payload of payloads) {
    if (group.length === maxSegmentRecords || bytes + payload.length + 1 > maxSegmentBytes) {
      await pack()
      if (slice.length === sliceSegments) await ship()
    }
    group.push(payload)
    bytes += payload.length + 1
  }
  if (group.length > 0) await pack()
  if (slice.length > 0) await ship()
}

function summaryOf(report: ReportResult, recomputed: Totals, sha256: string, bytes: number): ParseSummary {
  return {
    sha256,
    bytes,
    format: report.format,
    definition: report.definition,
    tool: report.tool ?? null,
    incomplete: report.incomplete ?? null,
    totals: { recomputed, declared: report.declared ?? null },
    refused: report.refused,
    unresolved: report.unresolved,
  }
}

/** Problems of the content (422 and not of the body), after which the rest of the body can still be read. */
function isOfReport({ code }: Problem): boolean {
  return problems[code].status === 422
}

parentPort?.on('message', ({ job, port }: { job: ParseJob; port: MessagePort }) => {
  const box: Box = createMailbox(port)
  const seen: Seen = { bytes: 0, sha256: undefined }
  work(job, box, seen).catch((error: unknown) => {
    if (error instanceof Problem) box.send({ type: 'refused', code: error.code, detail: error.message, ...seen })
    else box.send({ type: 'failed', error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  })
})
