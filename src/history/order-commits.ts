import { ancestorsOf } from './repository-memory.ts'

/**
 * The order of the commits of a ref: git's where it is known, else the time that each commit claims. Pure, and a function of what is known,
 * never of the order in which it arrived.
 */

export interface CommitFacts {
  /** In milliseconds; undefined where no run told. */
  committedAt: number | undefined
  /** When the first run of it was recorded: stands in where no time is claimed. */
  recordedAt: number
}

export interface CommitOrder {
  commits: readonly string[]
  /** Commits that the ref has left behind: their ancestors lead to what it is now, and they are none of its ancestors. */
  left: ReadonlySet<string>
  /** By what the weakest place was decided. */
  by: 'ancestry' | 'committed_at' | 'recorded_at'
  /** At how many places ancestry did not decide what comes next. */
  undecided: number
}

/** `onRef` are the commits to put in order; `firstParents` also of those between them. */
export function orderCommits(
  onRef: ReadonlyMap<string, CommitFacts>,
  firstParents: ReadonlyMap<string, string>,
): CommitOrder {
  const before = new Map<string, string>()
  const after = new Map<string, string[]>()
  for (const commit of onRef.keys())
    for (const ancestor of ancestorsOf(firstParents, commit)) {
      if (!onRef.has(ancestor)) continue
      before.set(commit, ancestor)
      after.set(ancestor, [...(after.get(ancestor) ?? []), commit])
      break
    }
  const timeOf = (commit: string): number => {
    const facts = onRef.get(commit)
    return facts?.committedAt ?? (facts?.recordedAt ?? 0) / 1000
  }
  const isBefore = (a: string, b: string): boolean => timeOf(a) < timeOf(b) || (timeOf(a) === timeOf(b) && a < b)

  const ready = createHeap(isBefore)
  for (const commit of onRef.keys()) if (!before.has(commit)) ready.push(commit)
  const commits: string[] = []
  let undecided = 0
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    if (ready.size() > 0) undecided += 1
    commits.push(next)
    for (const child of after.get(next) ?? []) ready.push(child)
  }
  const noTime = [...onRef.values()].some(({ committedAt }) => committedAt === undefined)
  return {
    commits,
    left: leftBehind(commits, before, after, isBefore),
    by: undecided === 0 ? 'ancestry' : noTime ? 'recorded_at' : 'committed_at',
    undecided,
  }
}

/** From the newest commit that nothing follows back to its first known ancestor is the ref; what hangs on that and is not of it was left. */
function leftBehind(
  commits: readonly string[],
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, readonly string[]>,
  isBefore: (a: string, b: string) => boolean,
): Set<string> {
  const left = new Set<string>()
  let tip: string | undefined
  for (const commit of commits) if (!after.has(commit) && (tip === undefined || isBefore(tip, commit))) tip = commit
  const current = new Set<string>()
  for (let at = tip; at !== undefined; at = before.get(at)) current.add(at)
  // Ancestors come first in the order, so whether they hang on the ref is known.
  for (const commit of commits) {
    const parent = before.get(commit)
    if (!current.has(commit) && parent !== undefined && (current.has(parent) || left.has(parent))) left.add(commit)
  }
  return left
}

interface Heap {
  push(commit: string): void
  pop(): string | undefined
  size(): number
}

/** The first by `isBefore` comes first. */
function createHeap(isBefore: (a: string, b: string) => boolean): Heap {
  const items: string[] = []
  const at = (i: number): string => items[i] as string // below the length
  const swap = (i: number, j: number): void => void ([items[i], items[j]] = [at(j), at(i)])
  return {
    size: () => items.length,
    push(commit) {
      items.push(commit)
      for (let i = items.length - 1; i > 0;) {
        const parent = (i - 1) >> 1
        if (!isBefore(at(i), at(parent))) break
        swap(i, parent)
        i = parent
      }
    },
    pop() {
      const first = items[0]
      const last = items.pop()
      if (items.length === 0 || last === undefined) return first
      items[0] = last
      for (let i = 0; ;) {
        const [left, right] = [2 * i + 1, 2 * i + 2]
        let least = i
        if (left < items.length && isBefore(at(left), at(least))) least = left
        if (right < items.length && isBefore(at(right), at(least))) least = right
        if (least === i) return first
        swap(i, least)
        i = least
      }
    },
  }
}

/** Runs of one commit: by their names, numbers in them as numbers, so that attempt 10 follows attempt 9. */
export function compareRuns(a: string, b: string): number {
  const [as, bs] = [a.match(/\d+|\D+/g) ?? [], b.match(/\d+|\D+/g) ?? []]
  for (let i = 0; i < as.length && i < bs.length; i++) {
    const [x = '', y = ''] = [as[i], bs[i]]
    if (x === y) continue
    const numeric = /^\d/.test(x) && /^\d/.test(y)
    const order = numeric ? x.replace(/^0+/, '').length - y.replace(/^0+/, '').length : 0
    if (order !== 0) return order
    if (x !== y) return x < y ? -1 : 1
  }
  return as.length - bs.length
}
