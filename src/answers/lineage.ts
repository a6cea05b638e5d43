import type { Generations } from '../ledger/generations.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import { isStill, resolveAsOf } from './as-of.ts'
import { traceAttempt } from './lineage-attempt.ts'
import { traceChain } from './lineage-chain.ts'
import { type LineageDeliveries, traceDeliveries } from './lineage-deliveries.ts'
import type { LineageNode } from './lineage-node.ts'
import type { LineageDeps } from './lineage-runs.ts'
import { type LineageAsk, type Sized, findStart } from './lineage-start.ts'
import { printAsOf } from './position.ts'

/**
 * The whole chain that something stands in: from the commit to the bytes that a record was made from, the checkpoint that signs it, the gates
 * it passed and where it was deployed. Found by keys alone, so it costs the same in a ledger of a day and in one of a year.
 */

export interface Lineage {
  as_of: string
  rules: string
  chain: LineageNode[]
  deliveries: LineageDeliveries
}

export interface LineageQuestion extends Omit<LineageAsk, 'kind'> {
  kind: LineageAsk['kind'] | 'attempt'
  asOf: string | undefined
}

export type LineageAnswerDeps = LineageDeps & { generations: Pick<Generations, 'closing'>; now: () => Date }

const rules = 'lineage@1'
/** How often a question is read again when the history was rebuilt under it. */
const maxTries = 5

/** `repository`: what it is about, where that is one. Throws Problem('not_found') for what is not there as of the sizes, or not visible. */
export async function answerLineage(
  deps: LineageAnswerDeps,
  ledgers: readonly LedgerName[],
  { kind, asOf, ...named }: LineageQuestion,
): Promise<{ lineage: Lineage; repository: string | undefined }> {
  for (let tries = 1; ; tries++) {
    const resolved = await resolveAsOf(deps, ledgers, asOf)
    const { chain, repository, deliveries } =
      kind === 'attempt'
        ? await traceAttempt(deps, resolved.ledgers, named)
        : await traceNamed(deps, resolved.ledgers, { ...named, kind })
    if (await isStill(deps.db, resolved))
      return { lineage: { as_of: printAsOf(resolved.asOf), rules, chain, deliveries }, repository }
    if (tries === maxTries) throw new Problem('history_behind', 'the history is being rebuilt')
  }
}

async function traceNamed(deps: LineageAnswerDeps, sizes: readonly Sized[], ask: LineageAsk) {
  const start = await findStart(deps, sizes, ask)
  const { chain, told } = await traceChain(deps, sizes, start)
  return { chain, repository: start.repository, deliveries: await traceDeliveries(deps.db, told, deps.now()) }
}
