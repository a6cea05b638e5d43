/**
 * Counts of mutants. They stand beside line coverage and are never added to it, nor are those of two tools: PIT counts a mutant that could not be
 * loaded as detected, Stryker leaves it out of its score. So the definition names the tool's rule, `detected` and `undetected` are by that rule, and
 * its score is always detected / (detected + undetected).
 */

/**
 * How mutants end, in the words of the tools, and what their tool counts it as. The first four are Stryker's and PIT's alike, those up to `started`
 * PIT's alone, the others of Stryker's report schema, which leaves them out of the score.
 */
const verdicts = {
  killed: 'detected',
  timed_out: 'detected',
  survived: 'undetected',
  no_coverage: 'undetected',
  non_viable: 'detected',
  memory_error: 'detected',
  run_error: 'detected',
  equivalent: 'detected',
  not_started: 'undetected',
  started: 'undetected',
  compile_error: undefined,
  runtime_error: undefined,
  ignored: undefined,
  pending: undefined,
} as const

export type MutantStatus = keyof typeof verdicts
export const mutantStatuses = Object.keys(verdicts) as readonly MutantStatus[] // the keys written above
export const verdictOf = (status: MutantStatus): 'detected' | 'undetected' | undefined => verdicts[status]

/** Those of every tool are always there; any other is there when it occurs. */
const always = 4

export type Mutants = Record<'found' | 'detected' | 'undetected', number> & Partial<Record<MutantStatus, number>>

/** Lines by what became of the mutants on them. One line may be in several of the sets. */
export interface MutatedLines {
  found: number
  detected: number
  survived: number
  uncovered: number
  undecided: number
}

/** `counts` by position in `mutantStatuses`. */
export function toMutants(counts: ArrayLike<number>): Mutants {
  const mutants: Mutants = { found: 0, detected: 0, undetected: 0 }
  for (const [i, status] of mutantStatuses.entries()) {
    const count = counts[i] ?? 0
    if (count === 0 && i >= always) continue
    mutants[status] = count
    mutants.found += count
    const verdict = verdictOf(status)
    if (verdict !== undefined) mutants[verdict] += count
  }
  return mutants
}

/** Sums, in the same order of keys. */
export function addMutants(a: Mutants, b: Mutants): Mutants {
  const sum: Mutants = {
    found: a.found + b.found,
    detected: a.detected + b.detected,
    undetected: a.undetected + b.undetected,
  }
  for (const status of mutantStatuses) {
    const count = (a[status] ?? 0) + (b[status] ?? 0)
    if (count > 0 || a[status] !== undefined || b[status] !== undefined) sum[status] = count
  }
  return sum
}

export function addMutatedLines(a: MutatedLines, b: MutatedLines): MutatedLines {
  return {
    found: a.found + b.found,
    detected: a.detected + b.detected,
    survived: a.survived + b.survived,
    uncovered: a.uncovered + b.uncovered,
    undecided: a.undecided + b.undecided,
  }
}
