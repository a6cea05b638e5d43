import { hash } from 'node:crypto'
import type { Book } from '../ledger/book.ts'
import { packSegment } from '../ledger/segments.ts'
import { printPayload } from '../record/run.ts'

/** Puts a step of retention on record in `operations`; the same step again is the same record. */
export async function recordRetention(operations: Book, step: string, fields: object): Promise<void> {
  const payload = printPayload('retention', operations.ledger, fields)
  await operations.appender.submit([
    {
      key: `retention:${step}`,
      digest: hash('sha256', step, 'buffer'),
      firstWins: true,
      conflict: 'internal',
      segments: [packSegment('retention', [payload])],
    },
  ])
}
