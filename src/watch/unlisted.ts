/**
 * Missing records beyond those that a comparison lists by id, as runs of seqs: a whole index that is gone is one run, and an order covers all
 * of it. Pure, and bounded.
 */
export interface Unlisted {
  /** First and last of each run, one run behind the other, ascending. */
  runs: number[]
  /** How many these are. */
  records: number
  /** So many more are missing that stand nowhere. */
  beyond: number
}

export const mostUnlisted = { runs: 50_000, records: 1_000_000 }

export const noneUnlisted = (): Unlisted => ({ runs: [], records: 0, beyond: 0 })

/** Seqs come ascending. What finds no place is counted, and so is all behind it: what is noted has no gaps but those that are real. */
export function noteUnlisted(unlisted: Unlisted, seq: number, most = mostUnlisted): void {
  const { runs } = unlisted
  const goesOn = runs.at(-1) === seq - 1
  const isFull = unlisted.records >= most.records || (!goesOn && runs.length >= most.runs * 2)
  if (unlisted.beyond > 0 || isFull) return void unlisted.beyond++
  unlisted.records++
  if (goesOn) runs[runs.length - 1] = seq
  else runs.push(seq, seq)
}

export function* seqsOfRuns({ runs }: Pick<Unlisted, 'runs'>): Generator<number> {
  for (let i = 0; i + 1 < runs.length; i += 2) {
    const last = runs[i + 1] ?? -1
    for (let seq = runs[i] ?? 0; seq <= last; seq++) yield seq
  }
}
