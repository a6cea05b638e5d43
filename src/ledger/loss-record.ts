import { hash } from 'node:crypto'
import { printPayload } from '../record/run.ts'
import type { Book } from './book.ts'
import type { ClosedLedger } from './closed-store.ts'
import { packSegment } from './segments.ts'

/**
 * The first record of a generation: which ledger was closed before it, where, and what of it is lost. Before anything else is recorded in the
 * book; again it is the record that is there, so a crash between closing and this leaves it to the next start.
 */
export async function recordLoss(book: Book, closed: ClosedLedger): Promise<void> {
  const { ledger: of, size, root, unsigned, signedSize, signedRoot, notes, reason, byWhom: by } = closed
  const fields = {
    of,
    size,
    root: root.toString('base64'),
    ...(unsigned > 0 ? { unsigned } : {}),
    signed: { size: signedSize, root: signedRoot.toString('base64') },
    // The notes themselves stand in closed_ledgers: with cosignatures they may be larger than a record.
    notes: notes.slice(0, 16).map(({ from, size: at, note }) => ({ from: from.slice(0, 100), size: at, sha256: hash('sha256', note, 'hex') })), // oxfmt-ignore
    reason,
    by,
  }
  const key = `loss:${of}`
  const segments = [packSegment('loss', [printPayload('loss', book.ledger, fields)])]
  await book.appender.submit([{ key, digest: hash('sha256', key, 'buffer'), firstWins: true, conflict: 'internal', segments }]) // oxfmt-ignore
}
