/** Pure: which commits a run's commit is to be compared with, so that a line can be followed from each recorded commit to the next. */

export interface Lineage {
  commit: string
  /** All parents; the first is the one that the branch was at. */
  parents: readonly string[]
  /** First-parent ancestors, newest first, as far as the client's clone goes. */
  firstParents: readonly string[]
}

/** The newest commit that was sealed on the same ref by the same suite, with the ancestors that its run declared. */
export interface LastSealed {
  commit: string
  ancestors: readonly string[]
}

export interface CommitPair {
  from: string
  to: string
}

/** First parents, nearest first: those declared, else at least the parent, which also the shallowest clone knows. */
export function ancestorsOf({ parents, firstParents }: Pick<Lineage, 'parents' | 'firstParents'>): readonly string[] {
  return firstParents.length > 0 ? firstParents : parents.slice(0, 1)
}

/**
 * In order of importance. `recorded`: commits with an inventory in this ledger.
 *
 * 1. The nearest recorded first parent, to this commit.
 * 2. Other parents that are recorded: lines of a branch go on in the merge of it.
 * 3. Where the clone ends before any recorded commit: the newest one of the ref. A map between any two commits is true, whatever lies between.
 * 4. This commit to the newest one of the ref, where that one came from it: this one is late.
 * 5. Recorded first parents to each other: some came late, or their clone did not go far enough.
 */
export function wantedComparisons(
  lineage: Lineage,
  recorded: ReadonlySet<string>,
  last: LastSealed | undefined,
): CommitPair[] {
  const { commit } = lineage
  const line = ancestorsOf(lineage).filter((ancestor) => ancestor !== commit && recorded.has(ancestor))
  const merged = lineage.parents.slice(1).filter((parent) => recorded.has(parent))
  const pairs = [...line.slice(0, 1), ...merged].map((from) => ({ from, to: commit }))
  if (last !== undefined && last.commit !== commit && recorded.has(last.commit)) {
    if (last.ancestors.includes(commit)) pairs.push({ from: commit, to: last.commit })
    else if (pairs.length === 0) pairs.push({ from: last.commit, to: commit })
  }
  for (const [i, to] of line.entries()) {
    const from = line[i + 1]
    if (from !== undefined) pairs.push({ from, to })
  }
  const seen = new Set<string>()
  return pairs.filter(({ from, to }) => from !== to && !seen.has(`${from} ${to}`) && seen.add(`${from} ${to}`))
}
