import type { LineCoverage } from '../record/coverage.ts'
import type { Unpacked } from './packed.ts'
import type { ResolvedPath } from './paths.ts'

/** Positions of those that are not undefined. */
export function sortByPath(resolved: readonly (ResolvedPath | undefined)[]): readonly number[] {
  const order: number[] = []
  const paths = resolved.map((to) => to?.path ?? '')
  for (let i = 0; i < resolved.length; i += 1) if (resolved[i] !== undefined) order.push(i)
  return order.sort((a, b) => {
    const [one, other] = [paths[a] as string, paths[b] as string] // both are positions
    return one < other ? -1 : one > other ? 1 : 0
  })
}

/** What a record needs of one file. */
export function toCoverage(to: ResolvedPath, known: Unpacked, definition: string): LineCoverage {
  const { covered, partial, missed, branches, functions, units } = known
  const file: LineCoverage = { path: to.path, metric: 'line', definition, covered, partial, missed }
  if (to.blob !== undefined) file.blob = to.blob
  if (to.unresolved) file.unresolved = true
  if (branches.found > 0) file.branches = branches
  if (functions.found > 0) file.functions = functions
  for (const [kind, pair] of units) file[kind] = pair
  return file
}
