import type { FileFacts, LedgerFacts, PathChanges } from './file-facts.ts'
import type { CommitTold, RunFacts } from './ledger-history.ts'
import { type CommitFacts, type CommitOrder, compareRuns, orderCommits } from './order-commits.ts'
import { type FirstParents, rememberCommit } from './repository-memory.ts'

/** The runs of a ref in their order, cut to where something about a file changes. Pure. */

export interface PlacedRun {
  /** Index into FileFacts.ledgers. */
  ledger: number
  /** Index into the runs of that ledger. */
  index: number
  run: RunFacts
  /** Index into the order of commits. */
  commit: number
  /** Recorded after a run of a later commit. */
  late: boolean
}

/** What is known to be in a commit under one name: a blob, a file of which no blob is known, nothing, or it is not known. */
export type Presence = { kind: 'blob'; blob: string } | { kind: 'file' } | { kind: 'absent' } | { kind: 'unknown' }

/** Runs that follow each other, say the same of the file, and at whose commits it is the same. */
export interface Block {
  stretch: number
  first: PlacedRun
  last: PlacedRun
  runs: number
  late: number
}

/** Runs of one suite, compared by one definition. */
export interface Series {
  ledger: number
  suite: string
  definition: string
  runs: number
  blocks: Block[]
  /** Of commits that the ref has left behind. */
  left: Block[]
  /** All of it, in order. */
  placed: readonly PlacedRun[]
}

export interface Timeline {
  order: CommitOrder
  /** Commits that follow each other and have the same files under these names. */
  stretches: readonly (readonly Presence[])[]
  stretchOf: readonly number[]
  series: readonly Series[]
}

export interface Window {
  ref: string
  /** recorded_at, half-open. */
  from: number
  to: number
}

export function counts({ reasons }: RunFacts): boolean {
  return reasons.length === 0
}

/** What all runs of the repository told of its commits. */
export function knownCommits(facts: FileFacts): {
  commits: Map<string, string | undefined>
  firstParents: FirstParents
} {
  const known = { commits: new Map<string, string | undefined>(), firstParents: new Map<string, string>() }
  for (const { history, commits } of facts.ledgers)
    for (let i = 0; i < commits; i++) {
      const { commit, committedAt, parents } = history.commits[i] as CommitTold // below the count
      rememberCommit(known, commit, committedAt, parents)
    }
  return known
}

/** Commits of counting runs on the ref, within the window. */
export function orderRef(facts: FileFacts, window: Window): CommitOrder {
  const known = knownCommits(facts)
  const onRef = new Map<string, CommitFacts>()
  for (const ledger of facts.ledgers)
    for (const run of runsWithin(ledger, window)) {
      if (!counts(run)) continue
      const before = onRef.get(run.commit)
      const committedAt = known.commits.get(run.commit)
      const claimed = committedAt === undefined ? Number.NaN : Date.parse(committedAt)
      const recordedAt = Math.min(before?.recordedAt ?? Infinity, run.recordedAt)
      onRef.set(run.commit, { committedAt: Number.isNaN(claimed) ? undefined : claimed, recordedAt })
    }
  return orderCommits(onRef, known.firstParents)
}

/** Of the ledger, as of its size. */
export function runsWithin({ history, runs }: LedgerFacts, { ref, from, to }: Window): RunFacts[] {
  const found: RunFacts[] = []
  for (let i = 0; i < runs; i++) {
    const run = history.runs[i] as RunFacts // below the count
    if (run.ref === ref && run.recordedAt >= from && run.recordedAt < to) found.push(run)
  }
  return found
}

export function createTimeline(
  facts: FileFacts,
  window: Window,
  order: CommitOrder = orderRef(facts, window),
): Timeline {
  const placeOf = new Map(order.commits.map((commit, i) => [commit, i]))
  const placed = facts.ledgers.map(({ history, runs }, ledger) => {
    const own: PlacedRun[] = []
    for (let index = 0; index < runs; index++) {
      const run = history.runs[index] as RunFacts // below the count
      const commit = placeOf.get(run.commit)
      if (commit === undefined || run.ref !== window.ref || !counts(run)) continue
      if (run.recordedAt < window.from || run.recordedAt >= window.to) continue
      own.push({ ledger, index, run, commit, late: false })
    }
    return own.sort((a, b) => a.commit - b.commit || compareRuns(a.run.run, b.run.run) || a.index - b.index)
  })
  const { stretches, stretchOf } = cutStretches(facts, order, placed)
  const series = placed.flatMap((runs, ledger) =>
    [...Map.groupBy(runs, ({ run }) => run.suite)]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([suite, ofSuite]) =>
        definitionsOf(ofSuite).map((definition) =>
          cutSeries(facts, order, stretchOf, { ledger, suite, definition }, ofSuite),
        ),
      ),
  )
  return { order, stretches, stretchOf, series }
}

function definitionsOf(runs: readonly PlacedRun[]): string[] {
  const found = new Set<string>()
  for (const { run } of runs) for (const [, definition] of run.parts) found.add(definition)
  return [...found].sort()
}

function cutSeries(
  facts: FileFacts,
  order: CommitOrder,
  stretchOf: readonly number[],
  name: { ledger: number; suite: string; definition: string },
  ofSuite: readonly PlacedRun[],
): Series {
  const runs = markLate(ofSuite.filter(({ run }) => run.parts.some(([, definition]) => definition === name.definition)))
  const changes = facts.ledgers[name.ledger]?.changes.filter(({ definition }) => definition === name.definition) ?? []
  const isLeft = ({ run }: PlacedRun): boolean => order.left.has(run.commit)
  const kept = runs.filter((run) => !isLeft(run))
  const cut = (some: readonly PlacedRun[]) => cutBlocks(some, changes, stretchOf)
  return { ...name, runs: kept.length, blocks: cut(kept), left: cut(runs.filter(isLeft)), placed: runs }
}

/** A run is late when one of a later commit was recorded before it. */
function markLate(runs: readonly PlacedRun[]): PlacedRun[] {
  const marked: PlacedRun[] = []
  let [earliest, ofCommit, commit] = [Infinity, Infinity, -1]
  for (const run of runs.toReversed()) {
    if (run.commit !== commit) {
      earliest = Math.min(earliest, ofCommit)
      ofCommit = Infinity
      commit = run.commit
    }
    ofCommit = Math.min(ofCommit, run.run.recordedAt)
    marked.push(run.run.recordedAt > earliest ? { ...run, late: true } : run)
  }
  return marked.reverse()
}

function cutBlocks(runs: readonly PlacedRun[], changes: readonly PathChanges[], stretchOf: readonly number[]): Block[] {
  const blocks: Block[] = []
  for (const run of runs) {
    const last = blocks.at(-1)
    const stretch = stretchOf[run.commit] ?? -1
    const isSame =
      last !== undefined && last.stretch === stretch && changes.every(({ at }) => at[run.index] === at[last.last.index])
    if (!isSame) blocks.push({ stretch, first: run, last: run, runs: 1, late: run.late ? 1 : 0 })
    else Object.assign(last, { last: run, runs: last.runs + 1, late: last.late + (run.late ? 1 : 0) })
  }
  return blocks
}

/** From the inventory of each commit, where there is one, else from what its runs measured. */
function cutStretches(
  facts: FileFacts,
  order: CommitOrder,
  placed: readonly (readonly PlacedRun[])[],
): { stretches: Presence[][]; stretchOf: number[] } {
  const inventoryOf = facts.ledgers.map(({ history, inventories }) => {
    const byCommit = new Map<string, number>()
    for (let i = inventories - 1; i >= 0; i--) byCommit.set(history.inventories[i]?.commit ?? '', i)
    return byCommit
  })
  const measured = measuredFiles(facts, placed)
  const stretches: Presence[][] = []
  const keys: string[] = []
  const stretchOf = order.commits.map((commit, place) => {
    const presence = facts.paths.map((_, path): Presence => {
      for (const [i, ledger] of facts.ledgers.entries()) {
        const inventory = inventoryOf[i]?.get(commit)
        if (inventory === undefined) continue
        const blob = ledger.blobs[path]?.[inventory]
        if (blob !== undefined) return { kind: 'blob', blob }
        // Made by the build, and measured all the same.
        return measured.get(place)?.[path] ?? { kind: 'absent' }
      }
      return measured.get(place)?.[path] ?? { kind: 'unknown' }
    })
    const key = presence.map((one) => (one.kind === 'blob' ? one.blob : one.kind)).join(' ')
    if (keys.at(-1) !== key) {
      keys.push(key)
      stretches.push(presence)
    }
    return stretches.length - 1
  })
  return { stretches, stretchOf }
}

/** By place of the commit, for each path: what the records of its runs say of it; nothing for commits without any. */
function measuredFiles(facts: FileFacts, placed: readonly (readonly PlacedRun[])[]): Map<number, (Presence | undefined)[]> {
  const measured = new Map<number, (Presence | undefined)[]>()
  for (const [ledger, runs] of placed.entries())
    for (const { path, rows, at } of facts.ledgers[ledger]?.changes ?? [])
      for (const { index, commit } of runs) {
        const row = rows[at[index] ?? -1]
        if (row?.state === undefined) continue
        const found = measured.get(commit) ?? []
        if (row.blob !== undefined) found[path] = { kind: 'blob', blob: row.blob }
        else found[path] ??= { kind: 'file' }
        measured.set(commit, found)
      }
  return measured
} // oxfmt-ignore
