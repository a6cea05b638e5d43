import { type Principal, may } from '../access/principal.ts'
import type { Lineage, LineageQuestion } from '../answers/lineage.ts'
import { type LineageAnswer, lineageKinds, lineageRoutes } from '../api/lineage.ts'
import type { Generations } from '../ledger/generations.ts'
import { type LedgerName, toLedgerName } from '../record/record.ts'
import type { Mount } from './mount.ts'

/** Asks over ledgers of one org: of runs and of changes, every generation. */
export type AskLineage = (ledgers: readonly LedgerName[], question: LineageQuestion) => Promise<{ lineage: Lineage; repository: string | undefined }> // oxfmt-ignore

/** `/v1/lineage`: from any name the chain that it stands in. */
export function mountLineage(mount: Mount, ask: AskLineage, generations: Pick<Generations, 'chain'>): void {
  const ledgersOf = ({ org }: Principal): LedgerName[] =>
    (['unit', 'integration', 'changes'] as const).flatMap((kind) => generations.chain(toLedgerName(`${org}/${kind}`)))

  for (const [i, route] of lineageRoutes.entries()) {
    const kind = lineageKinds[i] as (typeof lineageKinds)[number] // one route of each, in this order
    mount(route, async ({ who, params: { id }, query: { repository, as_of: asOf } }) => {
      const isVisible = (of: string | undefined): boolean =>
        may(who, 'audit', of === undefined ? {} : { repository: of })
      const found = await ask(ledgersOf(who), { kind, id, repository, isVisible, asOf })
      return {
        body: found.lineage satisfies Lineage as LineageAnswer, // nodes carry what records say, which no shape names in full
        ...(found.repository === undefined ? {} : { about: found.repository }),
      }
    })
  }
}
