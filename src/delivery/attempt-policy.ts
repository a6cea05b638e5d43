import type { Destination } from './destination.ts'
import type { Reader } from '../ledger/read.ts'
import type { LedgerName } from '../record/record.ts'
import type { Policy } from './next-step.ts'
import type { OpenAttempt } from './open-attempt.ts'

/**
 * The policy as it holds for one attempt. The same bytes sent twice are stored once only where they go to the same place: what another
 * configuration sent to an index of another name would not be met in the new one. So that is looked for where it went, and sent again,
 * to the new one, when it is not there.
 */
export async function policyFor(
  { policy, destination, reader }: { policy: Policy; destination: Pick<Destination, 'target'>; reader: Reader },
  ledger: LedgerName,
  { left, rendered, row, seqs }: OpenAttempt,
): Promise<Policy> {
  if (!policy.repeatable || !left || rendered !== undefined) return policy
  const [record] = (await reader.readBatch(ledger, seqs[0] ?? row.first, { maxRecords: 1 })).records
  if (record === undefined || destination.target(record) === row.target) return policy
  return { ...policy, repeatable: false, onUnresolved: 'hold' }
}
