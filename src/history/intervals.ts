import type { FileFacts } from './file-facts.ts'
import { type Placed, type Placement, placedAt } from './resolve-line.ts'
import { type MeasuredState, stateAt } from './states.ts'
import type { PlacedRun, SeriesRuns } from './ref-runs.ts'
import type { Block } from './timeline.ts'

/** What a run says of one line; the last four are no statement of its report. */
export type LineState = MeasuredState | 'not instrumented' | 'line absent' | 'not measured' | 'file absent'

/** Runs that follow each other and say the same of the line. */
export interface Interval {
  state: LineState
  /** Whether the line was followed by line maps, or is only the one of that number. */
  byNumber: boolean
  runs: number
  late: number
  first: PlacedRun
  last: PlacedRun
  /** Where the line stands at the first and at the last of them. */
  firstAt: Placed
  lastAt: Placed
}

/** For each path the rows of one definition in one ledger. */
export type SeriesStates = (path: number, run: PlacedRun) => Buffer | undefined

export function statesOf(facts: FileFacts, { ledger, definition }: Pick<SeriesRuns, 'ledger' | 'definition'>): SeriesStates {
  const byPath = facts.paths.map((_, path) =>
    facts.ledgers[ledger]?.changes.find((one) => one.path === path && one.definition === definition),
  )
  return (path, run) => {
    const changes = byPath[path]
    return changes?.rows[changes.at[run.index] ?? -1]?.state
  }
} // oxfmt-ignore

/** Pure: the blocks of a series as they look at one line, equal ones joined. */
export function cutIntervals(
  blocks: readonly Block[],
  placement: Placement,
  states: SeriesStates,
  lookUp: (packed: Buffer, line: number) => MeasuredState | undefined = stateAt,
): Interval[] {
  const intervals: Interval[] = []
  for (const block of blocks) {
    const at = placedAt(placement, block.stretch)
    const state = lineState(block, at, states, lookUp)
    const byNumber = at.byNumber && (state === 'covered' || state === 'partial' || state === 'missed' || state === 'not instrumented') // oxfmt-ignore
    const last = intervals.at(-1)
    if (last?.state === state && last.byNumber === byNumber) {
      last.runs += block.runs
      last.late += block.late
      last.last = block.last
      last.lastAt = at
    } else {
      const { runs, late, first } = block
      intervals.push({ state, byNumber, runs, late, first, last: block.last, firstAt: at, lastAt: at })
    }
  }
  return intervals
}

function lineState(
  { first }: Block,
  { path, line }: Placed,
  states: SeriesStates,
  lookUp: (packed: Buffer, line: number) => MeasuredState | undefined,
): LineState {
  if (path < 0) return 'file absent'
  const packed = states(path, first)
  if (line === 0) return 'line absent'
  if (packed === undefined) return 'not measured'
  return lookUp(packed, line) ?? 'not instrumented'
}
