import { z } from 'zod'
import { count, ledgerName, time } from './shapes.ts'

/** How a witness stands with a ledger. */
export const witness = z.looseObject({
  ledger: ledgerName,
  witness: z.string().describe('<name>+<id> of its key'),
  size: count.describe('records of the newest checkpoint that it cosigned'),
  lag: count,
  cosigned_at: time.nullable(),
  failing_since: time.nullable(),
  detail: z.string(),
  contradicts: z.boolean().describe('it has seen another history than ours'),
})
