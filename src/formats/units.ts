import type { UnitKind } from '../record/run.ts'
import type { Tally } from './tally.ts'

/** Units of a file that have no names and are only counted: numbered in the order in which they are added, 32 of them in a row of the tally. */
export interface UnitRun {
  add(count: number, covered: boolean): void
  /** Ends the file. */
  flush(): void
}

/** More than any file has: a greater number is no count. */
const most = 10_000_000

export function createUnitRun(tally: Tally, kind: UnitKind): UnitRun {
  let [next, found, on] = [0, 0, 0]

  function store(): void {
    if (found !== 0) tally.units(kind, 0, (next - 1) >>> 5, found, on)
    found = 0
    on = 0
  }

  return {
    add(count, covered) {
      for (let left = Math.min(count, most - next); left > 0;) {
        const from = next & 31
        const some = Math.min(left, 32 - from)
        const bits = (some === 32 ? -1 : (1 << some) - 1) << from
        found |= bits
        if (covered) on |= bits
        next += some
        left -= some
        if ((next & 31) === 0) store()
      }
    },
    flush() {
      store()
      next = 0
    },
  }
}
