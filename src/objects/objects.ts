import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress } from 'node:zlib'
import { Problem } from '../record/problem.ts'
import { compressed, decoded } from './verified.ts'

/**
 * Immutable bytes by key (`[a-z0-9./_-]`, no `..`). A key is stored once: the second writer is told `existed` and the first bytes stay, until
 * retention removes them. What was answered is durable. Safe to use concurrently, also by several processes.
 */
export interface Objects {
  put(key: string, bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, options?: PutOptions): Promise<Stored>
  /** For bytes whose key is known only at their end. */
  create(): Promise<ObjectWriter>
  /** undefined when there is nothing; the stream fails when it cannot be read to the end. `range` is half-open, and lies within the object. */
  open(key: string, range?: Range): Promise<Readable | undefined>
  has(key: string): Promise<boolean>
  /** `locked` when somebody promised that it stays, and it does. What was answered `removed` is gone for good. */
  remove(key: string): Promise<'removed' | 'absent' | 'locked'>
  /** Once at the start: rejects when the storage would not keep what is promised here, or cannot be reached. */
  prove(): Promise<void>
  close(): Promise<void>
}

export interface PutOptions {
  /** How long nobody may remove the object. A storage that cannot lock refuses. */
  retention?: Retention
}

/** Bytes [from, to). */
export interface Range {
  from: number
  to: number
}

export interface Retention {
  mode: 'governance' | 'compliance'
  until: Date
}

export type Stored = 'stored' | 'existed'

/** One of commit and abort must be called. Until commit answers, nobody can open the object; a crash leaves nothing that counts. */
export interface ObjectWriter {
  write(chunk: Uint8Array): Promise<void>
  commit(key: string, options?: PutOptions): Promise<Stored>
  abort(): Promise<void>
}

export interface Artifact {
  /** Of the decoded bytes; 64 lower-case hex digits. */
  sha256: string
  /** Decoded length. */
  bytes: number
}

/** One of commit and abort must be called. Calls must not overlap. */
export interface ArtifactWriter {
  /** Resolves when more may be written. The chunk must not be changed afterwards. */
  write(chunk: Uint8Array): Promise<void>
  /** Durable when it answers. The same bytes may be there already: that is fine. */
  commit(): Promise<Artifact>
  abort(): Promise<void>
}

/** What producers sent, byte for byte, under the SHA-256 of the decoded bytes; stored compressed by zstd. */
export interface Artifacts {
  writer(): Promise<ArtifactWriter>
  /**
   * The decoded bytes, or the zstd frame that they are stored as. Checked while they are read: the stream fails with `integrity` at its
   * end, so what was read before counts only when the stream ended well.
   */
  open(sha256: string, encoding?: 'identity' | 'zstd'): Promise<Readable | undefined>
  has(sha256: string): Promise<boolean>
}

/** On reports as small as the levels above it, at two thirds of their time. */
const level = 1
/** What the compressor hands on at a time; each piece is a turn of the event loop and a write to disk. */
const pieceBytes = 128 * 1_024

export function createArtifacts(objects: Objects): Artifacts {
  return {
    async writer() {
      const object = await objects.create()
      const hash = createHash('sha256')
      const zstd = createZstdCompress({
        chunkSize: pieceBytes,
        params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
      })
      let bytes = 0
      let failure: unknown
      const stored = pipeline(zstd, async (frame: AsyncIterable<Uint8Array>) => {
        for await (const chunk of frame) await object.write(chunk)
      }).catch((error: unknown) => {
        failure = error
      })
      return {
        async write(chunk) {
          if (failure !== undefined) throw failure
          hash.update(chunk)
          bytes += chunk.length
          // What ends the wait early shows in `failure`.
          if (!zstd.write(chunk)) await Promise.race([once(zstd, 'drain').catch(() => stored), stored])
          if (failure !== undefined) throw failure
        },
        async commit() {
          zstd.end()
          await stored
          if (failure !== undefined) {
            await object.abort()
            throw failure
          }
          const sha256 = hash.digest('hex')
          await object.commit(artifactKey(sha256))
          return { sha256, bytes }
        },
        async abort() {
          zstd.destroy()
          await stored
          await object.abort()
        },
      }
    },

    async open(sha256, encoding = 'identity') {
      const stored = await objects.open(artifactKey(sha256))
      if (stored === undefined) return undefined
      return encoding === 'zstd' ? compressed(stored, sha256) : decoded(stored, sha256)
    },

    has: (sha256) => objects.has(artifactKey(sha256)),
  }
}

/** Under which key an artifact lies. */
export function artifactKey(sha256: string): string {
  if (!/^[0-9a-f]{64}$/.test(sha256))
    throw new Problem('request_invalid', 'An artifact is named by 64 lower-case hex digits')
  return `artifacts/${sha256.slice(0, 2)}/${sha256.slice(2, 4)}/${sha256}.zst`
}
