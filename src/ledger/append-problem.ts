import { Problem } from '../record/problem.ts'

/** Errors that repeating cannot mend; undefined for those where the outcome is unknown or the database is away. */
export function toAppendProblem(error: unknown): Problem | undefined {
  // A database that is away or answered nothing: the same submission is tried again, and found if it got in.
  if (error instanceof Problem) return error.code === 'unavailable' ? undefined : error
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
  if (code === 'PL002')
    return new Problem('clock_step', 'the node clock and the database clock disagree', { cause: error })
  // disk_full: the statement was rolled back.
  if (code === '53100') return new Problem('storage_full', 'the database has no room left', { cause: error })
  // 0A: a rule on a table, which stands in the way of RETURNING.
  if (code === 'PL003' || code.startsWith('0A') || code.startsWith('22') || code.startsWith('42'))
    return new Problem('internal', 'the append was refused by the database', { cause: error })
  return undefined
}
