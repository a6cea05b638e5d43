import { open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * The effects by which a small file is replaced durably, one by one, so that a test can let each of them fail. None is ever tried again
 * on the same file: after a failed fsync the kernel may call the pages clean, and a second fsync would lie.
 */
export interface FileEffects {
  /** Creates `path` (it must not exist) and writes all of `text`. */
  write: (path: string, text: string, mode: number) => Promise<void>
  sync: (path: string) => Promise<void>
  rename: (from: string, to: string) => Promise<void>
  syncFolder: (path: string) => Promise<void>
}

export const realFileEffects: FileEffects = {
  async write(path, text, mode) {
    const file = await open(path, 'wx', mode)
    try {
      await file.writeFile(text)
    } finally {
      await file.close()
    }
  },
  sync: syncPath,
  rename,
  syncFolder: syncPath,
}

/** What is on disk after a replacement failed: certainly the old file, or one of the two. */
export class ReplaceError extends Error {
  override readonly name = 'ReplaceError'
  readonly isOldCertain: boolean

  constructor(path: string, isOldCertain: boolean, cause: unknown) {
    const state = isOldCertain ? 'the old one stands' : 'the old one or the new one stands'
    super(`${path} could not be replaced (${state}): ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
    this.isOldCertain = isOldCertain
  }
}

/**
 * Replaces `path`, durable when this resolves. One call at a time per path. Rejects with ReplaceError.
 * A crash before the rename leaves the old file and a temporary one, which the next replacement removes; between the rename and the
 * fsync of the folder, the old or the new file; after it, the new one. Never a torn one.
 */
export async function replaceFile(effects: FileEffects, path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.new`
  let renaming = false
  try {
    await unlink(temporary).catch(ignoreAbsent)
    await effects.write(temporary, text, mode)
    await effects.sync(temporary)
    renaming = true
    await effects.rename(temporary, path)
    await effects.syncFolder(dirname(path))
  } catch (cause) {
    throw new ReplaceError(path, !renaming, cause)
  }
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** For a catch: lets only `there is no such file` pass, as undefined. */
export function ignoreAbsent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}
