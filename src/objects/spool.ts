import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { orFull } from './full.ts'

/** Bytes whose name is known only at their end: in memory up to `memoryBytes`, beyond that in a file of `folder`. */
export interface Spool {
  write(chunk: Uint8Array): Promise<void>
  /** What was written, once. */
  read(): AsyncIterable<Uint8Array>
  /** Always to be called; a crash before leaves a file that `sweepSpool` removes. */
  remove(): Promise<void>
}

const ending = '.spool'

export function createSpool(folder: string, memoryBytes: number): Spool {
  let held: Uint8Array[] = []
  let bytes = 0
  let file: { path: string; handle: FileHandle } | undefined

  const writeAll = async (handle: FileHandle, chunk: Uint8Array): Promise<void> => {
    for (let at = 0; at < chunk.length;) at += (await handle.write(chunk, at).catch(orFull)).bytesWritten
  }

  return {
    async write(chunk) {
      bytes += chunk.length
      if (file === undefined && bytes <= memoryBytes) {
        held.push(Uint8Array.from(chunk)) // the caller may use its own again
        return
      }
      if (file === undefined) {
        await mkdir(folder, { recursive: true })
        const path = join(folder, `${randomUUID()}${ending}`)
        file = { path, handle: await open(path, 'wx', 0o600).catch(orFull) }
        for (const earlier of held) await writeAll(file.handle, earlier)
        held = []
      }
      await writeAll(file.handle, chunk)
    },
    async *read() {
      if (file === undefined) yield* held
      else yield* createReadStream(file.path, { highWaterMark: 1_048_576 }) as AsyncIterable<Buffer>
    },
    async remove() {
      held = []
      await file?.handle.close()
      if (file !== undefined) await rm(file.path, { force: true })
      file = undefined
    },
  }
}

/** Removes what crashes left behind; not what somebody else may be writing now. */
export async function sweepSpool(folder: string, olderThan: Date): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const name of await readdir(folder)) {
    if (!name.endsWith(ending)) continue
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined) // another process may sweep too
    if (found !== undefined && found.mtime < olderThan) await rm(path, { force: true })
  }
}
