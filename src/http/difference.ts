import { type Principal, may } from '../access/principal.ts'
import type { DifferenceAnswer as Answered, DifferenceQuestion } from '../answers/difference.ts'
import { type DifferenceAnswer, difference } from '../api/difference.ts'
import type { Generations } from '../ledger/generations.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, toLedgerName } from '../record/record.ts'
import type { Mount } from './mount.ts'

export type AnswerDifference = (ledgers: readonly LedgerName[], question: DifferenceQuestion) => Promise<Answered>

/** `/v1/reports/difference`. */
export function mountDifference(mount: Mount, answer: AnswerDifference, generations: Pick<Generations, 'chain'>): void {
  const ledgersOf = ({ org }: Principal): LedgerName[] =>
    (['unit', 'integration', 'changes'] as const).flatMap((kind) => generations.chain(toLedgerName(`${org}/${kind}`)))

  mount(difference, async ({ who, query: { as_of: asOf, ...rest } }) => {
    if (!may(who, 'audit', { repository: rest.repository }))
      throw new Problem('forbidden', `this credential may not see the reports of ${rest.repository}`)
    const body = await answer(ledgersOf(who), { ...rest, asOf })
    return { body: body satisfies DifferenceAnswer }
  })
}
