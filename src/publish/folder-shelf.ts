import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { ledgerStem } from '../record/record.ts'
import { lockFolder } from '../signing/folder-lock.ts'
import { type Shelf, assertSame, assertStill } from './shelf.ts'

/** The effects one by one, so that a test can let each of them fail. None is tried again on the same file: after a failed fsync a second one would lie. */
export interface ShelfEffects {
  /** Creates `path`, which must not exist, and writes all of `bytes`. */
  write: (path: string, bytes: Uint8Array) => Promise<void>
  sync: (path: string) => Promise<void>
  /** Fails when `to` is taken. */
  link: (from: string, to: string) => Promise<void>
  rename: (from: string, to: string) => Promise<void>
  syncFolder: (path: string) => Promise<void>
  remove: (path: string) => Promise<void>
}

export const realShelfEffects: ShelfEffects = {
  async write(path, bytes) {
    const file = await open(path, 'wx', 0o644)
    try {
      await file.writeFile(bytes)
    } finally {
      await file.close()
    }
  },
  sync: syncPath,
  link,
  rename,
  syncFolder: syncPath,
  remove: (path) => rm(path, { recursive: true, force: true }),
}

const dayMs = 86_400_000
/** Hidden from a web server's listing; on the same file system, so that a link or rename is one step. */
const ownFolder = '.proofline'

/**
 * Files below `path`, readable by everybody. Bytes go to a temporary file, are fsynced, then linked to their name (which fails when it is
 * taken) or, for the checkpoint, renamed over it; then the folders are fsynced. A crash before the link or rename leaves a temporary file,
 * removed a day later by whoever opens the shelf; after it, whole bytes that the next round finds and compares.
 */
export async function createFolderShelf(
  path: string,
  effects: ShelfEffects = realShelfEffects,
  now: () => Date = () => new Date(),
): Promise<Shelf> {
  const root = resolve(path)
  const own = join(root, ownFolder)
  await mkdir(own, { recursive: true })
  await removeOlder(own, now().getTime() - dayMs)

  const get = async (file: string): Promise<Uint8Array | undefined> =>
    readFile(join(root, file)).catch(ignoring('ENOENT'))

  /** Folders with names that may not be durable: a name is when its folder is, and that folder's name when the one above is. */
  const unsettled = new Set<string>()
  const touch = (file: string): void => {
    for (let above = dirname(join(root, file)); above.length >= root.length; above = dirname(above))
      unsettled.add(above)
  }
  const settle = async (): Promise<void> => {
    // Deepest first, so that no folder is durable under a name that is not.
    for (const folder of [...unsettled].toSorted((a, b) => b.length - a.length)) {
      await effects.syncFolder(folder)
      unsettled.delete(folder)
    }
  }

  const stage = async (bytes: Uint8Array, place: (temporary: string) => Promise<void>): Promise<void> => {
    const temporary = join(own, `${randomUUID()}.new`)
    try {
      await effects.write(temporary, bytes)
      await effects.sync(temporary)
      await place(temporary)
    } finally {
      await rm(temporary, { force: true })
    }
  }

  return {
    name: root,
    get,
    async putOnce(file, bytes) {
      const found = await get(file)
      if (found === undefined) {
        await mkdir(dirname(join(root, file)), { recursive: true })
        await stage(bytes, (temporary) =>
          effects.link(temporary, join(root, file)).catch(async (error: unknown) => {
            ignoring('EEXIST')(error)
            assertSame(root, file, (await get(file)) ?? new Uint8Array(0), bytes)
          }),
        )
      } else assertSame(root, file, found, bytes)
      // Also for what was there: whoever linked it may have been killed before it got here.
      touch(file)
    },
    settle,
    async replace(file, bytes, before) {
      assertStill(root, file, await get(file), before)
      await mkdir(dirname(join(root, file)), { recursive: true })
      await stage(bytes, (temporary) => effects.rename(temporary, join(root, file)))
      touch(file)
      await settle()
    },
    dropPartials: (file) => effects.remove(join(root, `${file}.p`)),
    // A process that was frozen over its round still holds it when it wakes: so no older checkpoint is ever put over a newer one.
    async claim(ledger) {
      const folder = join(own, ledgerStem(ledger))
      await mkdir(folder, { recursive: true })
      return lockFolder(folder)
    },
    close: async () => {},
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

function ignoring(code: string): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === code) return undefined
    throw error
  }
}

async function removeOlder(folder: string, before: number): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.new')) continue
    const file = join(folder, name)
    const found = await stat(file).catch(ignoring('ENOENT'))
    if (found !== undefined && found.mtimeMs < before) await rm(file, { force: true })
  }
}
