import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { parentPort, type MessagePort } from 'node:worker_threads'
import { type ReportResult, openReport } from '../formats/format.ts'
import { type Artifacts, createArtifacts } from '../objects/objects.ts'
import { openObjects } from '../objects/open-objects.ts'
import { type RunContext, coveragePayloads } from '../record/coverage.ts'
import { Problem, problems } from '../record/problem.ts'
import type { Totals } from '../record/run.ts'
import { addTotals, noTotals, totalsOf } from '../record/totals.ts'
import { arriving } from './arriving.ts'
import { cutInventory } from './cut-inventory.ts'
import { createDecoder, toDecodeProblem } from './decoder.ts'
import { type FilesDigest, createFilesDigest } from './files-digest.ts'
import { type Job, type ParseJob, type ParseSummary, type WorkerBox, createMailbox } from './messages.ts'
import { sendSlices } from './send-slices.ts'

/**
 * A worker thread: cuts an inventory (cut-inventory.ts), or takes a body in (decompress, limit, hash, keep, parse), answers what it found, then makes payloads and segments as fast
 * as the other side records them. What goes wrong with the body is a Problem; anything else is a bug and ends the job only.
 */

/** Payloads kept between counting and recording; a larger report is walked twice instead. */
const maxKeptBytes = 32 * 1_048_576

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

async function work(job: ParseJob, box: WorkerBox, seen: Seen): Promise<void> {
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
      ...(job.section === undefined ? {} : { section: job.section }),
      ...(job.inventory === undefined ? {} : { tree: readTree(job.inventory) }),
      maxFiles: job.limits.maxFiles,
      maxLinesPerFile: job.limits.maxLinesPerFile,
      maxLines: job.limits.maxLines,
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
  // Without an inventory nobody knows the blobs, and files of the same names are not the same files.
  const filesDigest = job.inventory === undefined ? undefined : createFilesDigest()
  const { totals, kept } = countFiles(report, run, filesDigest)
  const summary = { ...summaryOf(report, totals, sha256, seen.bytes), filesDigest: filesDigest?.digest() }
  box.send({ type: 'summary', summary })
  const asked = await box.next()
  if (asked.type !== 'go') return
  await sendSlices(box, 'coverage', kept ?? payloadsOf(report, run))
  box.send({ type: 'done' })
}

/** Decoded bytes of the body, limited, hashed and kept on the way. */
async function* decode(
  job: ParseJob,
  box: WorkerBox,
  seen: Seen,
  keep: (chunk: Uint8Array) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256')
  const announced = job.digests.map(({ algorithm, base64 }) => ({ algorithm, base64, found: createHash(algorithm) }))
  let encoded = 0
  const note = (chunk: Uint8Array): void => {
    encoded += chunk.length
    for (const { found } of announced) found.update(chunk)
  }
  const { limits } = job
  let kept: Promise<void> = Promise.resolve()
  for await (const chunk of decompress(job.encoding, arriving(box, note))) {
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
  if (job.sha256 !== undefined && job.sha256 !== seen.sha256)
    throw new Problem('digest_mismatch', `the report is ${seen.sha256}, signed was ${job.sha256}`)
}

async function* decompress(
  encoding: ParseJob['encoding'],
  chunks: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (encoding === 'identity') return yield* chunks
  const decoder = createDecoder(encoding)
  const source = Readable.from(chunks, { objectMode: false })
  source.on('error', (error) => decoder.destroy(error))
  try {
    yield* source.pipe(decoder)
  } catch (error) {
    throw toDecodeProblem(encoding, error)
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
function countFiles(
  report: ReportResult,
  run: RunContext,
  filesDigest: FilesDigest | undefined,
): { totals: Totals; kept: Uint8Array[] | undefined } {
  let totals = noTotals(report.metric)
  let kept: Uint8Array[] | undefined = []
  let bytes = 0
  let ordinal = 0
  for (const file of report.files) {
    totals = addTotals(totals, totalsOf(file))
    filesDigest?.add(file)
    const payloads = coveragePayloads(file, run, ordinal)
    ordinal += payloads.length
    for (const payload of payloads) bytes += payload.length
    if (bytes > maxKeptBytes) kept = undefined
    kept?.push(...payloads)
  }
  return { totals, kept }
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

function summaryOf(
  report: ReportResult,
  recomputed: Totals,
  sha256: string,
  bytes: number,
): Omit<ParseSummary, 'filesDigest'> {
  return {
    sha256,
    bytes,
    format: report.format,
    metric: report.metric,
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

parentPort?.on('message', ({ job, port }: { job: Job; port: MessagePort }) => {
  const box: WorkerBox = createMailbox(port)
  const seen: Seen = { bytes: 0, sha256: undefined }
  const working = 'kind' in job ? cutInventory(job, box) : work(job, box, seen)
  working.catch((error: unknown) => {
    if (error instanceof Problem) box.send({ type: 'refused', code: error.code, detail: error.message, ...seen })
    else box.send({ type: 'failed', error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  })
})
