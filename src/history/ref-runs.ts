import type { LedgerHistory, RunFacts } from './ledger-history.ts'
import { type CommitFacts, type CommitOrder, compareRuns, orderCommits } from './order-commits.ts'
import { type FirstParents, rememberCommit } from './repository-memory.ts'

/** The runs of a ref in their order, whatever file is asked for: so what was computed for one question serves the next. Pure. */

/** What is seen of a ledger: everything below a size. */
export interface LedgerView {
  history: LedgerHistory
  runs: number
  inventories: number
  commits: number
}

export interface Window {
  ref: string
  /** recorded_at, half-open. */
  from: number
  to: number
}

export interface PlacedRun {
  /** Index into the views. */
  ledger: number
  /** Index into the runs of that ledger. */
  index: number
  run: RunFacts
  /** Index into the order of commits. */
  commit: number
  /** Recorded after a run of a later commit. */
  late: boolean
}

/** Runs of one suite that measured something by one definition, in order. */
export interface SeriesRuns {
  ledger: number
  suite: string
  definition: string
  placed: readonly PlacedRun[]
  kept: readonly PlacedRun[]
  /** Of commits that the ref has left behind. */
  left: readonly PlacedRun[]
}

export interface RefRuns {
  window: Window
  order: CommitOrder
  /** For each ledger all counting runs, in order. */
  placed: readonly (readonly PlacedRun[])[]
  series: readonly SeriesRuns[]
  /** For each ledger, and each commit of the order, the index of its inventory; -1 for none. */
  inventoryAt: readonly Int32Array[]
}

export function counts({ reasons }: RunFacts): boolean {
  return reasons.length === 0
}

export function* runsWithin({ history, runs }: LedgerView, { ref, from, to }: Window): Generator<RunFacts> {
  for (let i = 0; i < runs; i++) {
    const run = history.runs[i] as RunFacts // below the count
    if (run.ref === ref && run.recordedAt >= from && run.recordedAt < to) yield run
  }
}

export function createRefRuns(views: readonly LedgerView[], window: Window): RefRuns {
  const order = orderRef(views, window)
  const placeOf = new Map(order.commits.map((commit, i) => [commit, i]))
  const placed = views.map(({ history, runs }, ledger) => {
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
  return {
    window,
    order,
    placed,
    series: placed.flatMap((runs, ledger) => cutSeries(runs, ledger, order)),
    inventoryAt: views.map(({ history, inventories }) => {
      const at = new Int32Array(order.commits.length).fill(-1)
      for (let i = inventories - 1; i >= 0; i--) {
        const place = placeOf.get(history.inventories[i]?.commit ?? '')
        if (place !== undefined) at[place] = i
      }
      return at
    }),
  }
}

/** Commits of counting runs on the ref, within the window. */
function orderRef(views: readonly LedgerView[], window: Window): CommitOrder {
  const known = knownCommits(views)
  const onRef = new Map<string, CommitFacts>()
  for (const view of views)
    for (const run of runsWithin(view, window)) {
      if (!counts(run)) continue
      const before = onRef.get(run.commit)
      const committedAt = known.commits.get(run.commit)
      const claimed = committedAt === undefined ? Number.NaN : Date.parse(committedAt)
      const recordedAt = Math.min(before?.recordedAt ?? Infinity, run.recordedAt)
      onRef.set(run.commit, { committedAt: Number.isNaN(claimed) ? undefined : claimed, recordedAt })
    }
  return orderCommits(onRef, known.firstParents)
}

/** What all runs of the repository told of its commits. */
export function knownCommits(views: readonly LedgerView[]): { commits: Map<string, string | undefined>; firstParents: FirstParents } {
  const known = { commits: new Map<string, string | undefined>(), firstParents: new Map<string, string>() }
  for (const { history, commits } of views)
    for (const { commit, committedAt, parents } of history.commits.slice(0, commits))
      rememberCommit(known, commit, committedAt, parents)
  return known
} // oxfmt-ignore

function cutSeries(runs: readonly PlacedRun[], ledger: number, order: CommitOrder): SeriesRuns[] {
  const series: SeriesRuns[] = []
  for (const [suite, ofSuite] of [...Map.groupBy(runs, ({ run }) => run.suite)].toSorted(byName)) {
    const definitions = new Set<string>()
    for (const { run } of ofSuite) for (const [, definition] of run.parts) definitions.add(definition)
    for (const definition of [...definitions].sort()) {
      const placed = markLate(ofSuite.filter(({ run }) => run.parts.some((part) => part[1] === definition)))
      const isLeft = ({ run }: PlacedRun): boolean => order.left.has(run.commit)
      series.push({ ledger, suite, definition, placed, kept: placed.filter((one) => !isLeft(one)), left: placed.filter(isLeft) })
    }
  }
  return series
} // oxfmt-ignore

const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1)

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
