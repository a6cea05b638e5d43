import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createZstdDecompress } from 'node:zlib'
import { Problem } from '../record/problem.ts'

/**
 * A stored artifact on its way to a reader. Both ways decode it and compare the digest: what was read counts only when the stream ended
 * well. A broken zstd frame is the same finding as a wrong digest.
 */

/** The decoded bytes. */
export function decoded(stored: Readable, sha256: string): Readable {
  const hash = createHash('sha256')
  const checked = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
    flush(done) {
      done(hash.digest('hex') === sha256 ? null : broken(sha256))
    },
    destroy(error, done) {
      done(isDecoding(error) ? broken(sha256, error) : error)
    },
  })
  // The error reaches the reader through `checked`.
  pipeline(stored, createZstdDecompress(), checked).catch(() => {})
  return checked
}

/** The bytes as they are stored, a zstd frame. */
export function compressed(stored: Readable, sha256: string): Readable {
  return Readable.from(passing(stored, sha256), { objectMode: false })
}

async function* passing(stored: Readable, sha256: string): AsyncGenerator<Uint8Array> {
  const decoder = createZstdDecompress()
  const hash = createHash('sha256')
  const hashed = (async (): Promise<void> => {
    for await (const chunk of decoder as AsyncIterable<Buffer>) hash.update(chunk)
  })()
  hashed.catch(() => {}) // met below, unless the reader leaves before
  try {
    for await (const chunk of stored as AsyncIterable<Uint8Array>) {
      if (!decoder.write(chunk)) await Promise.race([once(decoder, 'drain'), hashed])
      yield chunk
    }
    decoder.end()
    await hashed
  } catch (error) {
    throw isDecoding(error) ? broken(sha256, error) : error
  } finally {
    decoder.destroy()
    stored.destroy()
  }
  if (hash.digest('hex') !== sha256) throw broken(sha256)
}

function isDecoding(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && /^(ZSTD_|Z_|ERR_)/.test(error.code)
  )
}

function broken(sha256: string, cause?: unknown): Problem {
  return new Problem('integrity', `The stored bytes of artifact ${sha256} are not those bytes`, { cause })
}
