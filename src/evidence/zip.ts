import { createHash } from 'node:crypto'
import { type PassThrough, Readable } from 'node:stream'
import { ZipFile } from 'yazl'
import type { PackFile } from '../verify/pack-format.ts'

/**
 * A zip written as a stream: one file after the other, each hashed on its way. The same files in the same order give the same bytes (with
 * the same zlib): no times, no modes of this machine.
 */
export interface Zip {
  output: Readable
  /** Resolves when all of it went into the zip. The name must be new. */
  add(name: string, content: Uint8Array | string | AsyncIterable<Uint8Array | string>): Promise<void>
  /** What was added so far. */
  files(): readonly PackFile[]
  end(): void
  /** Breaks the stream off: what was written is no zip. */
  fail(error: Error): void
}

/** In local time, since that is what the format stores: the same in every time zone. */
const options = { mtime: new Date(1980, 0, 1), mode: 0o100644, forceDosTimestamp: true, compress: true }

export function createZip(): Zip {
  const zip = new ZipFile()
  const output = zip.outputStream as PassThrough
  const broken = new Promise<never>((_, reject) => {
    zip.once('error', reject)
    output.once('close', () => reject(new Error('the reader of the pack is gone')))
  })
  broken.catch(() => undefined) // seen by whoever adds next
  const files: PackFile[] = []
  const names = new Set<string>()

  return {
    output,
    files: () => files,
    async add(name, content) {
      if (names.has(name)) throw new Error(`the pack has a file ${name} already`)
      names.add(name)
      const hash = createHash('sha256')
      let bytes = 0
      const chunks = typeof content === 'string' || content instanceof Uint8Array ? [content] : content
      async function* through(): AsyncGenerator<Buffer> {
        for await (const chunk of chunks) {
          const buffer = typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) // oxfmt-ignore
          hash.update(buffer)
          bytes += buffer.length
          if (buffer.length > 0) yield buffer
        }
      }
      const source = Readable.from(through(), { objectMode: false })
      const ended = new Promise<void>((resolve, reject) => source.once('end', resolve).once('error', reject))
      zip.addReadStream(source, name, options)
      await Promise.race([ended, broken])
      files.push({ name, bytes, sha256: hash.digest('hex') })
    },
    end: () => zip.end(),
    fail: (error) => void output.destroy(error),
  }
}
