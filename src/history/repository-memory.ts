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
  packed: Buffer
}

/** By path id. */
export type RunState = ReadonlyMap<number, Known>
export type InventoryState = ReadonlyMap<number, string>

export interface CommitKnown {
  committedAt: string | undefined
  /** First parents, nearest first, as far as a run told what was not known. */
  parents: readonly string[]
}

export interface RepositoryMemory {
  readonly id: number
  /** By the path as JSON in a record. */
  readonly paths: Map<string, number>
  /** By digest, hex. */
  readonly layouts: Map<string, number>
  readonly commits: Map<string, CommitKnown>
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
    inventories: new Map(),
    lastInventory: -1,
    bases: new Map(),
    inventoryBases: new Map(),
    newest: new Map(),
  }
}

/** How far back a base is looked for: further away it helps little, and whatever came last does as well. */
const maxAncestors = 300

/** First parents of a commit, nearest first, joined from what several runs told. */
export function* ancestorsOf(commits: ReadonlyMap<string, { parents: readonly string[] }>, commit: string): Generator<string> {
  const seen = new Set([commit])
  for (let at: string | undefined = commit; at !== undefined;) {
    let last: string | undefined
    for (const parent of commits.get(at)?.parents ?? []) {
      if (seen.has(parent)) return
      seen.add(parent)
      last = parent
      yield parent
    }
    at = last
  }
} // oxfmt-ignore

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
  for (const parent of ancestorsOf(memory.commits, commit)) {
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
  for (const parent of ancestorsOf(memory.commits, commit)) {
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

/**
 * What a run tells of its commit, cut to what is not known: first parents up to the first one that has some itself. Undefined when it tells
 * nothing new.
 */
export function newOfCommit(
  memory: RepositoryMemory,
  commit: string,
  committedAt: string | undefined,
  parents: readonly string[],
): CommitKnown | undefined {
  const known = memory.commits.get(commit)
  const end = parents.findIndex((parent) => (memory.commits.get(parent)?.parents.length ?? 0) > 0)
  const cut = end < 0 ? parents : parents.slice(0, end + 1)
  const isNews =
    known === undefined ||
    cut.length > known.parents.length ||
    (known.committedAt === undefined && committedAt !== undefined)
  if (!isNews) return undefined
  return {
    committedAt: committedAt ?? known?.committedAt,
    parents: cut.length >= (known?.parents.length ?? 0) ? cut : (known?.parents ?? cut),
  }
}
