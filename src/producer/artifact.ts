import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  type Gunzip,
  type ZstdDecompress,
  constants,
  createGunzip,
  createZstdCompress,
  createZstdDecompress,
} from 'node:zlib'
import { Problem } from '../record/problem.ts'
import { zstdWindowLog } from '../record/zstd-window.ts'
import { createContent } from './content.ts'

/** A report on disk: read twice, first to know it, then to send it, and never held whole. */

export type Encoding = 'identity' | 'gzip' | 'zstd'

export interface Artifact {
  file: string
  /** How the file is compressed already; such a file is sent as it is. */
  encoding: Encoding
  /** SHA-256 of the report itself, decompressed: what the ledger knows it by. */
  sha256: string
  /** SHA-256 and length of the file. */
  storedSha256: string
  storedBytes: number
  /** Whether the text asked for occurs in the report. */
  mentions: boolean
  /** By what the report carries the text of the sources; undefined where it does not, as most formats. */
  embedsSource: string | undefined
}

/** Decompressing stops here: the service would not take it, and a small file can expand for hours. */
const maxDecodedBytes = 2 ** 36

/**
 * First pass over a file: digests, compression, and whether `needle` occurs in the report. A file whose compression is broken is
 * described by its stored bytes: it is sent all the same, so that the refusal is on record. Throws `request_invalid` when unreadable.
 */
export async function readArtifact(file: string, needle: string): Promise<Artifact> {
  try {
    if (!(await stat(file)).isFile()) throw new Problem('request_invalid', `${file} is not a file`)
    const encoding = await findEncoding(file)
    const stored = createMeter()
    const decoded = createMeter()
    const content = createContent(needle)
    const take = (chunk: Buffer): void => {
      decoded.take(chunk)
      content.take(chunk)
    }
    const chunks = readChunks(file)
    if (encoding === 'identity') {
      for await (const chunk of chunks) take(chunk)
      return { file, encoding, ...describe(decoded, decoded), ...content.found() }
    }
    try {
      const decompress = createDecompress(encoding)
      await pipeline(chunks, stored.pass, decompress, async (report) => {
        for await (const chunk of report as AsyncIterable<Buffer>) take(chunk)
      })
      return { file, encoding, ...describe(stored, decoded), ...content.found() }
    } catch {
      const whole = createMeter()
      for await (const chunk of readChunks(file)) whole.take(chunk)
      return { file, encoding, ...describe(whole, whole), ...createContent('').found() }
    }
  } catch (cause) {
    if (cause instanceof Problem) throw cause
    throw new Problem(
      'request_invalid',
      `cannot read ${file}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    )
  }
}

/** Takes what the service takes. */
function createDecompress(encoding: 'gzip' | 'zstd'): Gunzip | ZstdDecompress {
  return encoding === 'gzip'
    ? createGunzip()
    : createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: zstdWindowLog } })
}

/** The report itself, decompressed. Throws what the file system throws. */
export async function readDecoded(file: string): Promise<{ encoding: Encoding; chunks: AsyncIterable<Uint8Array> }> {
  const encoding = await findEncoding(file)
  if (encoding === 'identity') return { encoding, chunks: readChunks(file) }
  const decompress = createDecompress(encoding)
  pipeline(readChunks(file), decompress).catch(() => undefined) // the error destroys `decompress`, and its reader is told
  return { encoding, chunks: decompress }
}

export interface OpenBody {
  encoding: Encoding
  stream: Readable
  /** Content-Digest of the bytes as sent (RFC 9530), known beforehand only for what is sent as it is. */
  contentDigest: string | undefined
}

/**
 * Second pass: the bytes to send. `onBytes` hears the bytes read from disk so far. The stream fails before its end when the file is no
 * longer what the first pass read: a body that breaks off is never recorded as a part.
 */
export function openArtifact(artifact: Artifact, onBytes: (bytes: number) => void): OpenBody {
  const { file, encoding, storedSha256 } = artifact
  const meter = createMeter(onBytes)
  const checked = async function* (): AsyncGenerator<Buffer> {
    yield* meter.pass(readChunks(file))
    if (meter.digest() !== storedSha256)
      throw new Problem('request_invalid', `${file} changed while it was sent: push it again`)
  }
  if (encoding !== 'identity') {
    const contentDigest = `sha-256=:${Buffer.from(storedSha256, 'hex').toString('base64')}:`
    return { encoding, stream: Readable.from(checked(), { objectMode: false }), contentDigest }
  }
  return { encoding: 'zstd', stream: compress(checked()), contentDigest: undefined }
}

/** zstd of a stream; whatever breaks the source breaks the result. */
export function compress(chunks: AsyncIterable<Uint8Array>): Readable {
  const stream = createZstdCompress()
  pipeline(chunks, stream).catch(() => undefined) // the error destroys `stream`, and its reader is told
  return stream
}

function describe(stored: Meter, decoded: Meter): Pick<Artifact, 'sha256' | 'storedSha256' | 'storedBytes'> {
  const sha256 = decoded.digest()
  return {
    sha256,
    storedSha256: stored === decoded ? sha256 : stored.digest(),
    storedBytes: stored.bytes(),
  }
}

const readChunks = (file: string): AsyncIterable<Buffer> => createReadStream(file, { highWaterMark: 1 << 18 })

interface Meter {
  take(chunk: Buffer): void
  pass: (chunks: AsyncIterable<Buffer>) => AsyncGenerator<Buffer>
  bytes(): number
  /** Once, at the end. */
  digest(): string
}

function createMeter(onBytes?: (bytes: number) => void): Meter {
  const hash = createHash('sha256')
  let bytes = 0
  const take = (chunk: Buffer): void => {
    hash.update(chunk)
    bytes += chunk.length
    if (bytes > maxDecodedBytes) throw new Error('the file expands beyond every limit')
    onBytes?.(bytes)
  }
  return {
    take,
    async *pass(chunks) {
      for await (const chunk of chunks) {
        take(chunk)
        yield chunk
      }
    },
    bytes: () => bytes,
    digest: () => hash.digest('hex'),
  }
}

async function findEncoding(file: string): Promise<Encoding> {
  const handle = await open(file)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0)
    if (bytesRead >= 2 && buffer[0] === 0x1f && buffer[1] === 0x8b) return 'gzip'
    if (bytesRead === 4 && buffer.readUInt32BE() === 0x28b52ffd) return 'zstd'
    return 'identity'
  } finally {
    await handle.close()
  }
}
