import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { localStateFile } from '../config.ts'

/** Where the command line on this machine finds the service and its token. */
export async function writeLocalState(state: { url: string; token_file: string }): Promise<void> {
  const file = localStateFile()
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await writeFile(`${file}.${process.pid}.tmp`, `${JSON.stringify(state)}\n`, { mode: 0o600 })
  await rename(`${file}.${process.pid}.tmp`, file)
}
