import { hash, randomUUID } from 'node:crypto'
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { shard } from '../api/runs.ts'
import { type LedgerName, isLedgerName } from '../record/record.ts'
import type { By } from '../record/run.ts'

/**
 * Notes on parts that are being recorded in more than one append, so that a crash between two slices can be finished from the artifact.
 * Only an aid: a note that is lost leaves a part open until the client repeats it or the run is abandoned.
 */
const openPart = z.object({
  ledger: z.custom<LedgerName>((value) => typeof value === 'string' && isLedgerName(value)),
  run: z.string(),
  part: z.string(),
  sha256: z.string(),
  parameters: z.object({
    format: z.string().optional(),
    strip: z.string().optional(),
    root: z.string().optional(),
    section: z.string().optional(),
    shard: shard.optional(),
  }),
  by: z.custom<By>((value) => typeof value === 'object' && value !== null).optional(),
})
export type OpenPart = z.infer<typeof openPart>

export interface LeftPart {
  part: OpenPart
  /** Takes the note away. */
  close(): Promise<void>
}

export interface OpenNote {
  /** The part is recorded: the note goes. */
  close(): Promise<void>
  /** Whoever was at it gave up: the note stays, for somebody else. */
  leave(): void
}

export interface OpenParts {
  /** Writes the note. The same content offered twice is one note; other content under the same name is another. */
  note(part: OpenPart): Promise<OpenNote>
  /** What an earlier process left, or this one gave up; not what is being recorded now. */
  left(): Promise<LeftPart[]>
}

export function createOpenParts(folder: string): OpenParts {
  /** Notes in use by this process, and by how many. */
  const inUse = new Map<string, number>()
  const leave = (name: string): void => {
    const others = (inUse.get(name) ?? 1) - 1
    if (others === 0) inUse.delete(name)
    else inUse.set(name, others)
  }

  return {
    async note(part) {
      const name = `${hash('sha256', `${part.run}\0${part.part}\0${JSON.stringify([part.sha256, part.parameters])}`, 'hex').slice(0, 32)}.json`
      inUse.set(name, (inUse.get(name) ?? 0) + 1)
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 })
        // Of its own: two clients may send the same part at once, and the other one's rename takes its draft away.
        const draft = join(folder, `${name}.${randomUUID()}.tmp`)
        await writeFile(draft, JSON.stringify(part), { flush: true, mode: 0o600 })
        await rename(draft, join(folder, name))
      } catch (error) {
        leave(name)
        throw error
      }
      return {
        async close() {
          await rm(join(folder, name), { force: true })
        },
        leave: () => leave(name),
      }
    },
    async left() {
      const names = await readdir(folder).catch(ignoringAbsence)
      const left: LeftPart[] = []
      for (const name of names) {
        if (!name.endsWith('.json') || inUse.has(name)) continue
        const path = join(folder, name)
        const close = (): Promise<void> => rm(path, { force: true })
        const part = openPart.safeParse(await readFile(path, 'utf8').then(toJson, () => undefined))
        if (part.success) left.push({ part: part.data, close })
      }
      return left
    },
  }
}

/** A note that a crash or a full disk damaged says nothing any more. */
function toJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function ignoringAbsence(error: unknown): string[] {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
  throw error
}
