import type { Tally } from './tally.ts'

/** Lines that come one by one, mostly ascending, on their way into the tally by pages of 32. */
export interface LineRun {
  line(line: number, executed: boolean): void
  /** `from` to `to`, both within. Throws what the tally throws when there are too many. */
  range(from: number, to: number, executed: boolean): void
  /** Hands on what was gathered: before the file changes. */
  flush(): void
}

export function createLineRun(tally: Tally): LineRun {
  let [page, found, executed] = [0, 0, 0]

  function flush(): void {
    if (found !== 0) tally.lines(page, found, executed)
    found = 0
    executed = 0
  }

  function add(of: number, bits: number, isExecuted: boolean): void {
    if (of !== page) {
      flush()
      page = of
    }
    found |= bits
    if (isExecuted) executed |= bits
  }

  return {
    line: (line, isExecuted) => add(line >>> 5, 1 << (line & 31), isExecuted),
    range(from, to, isExecuted) {
      const [first, last] = [from >>> 5, to >>> 5]
      if (last > first) tally.spend(last - first)
      for (let of = first; of <= last; of += 1) {
        const above = of === first ? -1 << (from & 31) : -1
        add(of, of === last ? above & (-1 >>> (31 - (to & 31))) : above, isExecuted)
      }
    },
    flush,
  }
}
