import { type Gunzip, type ZstdDecompress, constants, createGunzip, createZstdDecompress } from 'node:zlib'
import { Problem } from '../record/problem.ts'
import { zstdWindowLog } from '../record/zstd-window.ts'
import type { Encoding } from './body-headers.ts'

/** For a body that is sent compressed; what it throws is for `toDecodeProblem`. */
export function createDecoder(encoding: Exclude<Encoding, 'identity'>): Gunzip | ZstdDecompress {
  return encoding === 'gzip'
    ? createGunzip()
    : createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: zstdWindowLog } })
}

export function toDecodeProblem(encoding: Encoding, error: unknown): Problem {
  if (error instanceof Problem) return error
  const isWide = (error as NodeJS.ErrnoException).code === 'ZSTD_error_frameParameter_windowTooLarge'
  const why = isWide
    ? 'has a window of more than 8 MiB (RFC 9659): compress it without --long and --ultra'
    : 'cannot be decoded'
  return new Problem('encoding_invalid', `the ${encoding} body ${why}`, { cause: error })
}
