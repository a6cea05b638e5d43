import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, link, mkdir, open, readdir, rm, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Problem } from '../record/problem.ts'
import { orFull } from './full.ts'
import { checkKey } from './keys.ts'
import type { Objects, ObjectWriter, PutOptions, Stored } from './objects.ts'

const dayMs = 86_400_000

/**
 * Objects as read-only files below `path`. Bytes go to `tmp`, are fsynced, then linked to their name, which fails when it is taken: so a name
 * has whole bytes or none, and the first ones for ever. A crash leaves a file in `tmp`, removed a day later by whoever starts.
 */
export async function createFolderObjects(path: string, now: () => Date = () => new Date()): Promise<Objects> {
  const root = resolve(path)
  const temporary = join(root, 'tmp')
  await mkdir(temporary, { recursive: true })
  await removeOlder(temporary, now().getTime() - dayMs)

  const fileOf = (key: string): string => join(root, checkKey(key))

  const create = async (): Promise<ObjectWriter> => {
    const name = join(temporary, randomUUID())
    const file = await open(name, 'wx', 0o400).catch(orFull)
    return {
      write: (chunk) => writeAll(file, chunk),
      async commit(key, options) {
        try {
          refuseRetention(options)
          await file.sync().finally(() => file.close())
          return await linkOnce(root, name, fileOf(key))
        } catch (error) {
          return orFull(error)
        } finally {
          await rm(name, { force: true })
        }
      },
      async abort() {
        await file.close()
        await rm(name, { force: true })
      },
    }
  }

  return {
    create,
    async put(key, bytes, options) {
      fileOf(key)
      refuseRetention(options)
      const writer = await create()
      try {
        for await (const chunk of bytes) await writer.write(chunk)
      } catch (error) {
        await writer.abort()
        throw error
      }
      return await writer.commit(key)
    },
    async open(key, range) {
      const file = await open(fileOf(key)).catch(ignoring('ENOENT'))
      const part = range === undefined ? {} : { start: range.from, end: range.to - 1 }
      return file === undefined ? undefined : createReadStream('', { fd: file, highWaterMark: 256 * 1024, ...part })
    },
    async remove(key) {
      const file = fileOf(key)
      // A crash before the folder is synced may bring the name back: whoever removes asks again until it is absent.
      const removed = await unlink(file).then(() => true, ignoring('ENOENT'))
      if (removed !== true) return 'absent'
      await syncFolder(dirname(file))
      return 'removed'
    },
    async has(key) {
      return (await access(fileOf(key)).then(() => true, ignoring('ENOENT'))) === true
    },
    prove: async () => {}, // a name that is taken cannot be linked to: the file system's word
    close: async () => {},
  }
}

/** Who asks for a lock must not believe to have one. */
function refuseRetention({ retention }: PutOptions = {}): void {
  if (retention !== undefined) throw new Problem('request_invalid', 'a folder cannot lock an object against its owner')
}

/** `write` may take less than it is given. */
async function writeAll(file: Awaited<ReturnType<typeof open>>, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at).catch(orFull)).bytesWritten
}

/** The name is durable when its folder is, and that folder's name when the folder above is: every folder up to the root is fsynced. */
async function linkOnce(root: string, from: string, to: string): Promise<Stored> {
  const folder = dirname(to)
  await mkdir(folder, { recursive: true })
  const stored = await link(from, to).then((): Stored => 'stored', taken)
  // Also when they were there: somebody else may have made them a moment ago and not synced them yet.
  for (let above = folder; above.length >= root.length; above = dirname(above)) await syncFolder(above)
  return stored
}

function taken(error: unknown): Stored {
  if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return 'existed'
  throw error
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder)
  try {
    await handle.sync()
  } finally {
    await handle.close()
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
    const file = join(folder, name)
    const found = await stat(file).catch(ignoring('ENOENT'))
    if (found !== undefined && found.mtimeMs < before) await rm(file, { force: true })
  }
}
