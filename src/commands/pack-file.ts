import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { type Entry, type ZipFile, openPromise } from 'yauzl'
import type { PackSource } from '../verify/pack-source.ts'

/**
 * A zip that somebody else made, opened with suspicion. The whole directory is looked at before any file is read; what could be read in two
 * ways, or lead out of the pack, is refused with the name of the file.
 */
export interface PackFileSource extends PackSource {
  close(): void
}

/** A pack has some ten files a sample, and tables. */
const maxEntries = 100_000
/** Deflate reaches 1,032; reports and records some fifty. What is small may be as empty as it likes. */
const maxRatio = 500
const ratioFreeBytes = 1_048_576

/** Throws an Error that says what is wrong with the zip. */
export async function openPackFile(path: string): Promise<PackFileSource> {
  const zip = await openPromise(path, { lazyEntries: true, autoClose: false, validateEntrySizes: true, strictFileNames: true }) // oxfmt-ignore
  try {
    const entries = await readDirectory(zip)
    const find = (name: string): Entry => {
      const entry = entries.get(name)
      if (entry === undefined) throw new Error(`${name} is missing`)
      return entry
    }
    const open = (name: string): AsyncIterable<Uint8Array> => readEntry(zip, find(name))
    return {
      names: [...entries.keys()],
      open,
      async digest(name) {
        const hash = createHash('sha256')
        let bytes = 0
        for await (const chunk of open(name)) {
          hash.update(chunk)
          bytes += chunk.length
        }
        return { bytes, sha256: hash.digest('hex') }
      },
      close: () => zip.close(),
    }
  } catch (error) {
    zip.close()
    throw error
  }
}

async function readDirectory(zip: ZipFile): Promise<Map<string, Entry>> {
  if (zip.entryCount > maxEntries) throw new Error(`the zip has ${zip.entryCount} files, a pack at most ${maxEntries}`)
  const entries = new Map<string, Entry>()
  const lower = new Set<string>()
  for await (const entry of zip.eachEntry()) {
    const { fileName: name } = entry
    const why = whyRefused(entry)
    if (why !== undefined) throw new Error(`${JSON.stringify(name.slice(0, 200))} ${why}`)
    // Some file systems would keep one of the two only.
    if (lower.has(name.toLowerCase())) throw new Error(`${name} is in the zip twice`)
    lower.add(name.toLowerCase())
    entries.set(name, entry)
  }
  let end = 0
  for (const entry of [...entries.values()].toSorted((a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader)) {
    if (entry.relativeOffsetOfLocalHeader < end || (end === 0 && entry.relativeOffsetOfLocalHeader !== 0))
      throw new Error(`${entry.fileName} overlaps another file, or something stands before it`)
    const { fileDataStart, fileName } = await zip.readLocalFileHeaderPromise(entry)
    if (!fileName.equals(entry.fileNameRaw)) throw new Error(`${entry.fileName} has another name where its bytes are`)
    end = fileDataStart + entry.compressedSize
  }
  return entries
} // oxfmt-ignore

/** Why a pack cannot have such an entry. */
function whyRefused(entry: Entry): string | undefined {
  const { fileName: name, compressedSize, uncompressedSize, compressionMethod, externalFileAttributes } = entry
  if (!/^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/.test(name) || name.split('/').some((part) => /^\.+$/.test(part)))
    return 'is no name of a file in a pack'
  if (name.length > 255) return 'has a name that is too long'
  const type = (externalFileAttributes >>> 16) & 0o170000
  if (type !== 0 && type !== 0o100000) return 'is a link or a device, not a file'
  if (entry.isEncrypted()) return 'is encrypted'
  if (compressionMethod !== 0 && compressionMethod !== 8) return `is compressed by method ${compressionMethod}`
  if (uncompressedSize > ratioFreeBytes && uncompressedSize > compressedSize * maxRatio)
    return `expands ${Math.round(uncompressedSize / Math.max(1, compressedSize))} times`
  return undefined
}

async function* readEntry(zip: ZipFile, entry: Entry): AsyncGenerator<Uint8Array> {
  const stream = await zip.openReadStreamPromise(entry)
  let check = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    check = crc32(chunk, check)
    yield chunk
  }
  if (check !== entry.crc32) throw new Error(`${entry.fileName} has another CRC-32 than the zip says`)
}
