import { Problem } from '../record/problem.ts'
import type { Plan, PlannedPart } from './upload.ts'

/**
 * The same problem, with the file that it is about and what became of the run: of several files the service names none, and the parts
 * before it are on record. Anything else, and the problem of a run of one file, is left as it is.
 */
export function namePart(
  error: unknown,
  { query, artifact }: PlannedPart,
  { run, parts }: Plan,
  recorded: readonly string[],
): unknown {
  if (!(error instanceof Problem) || parts.length === 1) return error
  const there = recorded.length === 0 ? 'none of its parts is recorded' : `recorded of it: ${recorded.join(', ')}`
  return new Problem(
    error.code,
    `${artifact.file} (part ${query.name}): ${error.message}. The run ${run} stays open; ${there}`,
    { cause: error, extra: { ...error.extra, run, part: query.name, file: artifact.file, recorded } },
  )
}
