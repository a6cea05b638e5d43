import { createHash } from 'node:crypto'

/** One digest over path and blob of the files of a report, in whatever order it has them. */
export interface FilesDigest {
  add(file: { path: string; blob?: string | undefined }): void
  /** 64 hex digits; undefined when there was no file. */
  digest(): string | undefined
}

export function createFilesDigest(): FilesDigest {
  const lines: string[] = []
  return {
    add: ({ path, blob = '' }) => lines.push(`${path}\0${blob}\n`),
    digest() {
      if (lines.length === 0) return undefined
      const digest = createHash('sha256')
      // In pieces: the names of 200,000 files are no string to make.
      for (const line of lines.sort()) digest.update(line)
      return digest.digest('hex')
    },
  }
}
