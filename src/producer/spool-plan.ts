import { z } from 'zod'
import { declaration, sealRequest } from '../api/runs.ts'
import { isRunId } from './run-identity.ts'
import type { Plan } from './upload.ts'

/** What stands in `plan.json` of a spooled run. The folder may have come as an artifact of a job: what it says is looked at, and leads nowhere else. */

export const spoolFormat = 'proofline.spool.v1'

export interface SpooledPlan {
  format: typeof spoolFormat
  run: string
  declaration: Plan['declaration']
  inventory: string | null
  parts: { query: Plan['parts'][number]['query']; file: string; sha256: string }[]
  seal: Plan['seal'] | null
}

const form = z.strictObject({
  format: z.literal(spoolFormat),
  run: z.string().refine(isRunId),
  declaration,
  inventory: z.literal('inventory.ndjson').nullable(),
  parts: z.array(
    z.strictObject({
      query: z.object({ name: z.string() }).catchall(z.union([z.string(), z.number()])), // the service looks at the rest
      file: z.string().regex(/^part-\d{1,9}$/),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
  seal: sealRequest.nullable(),
})

/** Throws an Error that says what `writeSpool` does not write. */
export function parseSpooledPlan(text: string): SpooledPlan {
  const plan: unknown = JSON.parse(text)
  const { success, error } = form.safeParse(plan)
  if (!success) throw new Error(z.prettifyError(error))
  return plan as SpooledPlan // as the form says
}
