import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { lockFolder } from '../signing/folder-lock.ts'

/**
 * Sums of uses that are not on record yet, as lines of JSON in a folder of one process. A sum that grows is written again: the line with the
 * greatest count is the sum. So a line that a crash or a full disk tore is one that nobody was told about, and is passed over.
 */
export interface UseFiles {
  /** Durable when it resolves. When it rejects some of them may be there all the same; the same ones are written again. */
  write(sums: readonly Sum[]): Promise<void>
  /** What is written from here on lies in another file. */
  turn(): Promise<void>
  /** Those that nothing is written to any more, oldest first; also what an earlier process left. */
  closed(): Promise<string[]>
  read(file: string): Promise<Sum[]>
  remove(file: string): Promise<void>
  close(): Promise<void>
}

export interface Sum {
  /** Made once: recorded under it, however often that is tried, it is one record. */
  access: string
  by: string
  method: string
  route: string
  /** Absent where the use is about none, or about several. */
  repository?: string | undefined
  count: number
  /** When the first and the last of them were. */
  from: string
  until: string
}

const text = z.string().min(1).max(1_024)
const sumLine: z.ZodType<Sum> = z.strictObject({ access: z.uuid(), by: text, method: text, route: text, repository: text.optional(), count: z.int().min(1), from: text, until: text }) // oxfmt-ignore

/** Throws Problem in_use when another process keeps its sums in this folder. */
export async function openUseFiles(folder: string): Promise<UseFiles> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const lock = lockFolder(folder)
  let current: { name: string; handle: FileHandle } | undefined

  const begin = async (): Promise<{ name: string; handle: FileHandle }> => {
    const name = `${String(Date.now()).padStart(15, '0')}-${randomBytes(4).toString('hex')}.ndjson`
    const handle = await open(join(folder, name), 'ax', 0o600)
    current = { name, handle }
    await syncFolder(folder)
    return current
  }
  const turn = async (): Promise<void> => {
    const ended = current
    current = undefined
    await ended?.handle.close()
  }

  return {
    async write(sums) {
      const { handle } = current ?? (await begin())
      // Begins on a line of its own, whatever a write that failed left before it.
      await handle.appendFile(`\n${sums.map((sum) => JSON.stringify(sum)).join('\n')}\n`)
      await handle.datasync()
    },
    turn,
    async closed() {
      const names = (await readdir(folder)).filter((name) => name.endsWith('.ndjson') && name !== current?.name)
      return names.toSorted()
    },
    async read(file) {
      const sums = new Map<string, Sum>()
      for (const line of (await readFile(join(folder, file), 'utf8')).split('\n')) {
        const sum = parseLine(line)
        if (sum !== undefined && sum.count > (sums.get(sum.access)?.count ?? 0)) sums.set(sum.access, sum)
      }
      return [...sums.values()]
    },
    // A crash before it: the same sums are offered again, and answered with their first receipt.
    remove: (file) => unlink(join(folder, file)),
    async close() {
      await turn()
      lock.release()
    },
  }
}

/** No sum that was written here is longer, and a record holds as much: one that could not be recorded would keep back those behind it. */
const maxLineBytes = 4_096

function parseLine(line: string): Sum | undefined {
  if (Buffer.byteLength(line) > maxLineBytes) return undefined
  try {
    return sumLine.safeParse(JSON.parse(line)).data
  } catch {
    return undefined
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
