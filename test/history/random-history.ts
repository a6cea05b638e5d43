import { createHash } from 'node:crypto'
import type { LineCoverage } from '../../src/record/coverage.ts'
import { fromSorted } from '../../src/record/lines.ts'
import type { LineMap } from '../../src/record/line-map.ts'
import type { RunToRecord } from '../support/record-runs.ts'

/**
 * A small repository with everything that histories are made difficult by: branches, rewritten refs, renames, files that go and come back, commits
 * that no run is of, shallow clones, inventories and line maps that are missing, several suites, definitions, shards, attempts, runs that do not count.
 */
export interface History {
  seed: number
  events: Event[]
  asked: { path: string; line: number }[]
  /** Every run claims when its commit was made. */
  isDated: boolean
}

export type Event =
  | { kind: 'run'; ledger: number; run: RunToRecord }
  | { kind: 'inventory'; ledger: number; commit: string; files: Record<string, string> }
  | { kind: 'maps'; ledger: number; from: string; to: string; maps: LineMap[] }

/** mulberry32: whole numbers below `n`. */
export function createRandom(seed: number): (n: number) => number {
  let state = seed >>> 0
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * n)
  }
}

/** A file as the texts of its lines, none of which is there twice. */
type Tree = Map<string, readonly number[]>

interface Commit {
  id: string
  tree: Tree
  parents: string[]
  at: number
  /** From each parent. */
  maps: { from: Commit; list: LineMap[] }[]
}

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex')
const blobOf = (lines: readonly number[]): string => sha1(lines.join())

export interface HistoryShape {
  /** Of the three files. */
  names?: readonly string[]
  /** Branches come back. */
  merges?: boolean
  /** Runs of every commit beside the random number of them. */
  moreRuns?: number
}

export function makeHistory(
  seed: number,
  { names = ['a.ts', 'b.ts', 'c.ts'], merges = false, moreRuns = 0 }: HistoryShape = {},
): History {
  const random = createRandom(seed)
  const chance = (n: number): boolean => random(n) === 0
  let text = 0
  const lines = (count: number): number[] => Array.from({ length: count }, () => text++)

  const edit = (before: readonly number[]): number[] => {
    const after = [...before]
    for (let edits = 1 + random(2); edits > 0; edits--) {
      const at = random(after.length + 1)
      if (chance(2)) after.splice(at, 0, ...lines(1 + random(2)))
      else after.splice(at, 1 + random(2))
    }
    return after.length === 0 ? lines(1) : after
  }

  const commits: Commit[] = []
  const old: (readonly number[])[] = []
  const grow = (parent: Commit | undefined, merged?: Commit): Commit => {
    const tree: Tree = new Map(parent?.tree ?? names.slice(0, 2).map((name) => [name, lines(3 + random(5))]))
    for (const [name, content] of merged?.tree ?? []) if (chance(2)) tree.set(name, content)
    const renamed = new Map<string, string>()
    if (parent !== undefined)
      for (const name of names) {
        const now = tree.get(name)
        if (now === undefined) {
          // It comes back as it was, or as another.
          if (chance(4)) tree.set(name, old.length > 0 && chance(2) ? old[random(old.length)]! : lines(2 + random(4)))
        } else if (chance(8)) {
          tree.delete(name)
          const to = names.find((other) => !tree.has(other) && other !== name && !parent.tree.has(other))
          if (to !== undefined && chance(2)) {
            renamed.set(to, name)
            tree.set(to, chance(2) ? now : edit(now))
          }
        } else if (chance(2)) tree.set(name, edit(now))
      }
    for (const content of tree.values()) old.push(content)
    const id = sha1(`${seed} ${commits.length}`)
    // Time stands still now and then, and is set back.
    const at = (parent?.at ?? 1_700_000_000_000) + (chance(6) ? -5_000 : random(3) * 1_000)
    const parents = parent === undefined ? [] : [parent.id, ...parent.parents]
    const maps = [parent, merged].flatMap((from) =>
      from === undefined ? [] : { from, list: mapsBetween(from.tree, tree, from === parent ? renamed : new Map()) },
    )
    const commit: Commit = { id, tree, parents, at, maps }
    commits.push(commit)
    return commit
  }

  const events: Event[] = []
  const isDated = !chance(5)
  const isWhole = chance(2) // nothing of what the client should bring is missing
  let number = 0
  const runAt = ({ id, tree, parents, at }: Commit, ref: string, ledger: number, suite: string): RunToRecord => {
    const told = isWhole ? parents : chance(4) ? [] : parents.slice(0, chance(3) ? 1 : parents.length)
    const definition = chance(5) ? 'other@1' : 'lcov.da@1'
    const isListed = isWhole || !chance(5)
    const shards = chance(4) ? 2 : 1
    const parts = Array.from({ length: shards }, (_, i) => ({
      name: `part${i}`,
      files: [...tree]
        .filter(() => !chance(6))
        .map(([path, content]) => coverageOf(path, content, definition, isListed)),
    })).filter(({ files }) => files.length > 0)
    return {
      run: `local.NAME-${number++}.${suite}.${ledger === 0 ? 'unit' : 'integration'}`, repository: '', suite, commit: id, ref, parents: told,
      committedAt: isDated || !chance(3) ? new Date(at).toISOString() : undefined, parts,
      ...(chance(8) ? { reasons: ['no_tests'] } : {}),
    } // oxfmt-ignore
  }
  const sticky = random(1_000)
  const coverageOf = (
    path: string,
    content: readonly number[],
    definition: string,
    isListed: boolean,
  ): LineCoverage => {
    // The state of a line hangs on its text, and flips at times.
    const stateOf = (line: number): number => (Math.imul(line + 1, 2_654_435_761 + sticky) >>> 8) % 5
    const noise = chance(3) ? random(content.length) : -1
    const of = (states: readonly number[]) =>
      fromSorted(
        content.flatMap((line, i) => (states.includes(i === noise ? random(5) : stateOf(line)) ? [i + 1] : [])),
      )
    const covered = of([0, 1])
    const rest = (set: readonly number[], others: readonly (readonly number[])[]) =>
      fromSorted(
        content.map((_, i) => i + 1).filter((n) => within(set, n) && !others.some((other) => within(other, n))),
      )
    const partial = rest(of([2]), [covered])
    const missed = rest(of([3]), [covered, partial])
    return {
      path,
      ...(isListed ? { blob: blobOf(content) } : {}),
      metric: 'line',
      definition,
      covered,
      partial,
      missed,
    }
  }

  let tip = grow(undefined)
  const length = 2 + random(7)
  const record = (commit: Commit, ref: string): void => {
    for (let runs = moreRuns + random(4); runs > 0; runs--) {
      const ledger = random(2)
      events.push({ kind: 'run', ledger, run: runAt(commit, ref, ledger, chance(3) ? 'e2e' : 'api') })
    }
    for (const ledger of [0, 1]) {
      if (isWhole || !chance(3))
        events.push({
          kind: 'inventory',
          ledger,
          commit: commit.id,
          files: Object.fromEntries([...commit.tree].map(([path, content]) => [path, blobOf(content)])),
        })
      for (const { from, list } of commit.maps) {
        const kept = list.filter(() => isWhole || !chance(5))
        if (kept.length > 0) events.push({ kind: 'maps', ledger, from: from.id, to: commit.id, maps: kept })
      }
    }
  }
  record(tip, 'refs/heads/main')
  let side: Commit | undefined
  for (let i = 1; i < length; i++) {
    const what = random(6)
    if (what === 0) tip = commits[random(commits.length)]! // the ref was rewritten, or goes on from elsewhere
    else if (what === 1) {
      side = grow(tip)
      record(side, 'refs/heads/other')
    }
    tip = grow(tip, merges && side !== undefined && chance(2) ? side : undefined)
    record(tip, 'refs/heads/main')
  }
  const asked = Array.from({ length: 2 }, () => ({ path: names[random(3)]!, line: 1 + random(8) }))
  return { seed, events, asked, isDated }
}

const within = (ranges: readonly number[], line: number): boolean =>
  ranges.some((from, i) => i % 2 === 0 && line >= from && line <= ranges[i + 1]!)

/** What git would say, from texts that are there once: what stays in its order stays, by the longest common part. */
function mapsBetween(before: Tree, after: Tree, renamed: ReadonlyMap<string, string>): LineMap[] {
  const maps: LineMap[] = []
  for (const [path, now] of after) {
    const from = renamed.get(path) ?? path
    const was = before.get(from)
    if (was === undefined || (from === path && blobOf(was) === blobOf(now))) continue
    const hunks = hunksBetween(was, now)
    if (hunks.length === 0 && from === path) continue
    maps.push({ from: { path: from, blob: blobOf(was) }, to: { path, blob: blobOf(now) }, hunks })
  }
  return maps
}

export function hunksBetween(a: readonly number[], b: readonly number[]): number[] {
  const length = Array.from({ length: a.length + 1 }, () => Array.from({ length: b.length + 1 }, () => 0))
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      length[i]![j] = a[i] === b[j] ? length[i + 1]![j + 1]! + 1 : Math.max(length[i + 1]![j]!, length[i]![j + 1]!)
  const hunks: number[] = []
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i += 1
      j += 1
      continue
    }
    const [from, to] = [i, j]
    while ((i < a.length || j < b.length) && !(i < a.length && j < b.length && a[i] === b[j])) {
      if (j >= b.length || (i < a.length && length[i + 1]![j]! >= length[i]![j + 1]!)) i += 1
      else j += 1
    }
    hunks.push(i === from ? from : from + 1, i - from, j === to ? to : to + 1, j - to)
  }
  return hunks
}
