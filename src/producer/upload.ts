import { createHash, hash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Readable } from 'node:stream'
import { zstdCompressSync } from 'node:zlib'
import type { PartQuery } from '../api/queries.ts'
import type {
  Declaration,
  DeclarationAnswer,
  InventoryAnswer,
  LineMapsAnswer,
  PartReceipt,
  PushAnswer,
  SealReceipt,
  SealRequest,
  SealWaiting,
} from '../api/runs.ts'
import { problems, Problem } from '../record/problem.ts'
import { compress, openArtifact, type Artifact } from './artifact.ts'
import type { Environment } from './ci-facts.ts'
import { callOf, type Client, type Request } from './client.ts'
import { readTree } from './git.ts'
import { namePart } from './part-error.ts'
import { type SentMaps, sendLineMaps } from './send-line-maps.ts'

/**
 * Sends a run: declaration, inventory and line maps where they are missing, parts, seal. Every step may be repeated with the same bytes: the service
 * answers with the first receipt. So whatever leaves the outcome open is simply sent again, until the time is up; this is the one place
 * of the client that retries.
 */

export interface Plan {
  run: string
  declaration: Declaration
  /** Where the files of the commit are listed; undefined without a checkout. */
  inventory: { kind: 'git'; folder: string; commit: string } | { kind: 'file'; artifact: Artifact } | undefined
  /** Where commits are compared; undefined without a checkout. */
  lineMaps: { folder: string; env: Environment; fetch: boolean } | undefined
  parts: readonly PlannedPart[]
  /** Undefined: the run stays open for more parts. */
  seal: SealRequest | undefined
}

export interface PlannedPart {
  query: PartQuery
  artifact: Artifact
}

export interface Uploaded {
  run: string
  /** True when every answer was a repeated one: nothing new was recorded. */
  repeated: boolean
  declaration: DeclarationAnswer
  inventory: InventoryAnswer | undefined
  lineMaps: SentMaps[]
  parts: PartReceipt[]
  seal: SealReceipt | undefined
  /** The run has not ended: it waits for other pushes. */
  waiting: SealWaiting | undefined
}

export interface UploadOptions {
  signal: AbortSignal
  /** Past this nothing is tried again; a try under way is not cut short. */
  retryForMs: number
  firstDelayMs: number
  onProgress: (step: Progress) => void
}

export type Progress =
  | { kind: 'sending'; part: string; bytes: number; of: number }
  | { kind: 'recording'; part: string }
  | { kind: 'waiting'; reason: string; delayMs: number }
  | { kind: 'comparing'; from: string; to: string }
  | { kind: 'fetching'; commits: readonly string[]; remote: string }

/** Throws the Problem that ended it: one that is final at once, one that may pass after the last retry. */
export async function upload(plan: Plan, client: Client, options: UploadOptions): Promise<Uploaded> {
  const until = performance.now() + options.retryForMs
  const { traceparent } = plan.declaration
  const tracing: Record<string, string> = traceparent === undefined ? {} : { traceparent }
  const put = <T>(shape: ShapeName<T>, make: () => Request): Promise<Put<T>> =>
    retried(
      () => {
        const { headers, ...rest } = make()
        return putOnce(client, shape, { ...rest, headers: { ...headers, ...tracing }, signal: options.signal })
      },
      until,
      options,
    )
  const { run } = plan

  const declared = await put(shapes.declarationAnswer, () => ({
    ...callOf('declareRun', run),
    ...json(plan.declaration),
  }))
  const statuses = [declared.status]
  let inventory: InventoryAnswer | undefined
  if (declared.answer.missing.inventory && plan.inventory !== undefined) {
    const source = plan.inventory
    const answered = await put(shapes.inventoryAnswer, () => ({
      ...callOf('putInventory', run),
      ...openInventory(source),
    }))
    inventory = answered.answer
    statuses.push(answered.status)
  }
  const lineMaps = await sendLineMaps(declared.answer.missing.line_maps, plan.lineMaps, {
    ...options,
    async put(query, body) {
      const { answer, status } = await put(shapes.lineMapsAnswer, () => ({
        ...callOf('putLineMaps', run, query),
        headers: bodyHeaders('application/x-ndjson', 'zstd'),
        body: zstdCompressSync(body),
        sha256: () => hash('sha256', body, 'hex'),
        idleMs: 600_000, // as a part: answered when all maps are recorded and signed
      }))
      statuses.push(status)
      return answer
    },
  })
  const parts: PartReceipt[] = []
  for (const part of plan.parts) {
    const { answer, status } = await put(shapes.partReceipt, () => ({
      ...callOf('putPart', run, part.query),
      ...openPart(part, options.onProgress),
      idleMs: 600_000, // a part of 500 MB is answered when all of it is recorded and signed
    })).catch((error: unknown) => {
      const recorded = parts.map((one) => one.part)
      throw namePart(error, part, plan, recorded)
    })
    if (answer.artifact_sha256 !== part.artifact.sha256) {
      throw new Problem(
        'digest_mismatch',
        `part ${part.query.name} was recorded as ${answer.artifact_sha256}, but ${part.artifact.file} is ${part.artifact.sha256}`,
      )
    }
    parts.push(answer)
    statuses.push(status)
  }
  const seal = plan.seal && (await put(shapes.sealAnswer, () => ({ ...callOf('sealRun', run), ...json(plan.seal) })))
  const [ended, waiting] = splitSeal(seal?.answer)
  if (seal !== undefined && waiting === undefined) statuses.push(seal.status)
  return {
    run,
    repeated: statuses.every((status) => status === 200),
    declaration: declared.answer,
    inventory,
    lineMaps,
    parts,
    seal: ended,
    waiting,
  }
}

/** Sealed, or waiting for other pushes. */
export function splitSeal(
  answer: SealReceipt | SealWaiting | undefined,
): [SealReceipt | undefined, SealWaiting | undefined] {
  return answer !== undefined && 'expected' in answer ? [undefined, answer] : [answer, undefined]
}

/** Whether the same bytes may well be taken later: exit code 4 of the table of problems. */
export function mayPass(error: unknown): error is Problem {
  return error instanceof Problem && problems[error.code].exit === 4
}

const longestDelayMs = 15_000

export async function retried<T>(
  once: () => Promise<T>,
  until: number,
  { signal, firstDelayMs, onProgress }: UploadOptions,
): Promise<T> {
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * 2, longestDelayMs)) {
    try {
      return await once()
    } catch (error) {
      signal.throwIfAborted()
      const asked = error instanceof Problem ? Number(error.extra['retry_after'] ?? 0) * 1000 : 0
      const waitMs = Math.max(delayMs * (0.5 + Math.random() / 2), asked) // jitter: a hundred jobs must not come back at once
      if (!mayPass(error) || performance.now() + waitMs > until) throw error
      onProgress({ kind: 'waiting', reason: error.message, delayMs: waitMs })
      await sleep(waitMs, undefined, { signal })
    }
  }
}

interface Put<T> {
  status: number
  answer: T
}

/** Names of shapes in src/api/runs.ts with the type that each gives. */
interface ShapeName<T> {
  name: 'declarationAnswer' | 'inventoryAnswer' | 'lineMapsAnswer' | 'partReceipt' | 'sealAnswer' | 'pushAnswer'
  /** Never there: it carries the type. */
  type?: T
}

export const shapes: {
  declarationAnswer: ShapeName<DeclarationAnswer>
  inventoryAnswer: ShapeName<InventoryAnswer>
  lineMapsAnswer: ShapeName<LineMapsAnswer>
  partReceipt: ShapeName<PartReceipt>
  sealAnswer: ShapeName<SealReceipt | SealWaiting>
  pushAnswer: ShapeName<PushAnswer>
} = {
  declarationAnswer: { name: 'declarationAnswer' },
  inventoryAnswer: { name: 'inventoryAnswer' },
  lineMapsAnswer: { name: 'lineMapsAnswer' },
  partReceipt: { name: 'partReceipt' },
  sealAnswer: { name: 'sealAnswer' },
  pushAnswer: { name: 'pushAnswer' },
}

export async function putOnce<T>(client: Client, shape: ShapeName<T>, request: Request): Promise<Put<T>> {
  const { status, bytes } = await client.send(request)
  const api = await import('../api/runs.ts') // loads zod, 100 ms: not before the first request is under way
  try {
    const answer: unknown = JSON.parse(bytes.toString('utf8'))
    api[shape.name].parse(answer) // checked, and kept whole: a newer service may say more
    return { status, answer: answer as T } // ShapeName pairs name and type
  } catch (cause) {
    throw new Problem(
      'unavailable',
      `${client.url} does not answer as a Proofline service does: ${bytes.toString('utf8', 0, 120)}`,
      { cause },
    )
  }
}

export function json(value: unknown): Pick<Request, 'headers' | 'body' | 'sha256'> {
  const body = Buffer.from(JSON.stringify(value))
  return { headers: { 'content-type': 'application/json' }, body, sha256: () => hash('sha256', body, 'hex') }
}

export function openPart(
  { artifact, query }: PlannedPart,
  onProgress: UploadOptions['onProgress'],
): Pick<Request, 'headers' | 'body' | 'sha256'> {
  const of = artifact.storedBytes
  const { stream, encoding, contentDigest } = openArtifact(artifact, (bytes) => {
    onProgress(bytes < of ? { kind: 'sending', part: query.name, bytes, of } : { kind: 'recording', part: query.name })
  })
  return {
    headers: bodyHeaders('application/octet-stream', encoding, contentDigest),
    body: stream,
    sha256: () => artifact.sha256,
  }
}

export function openInventory(source: NonNullable<Plan['inventory']>): Pick<Request, 'headers' | 'body' | 'sha256'> {
  const type = 'application/x-ndjson'
  if (source.kind === 'git')
    return {
      headers: bodyHeaders(type, 'zstd'),
      body: inventoryBody(source.folder, source.commit),
      sha256: () => digestOfInventory(source.folder, source.commit),
    }
  const { artifact } = source
  const { stream, encoding, contentDigest } = openArtifact(artifact, () => undefined)
  return { headers: bodyHeaders(type, encoding, contentDigest), body: stream, sha256: () => artifact.sha256 }
}

/** The files of a commit as NDJSON, zstd. */
export function inventoryBody(folder: string, commit: string): Readable {
  return compress(inventoryLines(folder, commit))
}

/** A commit never changes: listed a second time it is the same. */
async function digestOfInventory(folder: string, commit: string): Promise<string> {
  const digest = createHash('sha256')
  for await (const chunk of inventoryLines(folder, commit)) digest.update(chunk)
  return digest.digest('hex')
}

async function* inventoryLines(folder: string, commit: string): AsyncGenerator<Buffer> {
  let text = ''
  for await (const file of readTree(folder, commit)) {
    text += `${JSON.stringify(file)}\n`
    if (text.length < 1 << 16) continue
    yield Buffer.from(text)
    text = ''
  }
  if (text !== '') yield Buffer.from(text)
}

function bodyHeaders(type: string, encoding: string, contentDigest?: string): Record<string, string> {
  return {
    'content-type': type,
    ...(encoding === 'identity' ? {} : { 'content-encoding': encoding }),
    ...(contentDigest === undefined ? {} : { 'content-digest': contentDigest }),
  }
}
