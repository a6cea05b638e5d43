/**
 * What the projection knows of one repository in one ledger while it goes on: names that have numbers, and from which run or inventory the
 * next one is stored as a difference. All of it can be read back from the tables.
 */

/** What a run says of one file. */
export interface Known {
  /** The text of its records; undefined when it was read back from the tables. */
  text: string | undefined
  states: readonly DefinedState[]
}

export interface DefinedState {
  definition: string
  blob: string | undefined
  /** By states.ts, a character a byte: a small buffer takes 350 bytes more, a third of them outside the heap. */
  packed: string
}

/** By path id. */
export type RunState = ReadonlyMap<number, Known>
export type InventoryState = ReadonlyMap<number, string>

export interface RepositoryMemory {
  readonly id: number
  /** By the path as JSON in a record. */
  readonly paths: Map<string, number>
  /** By digest, hex. */
  readonly layouts: Map<string, number>
  /** Commits that a run was about, and when they claim to have been made. */
  readonly commits: Map<string, string | undefined>
  readonly firstParents: FirstParents
  /** Seq of the inventory of a commit. */
  readonly inventories: Map<string, number>
  lastInventory: number
  /** Seqs of seals that count: base of each. */
  readonly bases: Map<number, number>
  readonly inventoryBases: Map<number, number>
  /** Newest counting seal by suite, by suite and ref, by suite and commit. */
  readonly newest: Map<string, number>
}

export function emptyMemory(id: number): RepositoryMemory {
  return {
    id,
    paths: new Map(),
    layouts: new Map(),
    commits: new Map(),
    firstParents: new Map(),
    inventories: new Map(),
    lastInventory: -1,
    bases: new Map(),
    inventoryBases: new Map(),
    newest: new Map(),
  }
}

/** How far back a base is looked for: further away it helps little, and whatever came last does as well. */
const maxAncestors = 300

/** A commit has one first parent, whoever tells of it: so what several runs told of a branch joins without contradiction. */
export type FirstParents = Map<string, string>

/** First-parent ancestors, nearest first, as far as they are known. */
export function* ancestorsOf(firstParents: ReadonlyMap<string, string>, commit: string): Generator<string> {
  const seen = new Set([commit])
  for (let at = firstParents.get(commit); at !== undefined && !seen.has(at); at = firstParents.get(at)) {
    seen.add(at)
    yield at
  }
}

/** `parents` of a commit, nearest first. What is known already stays: git would say the same. */
export function learnParents(firstParents: FirstParents, commit: string, parents: readonly string[]): void {
  let child = commit
  for (const parent of parents) {
    if (!firstParents.has(child)) firstParents.set(child, parent)
    child = parent
  }
}

const suiteKey = (suite: string): string => JSON.stringify([suite])
const refKey = (suite: string, ref: string): string => JSON.stringify([suite, ref])
const commitKey = (suite: string, commit: string): string => JSON.stringify([suite, null, commit])

export interface CountingRun {
  seq: number
  suite: string
  ref: string
  commit: string
}

/** The run that this one is stored as a difference to: the suite's last on the ref, else at the nearest first parent, else its last; -1 for none. */
export function baseOf(memory: RepositoryMemory, { suite, ref, commit }: CountingRun): number {
  const onRef = memory.newest.get(refKey(suite, ref))
  if (onRef !== undefined) return onRef
  let steps = 0
  for (const parent of ancestorsOf(memory.firstParents, commit)) {
    const found = memory.newest.get(commitKey(suite, parent))
    if (found !== undefined) return found
    if (++steps >= maxAncestors) break
  }
  return memory.newest.get(suiteKey(suite)) ?? -1
}

export function rememberRun(memory: RepositoryMemory, { seq, suite, ref, commit }: CountingRun, base: number): void {
  memory.bases.set(seq, base)
  for (const key of [suiteKey(suite), refKey(suite, ref), commitKey(suite, commit)]) memory.newest.set(key, seq)
}

/** The inventory that another one is stored as a difference to: of the nearest first parent that has one, else the last. */
export function inventoryBaseOf(memory: RepositoryMemory, commit: string): number {
  let steps = 0
  for (const parent of ancestorsOf(memory.firstParents, commit)) {
    const found = memory.inventories.get(parent)
    if (found !== undefined) return found
    if (++steps >= maxAncestors) break
  }
  return memory.lastInventory
}

export function rememberInventory(memory: RepositoryMemory, seq: number, commit: string, base: number): void {
  memory.inventoryBases.set(seq, base)
  memory.inventories.set(commit, seq)
  memory.lastInventory = seq
}

/** What a run tells of its commit, cut to what is not known: parents up to the last one that is new. Undefined when nothing is. */
export function newOfCommit(
  memory: RepositoryMemory,
  commit: string,
  committedAt: string | undefined,
  parents: readonly string[],
): { committedAt: string | undefined; parents: readonly string[] } | undefined {
  const last = parents.findLastIndex((_, i) => !memory.firstParents.has(parents[i - 1] ?? commit))
  const isDated = memory.commits.get(commit) !== undefined
  if (last < 0 && memory.commits.has(commit) && (isDated || committedAt === undefined)) return undefined
  return { committedAt: isDated ? undefined : committedAt, parents: parents.slice(0, last + 1) }
}

export function rememberCommit(
  { commits, firstParents }: Pick<RepositoryMemory, 'commits' | 'firstParents'>,
  commit: string,
  committedAt: string | undefined,
  parents: readonly string[],
): void {
  commits.set(commit, commits.get(commit) ?? committedAt)
  learnParents(firstParents, commit, parents)
}
