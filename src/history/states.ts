import { type LineRanges, appendRange } from '../record/lines.ts'

/**
 * The lines of one file in one run, packed: stretches of equal state one behind the other, each as two variable-length numbers (seven bits a
 * byte, the lowest first): lines without state before it, and its length times four plus its state. A real file takes 2 to 3 bytes a stretch,
 * a fifth of its ranges in the record, and equal states are equal bytes.
 */

export const measuredStates = ['covered', 'partial', 'missed'] as const
export type MeasuredState = (typeof measuredStates)[number]

export interface LineStates {
  covered: LineRanges
  partial: LineRanges
  missed: LineRanges
}

/** Where several records speak of a line, of windows or of shards, what was executed by one was executed: covered before partial before missed. */
export function packStates(all: readonly LineStates[]): Buffer {
  const stretches = merge(all)
  const bytes: number[] = []
  let end = 0
  for (const { from, to, state } of stretches) {
    putNumber(bytes, from - end - 1)
    putNumber(bytes, (to - from + 1) * 4 + state)
    end = to
  }
  return Buffer.from(bytes)
}

interface Stretch {
  from: number
  to: number
  /** Index into measuredStates. */
  state: number
}

/** Disjoint and ascending, no two that could be one. */
function merge(all: readonly LineStates[]): Stretch[] {
  const stretches: Stretch[] = []
  for (const states of all)
    for (const [state, name] of measuredStates.entries()) {
      const ranges = states[name]
      for (let i = 0; i < ranges.length; i += 2)
        stretches.push({ from: ranges[i] as number, to: ranges[i + 1] as number, state }) // ranges come in pairs
    }
  stretches.sort((a, b) => a.from - b.from || a.state - b.state)
  const merged: Stretch[] = []
  for (const next of stretches) {
    const last = merged.at(-1)
    if (last !== undefined && next.from <= last.to) overlay(merged, next)
    else if (last !== undefined && last.to === next.from - 1 && last.state === next.state) last.to = next.to
    else merged.push({ ...next })
  }
  return merged
}

/** Only shards that measure the same file come here. `next` begins behind where the last stretch begins. */
function overlay(merged: Stretch[], next: Stretch): void {
  let first = merged.length
  while (first > 0 && (merged[first - 1] as Stretch).to >= next.from) first -= 1 // below the length
  const kept = merged.splice(first)
  const edges = new Set<number>([next.from, next.to + 1])
  for (const { from, to } of kept) edges.add(from).add(to + 1)
  const sorted = [...edges].sort((a, b) => a - b)
  for (const [i, from] of sorted.entries()) {
    const to = (sorted[i + 1] ?? 0) - 1
    const over = [...kept, next].filter((one) => one.from <= from && one.to >= to)
    if (to < from || over.length === 0) continue
    const state = Math.min(...over.map((one) => one.state))
    const last = merged.at(-1)
    if (last !== undefined && last.to === from - 1 && last.state === state) last.to = to
    else merged.push({ from, to, state })
  }
}

function putNumber(bytes: number[], value: number): void {
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
}

/** The state of one line; undefined where the file has no state for it. Reads no further than the line. */
export function stateAt(packed: Uint8Array, line: number): MeasuredState | undefined {
  let end = 0
  for (let at = 0; at < packed.length;) {
    const skip = takeNumber(packed, at)
    const run = takeNumber(packed, skip.next)
    at = run.next
    const from = end + skip.value + 1
    end = from + Math.floor(run.value / 4) - 1
    if (line < from) return undefined
    if (line <= end) return measuredStates[run.value % 4]
  }
  return undefined
}

export function unpackStates(packed: Uint8Array): LineStates {
  const sets = { covered: [] as number[], partial: [] as number[], missed: [] as number[] }
  let end = 0
  for (let at = 0; at < packed.length;) {
    const skip = takeNumber(packed, at)
    const run = takeNumber(packed, skip.next)
    at = run.next
    const from = end + skip.value + 1
    end = from + Math.floor(run.value / 4) - 1
    const state = measuredStates[run.value % 4]
    if (state === undefined) throw new Error('packed states hold a state that does not exist')
    appendRange(sets[state], from, end)
  }
  return sets
}

/** Beyond 32 bits, so by multiplication. */
function takeNumber(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0
  let scale = 1
  for (let next = at; ;) {
    const byte = bytes[next++]
    if (byte === undefined) throw new Error('packed states end early')
    value += (byte % 128) * scale
    if (byte < 128) return { value, next }
    scale *= 128
  }
}
