import { type Principal, may } from '../access/principal.ts'
import type { AskedLedgers } from '../answers/gaps.ts'
import type { GapAnswers } from '../answers/repositories.ts'
import { type GapsAnswer, type RepositoriesAnswer, gaps, repositories } from '../api/gaps.ts'
import type { Generations } from '../ledger/generations.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerKind, type LedgerName, toLedgerName } from '../record/record.ts'
import type { Mount } from './mount.ts'

/** `/v1/gaps` and `/v1/repositories`. */
export function mountGaps(mount: Mount, answers: GapAnswers, generations: Pick<Generations, 'chain'>): void {
  const ledgersOf = ({ org }: Principal): AskedLedgers => {
    const of = (kind: LedgerKind): readonly LedgerName[] => generations.chain(toLedgerName(`${org}/${kind}`))
    return { history: [...of('unit'), ...of('integration'), ...of('changes')], operations: of('operations') }
  }

  mount(gaps, async ({ who, query: { as_of: asOf, ...rest } }) => {
    if (!may(who, 'audit', { repository: rest.repository }))
      throw new Problem('forbidden', `this credential may not see the evidence of ${rest.repository}`)
    const body = await answers.gaps(ledgersOf(who), { ...rest, asOf })
    return { body: body satisfies GapsAnswer }
  })

  mount(repositories, async ({ who, query: { as_of: asOf, ...rest } }) => {
    const isVisible = (repository: string): boolean => may(who, 'audit', { repository })
    const body = await answers.repositories(ledgersOf(who), isVisible, { ...rest, asOf })
    return { body: body satisfies RepositoriesAnswer }
  })
}
