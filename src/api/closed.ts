import { z } from 'zod'
import { count, ledgerName, time } from './shapes.ts'

/** A ledger that was closed with a loss: its records [size, signed_size) are nowhere, and `next` is recorded in. */
export const closedLedger = z.object({
  ledger: ledgerName,
  next: ledgerName,
  size: count,
  signed_size: count,
  reason: z.string(),
  by: z.string(),
  at: time,
})
