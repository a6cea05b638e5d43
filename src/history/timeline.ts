import type { FileFacts, PathChanges } from './file-facts.ts'
import type { PlacedRun, RefRuns, SeriesRuns } from './ref-runs.ts'

/** The runs of a ref, cut to where something about a file changes. Pure. */

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

export interface Series {
  of: SeriesRuns
  blocks: Block[]
  /** Of commits that the ref has left behind. */
  left: Block[]
}

export interface Timeline {
  /** Commits that follow each other and have the same files under these names. */
  stretches: readonly (readonly Presence[])[]
  /** By place of the commit. */
  stretchOf: readonly number[]
  series: readonly Series[]
}

export function createTimeline(facts: FileFacts, ref: RefRuns): Timeline {
  const { stretches, stretchOf } = cutStretches(facts, ref)
  const series = ref.series.map((of): Series => {
    const changes = facts.ledgers[of.ledger]?.changes.filter(({ definition }) => definition === of.definition) ?? []
    return { of, blocks: cutBlocks(of.kept, changes, stretchOf), left: cutBlocks(of.left, changes, stretchOf) }
  })
  return { stretches, stretchOf, series }
}

function cutBlocks(runs: readonly PlacedRun[], changes: readonly PathChanges[], stretchOf: readonly number[]): Block[] {
  const blocks: Block[] = []
  for (const run of runs) {
    const last = blocks.at(-1)
    const stretch = stretchOf[run.commit] ?? -1
    const isSame =
      last !== undefined && last.stretch === stretch && changes.every(({ at }) => at[run.index] === at[last.last.index])
    if (isSame) {
      last.last = run
      last.runs += 1
      last.late += run.late ? 1 : 0
    } else blocks.push({ stretch, first: run, last: run, runs: 1, late: run.late ? 1 : 0 })
  }
  return blocks
}

/** From the inventory of each commit, where there is one, else from what its runs measured. */
function cutStretches(facts: FileFacts, ref: RefRuns): { stretches: Presence[][]; stretchOf: number[] } {
  const measured = measuredFiles(facts, ref)
  const stretches: Presence[][] = []
  let last = ''
  const stretchOf = ref.order.commits.map((_, place) => {
    const presence = facts.paths.map((_name, path) => presenceAt(facts, ref, place, path, measured))
    let key = ''
    for (const one of presence) key += one.kind === 'blob' ? one.blob : ` ${one.kind} `
    if (stretches.length === 0 || last !== key) stretches.push(presence)
    last = key
    return stretches.length - 1
  })
  return { stretches, stretchOf }
}

const absent: Presence = { kind: 'absent' }
const unknown: Presence = { kind: 'unknown' }

function presenceAt(
  facts: FileFacts,
  { inventoryAt }: RefRuns,
  place: number,
  path: number,
  measured: ReturnType<typeof measuredFiles>,
): Presence {
  for (const [i, ledger] of facts.ledgers.entries()) {
    const inventory = inventoryAt[i]?.[place] ?? -1
    if (inventory < 0) continue
    const blob = ledger.blobs[path]?.(inventory)
    if (blob !== undefined) return { kind: 'blob', blob }
    // Made by the build, and measured all the same.
    return measured.get(place)?.[path] ?? absent
  }
  return measured.get(place)?.[path] ?? unknown
}

/** By place of the commit, for each path: what the records of its runs say of it; nothing for commits without any. */
function measuredFiles(facts: FileFacts, { placed, inventoryAt }: RefRuns): Map<number, (Presence | undefined)[]> {
  const measured = new Map<number, (Presence | undefined)[]>()
  for (const [ledger, runs] of placed.entries())
    for (const { path, rows, at } of facts.ledgers[ledger]?.changes ?? [])
      for (const { index, commit } of runs) {
        // Where the inventory has the file, it is what counts.
        const inventory = inventoryAt.findIndex((one) => (one[commit] ?? -1) >= 0)
        if (facts.ledgers[inventory]?.blobs[path]?.(inventoryAt[inventory]?.[commit] ?? -1) !== undefined) continue
        const row = rows[at[index] ?? -1]
        if (row?.state === undefined) continue
        const found = measured.get(commit) ?? []
        if (row.blob !== undefined) found[path] = { kind: 'blob', blob: row.blob }
        else found[path] ??= { kind: 'file' }
        measured.set(commit, found)
      }
  return measured
}
