import type { MessagePort } from 'node:worker_threads'
import type { Declared } from '../formats/reading.ts'
import type { PackedSegment } from '../ledger/segments.ts'
import type { ObjectsSettings } from '../objects/settings.ts'
import type { ProblemCode } from '../record/problem.ts'
import type { Metric, RunContext } from '../record/coverage.ts'
import type { LedgerName } from '../record/record.ts'
import type { Totals } from '../record/run.ts'
import type { AnnouncedDigest, Encoding } from './body-headers.ts'

/** What the HTTP thread and a parse worker say to each other about one body. One port a job; nothing else is shared. */

export interface ParseLimits {
  maxDecodedBytes: number
  /** Decoded bytes may be this many times the encoded ones, once they exceed `ratioFreeBytes`. */
  maxRatio: number
  ratioFreeBytes: number
  maxLinesPerFile: number
  maxLines: number
  maxFiles: number
}

export interface ParseJob {
  encoding: Encoding
  digests: AnnouncedDigest[]
  /** Of the decoded body, where it was signed. */
  sha256?: string | undefined
  format?: string | undefined
  strip?: string | undefined
  root?: string | undefined
  section?: string | undefined
  limits: ParseLimits
  objects: ObjectsSettings
  /** Payload bytes of the commit's inventory records; undefined when there is no inventory. */
  inventory: Uint8Array[] | undefined
  run: Omit<RunContext, 'artifact_sha256' | 'tool'>
}

/** The NDJSON of the files of a commit, to be cut into records. */
export interface InventoryJob {
  kind: 'inventory'
  ledger: LedgerName
  repository: string
  commit: string
  maxFiles: number
}

export type Job = ParseJob | InventoryJob

export interface InventorySummary {
  /** SHA-256 over path and blob of all files in path order, hex. */
  digest: string
  files: number
}

/** What a body was found to hold, before any record of it exists. */
export interface ParseSummary {
  sha256: string
  bytes: number
  format: string
  metric: Metric
  definition: string
  tool: { name: string; version?: string } | null
  incomplete: string | null
  /** Over path and blob of the files that it measured; undefined without an inventory. */
  filesDigest: string | undefined
  totals: { recomputed: Totals; declared: Declared | null }
  refused: { count: number; first: { where: string; reason: string }[] }
  unresolved: { count: number; first: string[] }
}

export interface Link {
  chain: bigint
  index: number
  dictionary: { seq: number; depth: number; raw: Uint8Array } | undefined
}

export type ToWorker =
  | { type: 'chunk'; bytes: Uint8Array }
  | { type: 'end' }
  | { type: 'broken'; code: ProblemCode; detail: string }
  | { type: 'go' }
  | { type: 'link'; link: Link }
  | { type: 'next' }
  | { type: 'stop' }

export type FromWorker =
  | { type: 'taken'; bytes: number }
  | { type: 'summary'; summary: ParseSummary | InventorySummary }
  | { type: 'link'; number: number }
  | { type: 'slice'; segments: PackedSegment[] }
  | { type: 'done' }
  | { type: 'refused'; code: ProblemCode; detail: string; sha256: string | undefined; bytes: number }
  | { type: 'failed'; error: string }

/** The worker's end. */
export type WorkerBox = Mailbox<ToWorker, FromWorker>

/** A port as a queue: messages in order, awaited one by one. Ends with an error when the other side is gone. */
export interface Mailbox<In, Out> {
  send(message: Out, transfer?: ArrayBuffer[]): void
  next(): Promise<In>
  close(): void
}

export function createMailbox<In, Out>(port: MessagePort): Mailbox<In, Out> {
  const arrived: In[] = []
  const waiting: { resolve: (message: In) => void; reject: (error: Error) => void }[] = []
  let closed = false
  port.on('message', (message: In) => {
    const taker = waiting.shift()
    if (taker === undefined) arrived.push(message)
    else taker.resolve(message)
  })
  port.on('close', () => {
    closed = true
    for (const { reject } of waiting.splice(0)) reject(new Error('the other thread is gone'))
  })
  return {
    send: (message, transfer = []) => port.postMessage(message, transfer),
    next() {
      const message = arrived.shift()
      if (message !== undefined) return Promise.resolve(message)
      if (closed) return Promise.reject(new Error('the other thread is gone'))
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
    },
    close: () => port.close(),
  }
}
