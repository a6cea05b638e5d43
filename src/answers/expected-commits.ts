import type { CommitTold, DeclaredRun } from '../history/ledger-history.ts'
import { type FirstParents, ancestorsOf, rememberCommit } from '../history/repository-memory.ts'
import type { Micros } from '../record/record.ts'

/** Which commits of the tracked refs there are to be evidence of. Pure. */

export interface ToldBy {
  declared: readonly DeclaredRun[]
  commits: readonly CommitTold[]
}

/**
 * Commits that a run on a tracked ref was of, and those that lie between two of them by what runs told of first parents: pushed together, and not
 * tested by themselves. What lies before the first of them was there before anybody reported. With the time at which each was first heard of; in
 * that order. An inventory is brought by a run, so it tells of no further commit.
 */
export function expectedCommits(
  ledgers: readonly ToldBy[],
  isTracked: (ref: string) => boolean,
): { commit: string; at: Micros }[] {
  const known = { commits: new Map<string, string | undefined>(), firstParents: new Map<string, string>() }
  const heard = new Map<string, Micros>()
  const hear = (commit: string, at: Micros): void => void heard.set(commit, Math.min(heard.get(commit) ?? Infinity, at))
  const tested = new Set<string>()
  for (const { declared, commits } of ledgers) {
    const timeOf = new Map(declared.map(({ seq, recordedAt }) => [seq, recordedAt]))
    for (const { commit, ref, recordedAt } of declared) {
      hear(commit, recordedAt)
      if (isTracked(ref)) tested.add(commit)
    }
    for (const { seq, commit, committedAt, parents } of commits) {
      rememberCommit(known, commit, committedAt, parents)
      for (const one of parents) hear(one, timeOf.get(seq) ?? Infinity)
    }
  }
  return [...tested, ...commitsBetween(tested, known.firstParents)]
    .map((commit) => ({ commit, at: heard.get(commit) ?? Infinity }))
    .toSorted((a, b) => a.at - b.at || (a.commit < b.commit ? -1 : 1))
}

function commitsBetween(tested: ReadonlySet<string>, firstParents: FirstParents): Set<string> {
  const between = new Set<string>()
  /** Commits from which no tested one can be reached. */
  const before = new Set<string>()
  for (const tip of tested) {
    const path: string[] = []
    let reached = false
    for (const commit of ancestorsOf(firstParents, tip)) {
      if (before.has(commit)) break
      reached = tested.has(commit) || between.has(commit)
      if (reached) break
      path.push(commit)
    }
    for (const commit of path) (reached ? between : before).add(commit)
  }
  return between
}
