import type { UnitKind } from '../record/run.ts'
import type { Tally } from './tally.ts'

/** More than any file has: a number beyond is no count. */
const most = 1_000_000

/** Units that are only counted: `found` of them under one name, the first `covered` of which are covered. */
export function addUnits(tally: Tally, kind: UnitKind, name: number, found: number, covered: number): void {
  const count = Math.min(found, most)
  for (let page = 0; page * 32 < count; page += 1)
    tally.units(kind, name, page, lowBits(count - page * 32), lowBits(covered - page * 32))
}

const lowBits = (count: number): number => (count >= 32 ? -1 : count <= 0 ? 0 : (1 << count) - 1)
