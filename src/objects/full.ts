import { Problem } from '../record/problem.ts'

/** No room: the disk is full, the user's quota is used up, or a file may not grow. */
const fullCodes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

export function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && fullCodes.has(error.code)
}

/** What a caller is told when a disk is full: nothing was kept, and the same bytes are taken once there is room. Other errors stay what they are. */
export function orFull(error: unknown): never {
  if (isFull(error)) throw new Problem('storage_full', 'there is no room for these bytes on disk', { cause: error })
  throw error
}
