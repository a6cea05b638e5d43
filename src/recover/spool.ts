import { type FileHandle, open, rm } from 'node:fs/promises'

/**
 * Records on disk between their proof and their way into the database: what is inserted can never be taken out again, so all of it is proved
 * first, and no source is asked twice. Lost with a crash, and made anew by the next try.
 */
export interface RecordSpool {
  append(records: readonly Uint8Array[]): Promise<void>
  /** Bytes so far; `cut` goes back there. */
  mark(): number
  cut(mark: number): Promise<void>
  read(): AsyncGenerator<Uint8Array>
  remove(): Promise<void>
}

const lengthBytes = 4

export async function openRecordSpool(path: string): Promise<RecordSpool> {
  const file: FileHandle = await open(path, 'w+', 0o600)
  let end = 0
  return {
    async append(records) {
      const parts: Uint8Array[] = []
      for (const record of records) {
        const length = Buffer.alloc(lengthBytes)
        length.writeUInt32BE(record.length)
        parts.push(length, record)
      }
      const bytes = Buffer.concat(parts)
      for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at, bytes.length - at, end + at)).bytesWritten
      end += bytes.length
    },
    mark: () => end,
    async cut(mark) {
      await file.truncate(mark)
      end = mark
    },
    async *read() {
      const chunk = Buffer.alloc(1_048_576)
      let rest = Buffer.alloc(0)
      for (let at = 0; at < end;) {
        const { bytesRead } = await file.read(chunk, 0, Math.min(chunk.length, end - at), at)
        if (bytesRead === 0) throw new Error('the spool of recovered records is shorter than it was')
        at += bytesRead
        rest = Buffer.concat([rest, chunk.subarray(0, bytesRead)])
        let from = 0
        while (from + lengthBytes <= rest.length) {
          const to = from + lengthBytes + rest.readUInt32BE(from)
          if (to > rest.length) break
          yield rest.subarray(from + lengthBytes, to)
          from = to
        }
        rest = Buffer.from(rest.subarray(from))
      }
    },
    async remove() {
      await file.close()
      await rm(path, { force: true })
    },
  }
}
