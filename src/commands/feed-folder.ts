import { type FileHandle, mkdir, open, readFile, readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generationOf, parseRecordId } from '../record/record.ts'
import { Problem } from '../record/problem.ts'

/**
 * A ledger as files that only grow, for collectors that follow files: `<ledger>.<generation>.<first seq>.ndjson`. The last record in them is
 * the position, so nothing can be there twice and nothing be left out, whenever the process ends: a line that broke off is completed, since
 * the record that comes again has the same bytes. `<ledger>.position` has the id of the last record too, for when files were taken away.
 */
export interface FeedFolder {
  /** Id of the last record that is there whole; undefined in an empty folder. */
  last: string | undefined
  /** Lines that follow it; durable when it resolves. Throws Problem in_use when somebody else writes here. */
  append(lines: Uint8Array): Promise<void>
  close(): Promise<void>
}

interface Tail {
  name: string
  /** The last whole line. */
  line: string | undefined
  broken: Buffer
  size: number
}

export async function openFeedFolder(folder: string, ledger: string, maxBytes = 64 * 1_048_576): Promise<FeedFolder> {
  await mkdir(folder, { recursive: true })
  const positionFile = join(folder, `${ledger}.position`)
  const noted = (await readFile(positionFile, 'utf8').catch(() => '')).trim() || undefined
  const tail = await tailOf(folder, ledger)
  let last = laterOf(idOf(tail?.line), noted)
  // Of files that were taken away only the place is left; a line that broke off is gone with its file.
  let broken = tail?.broken ?? Buffer.alloc(0)
  let name = tail?.name
  let size = tail?.size ?? 0
  let file: FileHandle | undefined

  const begin = async (first: string): Promise<FileHandle> => {
    await file?.close()
    name = join(folder, `${ledger}.${placeName(first)}.ndjson`)
    size = 0
    return open(name, 'a')
  }

  return {
    get last() {
      return last
    },
    async append(lines) {
      const bytes = Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength)
      const [first, end] = [bytes.indexOf(10), bytes.lastIndexOf(10, -2)]
      const firstId = idOf(bytes.toString('utf8', 0, first))
      const lastId = idOf(bytes.toString('utf8', end + 1, bytes.length - 1))
      if (firstId === undefined || lastId === undefined) throw new Problem('unavailable', 'the service sent no records')
      if (!bytes.subarray(0, broken.length).equals(broken))
        throw new Problem(
          'in_use',
          `${name}: its last line is none of this feed; was it changed, or is it for other filters?`,
        )
      if (name === undefined || (broken.length === 0 && size >= maxBytes)) file = await begin(firstId)
      file ??= await open(name ?? '', 'a')
      if ((await file.stat()).size !== size) throw new Problem('in_use', `${name}: somebody else writes it too`)
      const rest = bytes.subarray(broken.length)
      // Killed within: what is there of it is completed, or begun behind, by whoever opens the folder next.
      await file.appendFile(rest)
      await file.datasync()
      size += rest.length
      broken = Buffer.alloc(0)
      last = lastId
      await writeFile(`${positionFile}.new`, `${lastId}\n`)
      await rename(`${positionFile}.new`, positionFile)
    },
    async close() {
      await file?.close()
    },
  }
}

async function tailOf(folder: string, ledger: string): Promise<Tail | undefined> {
  const names = (await readdir(folder)).filter((one) => one.startsWith(`${ledger}.`) && one.endsWith('.ndjson'))
  const newest = names.toSorted().at(-1)
  if (newest === undefined) return undefined
  const bytes = await readFile(join(folder, newest))
  const end = bytes.lastIndexOf(10)
  const line = end < 0 ? undefined : bytes.toString('utf8', bytes.lastIndexOf(10, end - 1) + 1, end)
  // Killed before the first line of a new file was whole: the file before has the place.
  const before = line === undefined ? names.toSorted().at(-2) : undefined
  const earlier =
    before === undefined ? undefined : (await readFile(join(folder, before), 'utf8')).trimEnd().split('\n').at(-1)
  return { name: join(folder, newest), line: line ?? earlier, broken: bytes.subarray(end + 1), size: bytes.length }
}

function idOf(line: string | undefined): string | undefined {
  const id = line === undefined ? undefined : /^\{"id":"([^"]+)"/.exec(line)?.[1]
  return id !== undefined && parseRecordId(id) !== undefined ? id : undefined
}

/** Sorts as the records do: generation, then seq. */
function placeName(id: string): string {
  const place = parseRecordId(id)
  if (place === undefined) throw new Error(`${id} is no id`)
  return `${String(generationOf(place.ledger)).padStart(3, '0')}.${String(place.seq).padStart(16, '0')}`
}

function laterOf(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return placeName(a) >= placeName(b) ? a : b
}
