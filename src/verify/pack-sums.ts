import type { Accounted } from './pack-account.ts'
import type { PackLedger, PackScope } from './pack-format.ts'
import type { RunCounts } from './pack-runs.ts'

/** The sums of a pack: that nothing of the period is missing, in numbers that add up. */
export interface LedgerSums {
  ledger: string
  origin: string
  start: number
  end: number
  records: number
  /** By kind; they stand in population/records. */
  shown: Record<string, number>
  /** By kind; not shown, but named by a record that is. */
  named: Record<string, number>
  /** What the question did not select. */
  not_selected: number
  /** Of the records that are shown. */
  first_recorded_at: string | null
  last_recorded_at: string | null
}

export function sumLedger(
  { ledger, origin, start, end }: PackLedger,
  accounted: Accounted,
  times: { first: string | undefined; last: string | undefined },
): LedgerSums {
  return {
    ledger,
    origin,
    start,
    end,
    records: end - start,
    shown: accounted.shown,
    named: accounted.named,
    not_selected: accounted.restCount,
    first_recorded_at: times.first ?? null,
    last_recorded_at: times.last ?? null,
  }
}

/** Size at the start + what is shown + what that names + what was not selected = size at the end. */
export function addsUp({ start, end, shown, named, not_selected }: LedgerSums): boolean {
  const sum = [...Object.values(shown), ...Object.values(named)].reduce((all, one) => all + one, 0)
  return start + sum + not_selected === end
}

export function printCompleteness(scope: PackScope, sums: readonly LedgerSums[], runs: RunCounts): string {
  const { question, selection, as_of } = scope
  const { counted, not_counted, abandoned, open } = runs
  const document = {
    schema: 'proofline.completeness.v1',
    from: question.from,
    to: question.to,
    as_of,
    selection,
    ledgers: sums.map((sum) => ({ ...sum, adds_up: addsUp(sum) })),
    runs: { counted, not_counted, abandoned, open },
  }
  return `${JSON.stringify(document, undefined, 1)}\n`
}
