import { decisionsFrom } from '../history/decision-store.ts'
import { readPosition } from '../history/projection-store.ts'
import type { Keeper } from './keeping.ts'
import type { LedgerName } from '../record/record.ts'
import { createDeploymentsKnown } from '../watch/deployments.ts'

const atOnce = 1_000

/** Deployments that went on without a pass are told of. What the history has of `changes` is read once, and from there on what is new. */
export const watchDeployments: Keeper = async ({ db, generations }) => {
  const known = createDeploymentsKnown()
  const next = new Map<LedgerName, number>()
  const readOn = async (ledger: LedgerName): Promise<void> => {
    const { next: size } = await readPosition(db, ledger)
    for (let from = next.get(ledger) ?? 0; from < size;) {
      const page = await decisionsFrom(db, ledger, ['gate', 'deployment', 'disposition'], { from, size, limit: atOnce })
      for (const decision of page) known.add(decision)
      const last = page.at(-1)
      from = page.length < atOnce || last === undefined ? size : last.seq + 1
      next.set(ledger, from)
    }
  }
  return async () => {
    for (const ledger of generations.chain(generations.now('changes'))) await readOn(ledger)
    return known.findings(Date.now())
  }
}
