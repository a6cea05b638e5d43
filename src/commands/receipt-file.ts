import { open, rm } from 'node:fs/promises'
import { Problem } from '../record/problem.ts'

/** A run that ended without its receipt cannot be taken back. What is in the file stays, and none is left where there was none. Throws `request_invalid`. */
export async function assertWritable(file: string): Promise<void> {
  try {
    if (await touch(file, 'wx')) await rm(file)
    else await touch(file, 'a')
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Problem('request_invalid', `--receipt ${file} cannot be written, nothing was sent: ${why}`, { cause })
  }
}

/** Whether it was opened; false where it is there already and must not be. */
async function touch(file: string, flags: 'wx' | 'a'): Promise<boolean> {
  try {
    await (await open(file, flags)).close()
    return true
  } catch (error) {
    if (flags === 'wx' && error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}
