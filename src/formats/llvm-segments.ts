import { createCursor } from './json-cursor.ts'
import { isLine, readArray, readTuple } from './json-numbers.ts'
import type { LineRun } from './line-run.ts'
import type { Tally } from './tally.ts'

/** The segments of one file: places where the count changes, in order. */
export interface Segments {
  /** `bytes`: [[line, column, count, hasCount, isRegionEntry, isGapRegion], ...]; the last is missing before LLVM 9. Answers how many made no sense. */
  read(bytes: Uint8Array, what: string): number
  tally(tally: Tally, run: LineRun): void
}

const [above, hasCount, isEntry, isGap] = [1, 2, 4, 8]
const counts = above | hasCount
/** Of a region that begins here. */
const starts = hasCount | isEntry

// Positions are below `length`: hence `as number`.

/** One is used for all files in turn. */
export function createSegments(): Segments {
  let lines = new Int32Array(1_024)
  let flags = new Uint8Array(1_024)
  let length = 0
  const segment = new Int32Array(6)

  function toFlags(fields: number): number {
    return (
      ((segment[2] as number) > 0 ? above : 0) |
      (segment[3] === 0 ? 0 : hasCount) |
      (segment[4] === 0 ? 0 : isEntry) |
      (fields < 6 || segment[5] === 0 ? 0 : isGap)
    )
  }

  function push(line: number, flag: number): void {
    if (length === lines.length) {
      const [longer, wider] = [new Int32Array(2 * length), new Uint8Array(2 * length)]
      longer.set(lines)
      wider.set(flags)
      lines = longer
      flags = wider
    }
    lines[length] = line
    flags[length] = flag
    length += 1
  }

  return {
    read(bytes, what) {
      length = 0
      const cursor = createCursor(bytes, what)
      let wrong = 0
      readArray(cursor, () => {
        const fields = readTuple(cursor, segment)
        const line = segment[0] as number // it has six
        if (fields < 5 || !isLine(line) || (length > 0 && line < (lines[length - 1] as number))) wrong += 1
        else push(line, toFlags(fields))
      })
      cursor.end()
      return wrong
    },

    /**
     * LineCoverageStats of LLVM. A line is mapped when a region goes on from the line before, or begins on it and is no gap, but not when a skipped region
     * (#if 0) begins it; its count is the greatest of these. It is partial when one of them ran and another did not.
     */
    tally(tally, run) {
      let wrapped = 0
      for (let i = 0; i < length;) {
        const line = lines[i] as number
        const first = flags[i] as number
        const isSkipped = (first & starts) === isEntry
        let [begun, ran] = [0, wrapped & above]
        let missed = (wrapped & (counts | isGap)) === hasCount
        let last = first
        for (; i < length && lines[i] === line; i += 1) {
          last = flags[i] as number
          if ((last & (starts | isGap)) !== starts) continue
          begun += 1
          ran |= last & above
          if ((last & above) === 0) missed = true
        }
        if (!isSkipped && ((wrapped & hasCount) !== 0 || begun > 0)) {
          run.line(line, ran !== 0)
          if (ran !== 0 && missed) tally.ways(line, 0, 3, 1)
        }
        wrapped = last
        const next = i < length ? (lines[i] as number) : line
        if ((wrapped & hasCount) !== 0 && next - line > 1) run.range(line + 1, next - 1, (wrapped & above) !== 0)
      }
      run.flush()
    },
  }
}
