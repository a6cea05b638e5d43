import { hash } from 'node:crypto'
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LedgerName } from '../record/record.ts'
import type { PartParameters } from './run.ts'

/**
 * Notes on parts that are being recorded in more than one append, so that a crash between two slices can be finished from the artifact.
 * Only an aid: a note that is lost leaves a part open until the client repeats it or the run is abandoned.
 */
export interface OpenPart {
  ledger: LedgerName
  run: string
  part: string
  sha256: string
  parameters: PartParameters
}

export interface OpenParts {
  /** Writes the note; the answer takes it away again. */
  note(part: OpenPart): Promise<() => Promise<void>>
  /** What an earlier process left. */
  left(): Promise<{ part: OpenPart; close: () => Promise<void> }[]>
}

export function createOpenParts(folder: string): OpenParts {
  return {
    async note(part) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const path = join(folder, `${hash('sha256', `${part.run}\0${part.part}`, 'hex').slice(0, 32)}.json`)
      await writeFile(`${path}.tmp`, JSON.stringify(part), { flush: true, mode: 0o600 })
      await rename(`${path}.tmp`, path)
      return () => rm(path, { force: true })
    },
    async left() {
      const names = await readdir(folder).catch(() => [])
      const notes = names.filter((name) => name.endsWith('.json')).map(async (name) => {
        const path = join(folder, name)
        return { part: JSON.parse(await readFile(path, 'utf8')) as OpenPart, close: () => rm(path, { force: true }) } // written by note
      })
      return Promise.all(notes)
    },
  }
}
