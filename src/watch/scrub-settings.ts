import { z } from 'zod'

/** How often everything that is stored is read again, and how fast at most. */
export const scrubSettings = z.strictObject({
  every_ms: z.int().min(1_000).max(2_592_000_000).default(86_400_000).describe('from the begin of one whole pass over a ledger to the next'), // oxfmt-ignore
  records_per_s: z.int().min(1).max(1_000_000).default(5_000).describe('at most; a KiB of an artifact counts as a record'), // oxfmt-ignore
})
export type ScrubSettings = z.output<typeof scrubSettings>
