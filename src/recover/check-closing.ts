import type { Queryable } from '../database/database.ts'
import type { ClosedLedger } from '../ledger/closed-store.ts'
import type { LedgerReader } from '../ledger/read.ts'
import * as store from '../ledger/store.ts'
import { parseCheckpoint } from '../log/checkpoint.ts'
import { equalHashes } from '../log/merkle.ts'
import { printLoss, readLoss } from '../verify/loss.ts'

export interface CheckedClosing {
  next: string
  size: number
  signed_size: number
  text: string
  /** What of it is not so. */
  wrong?: string
}

/** The row that closed a ledger, against the ledger itself and the signed record that its next generation begins with. */
export async function checkClosing(
  db: Queryable,
  reader: Pick<LedgerReader, 'readBatch'>,
  closed: ClosedLedger,
): Promise<CheckedClosing> {
  const { ledger, next, size, root, signedSize } = closed
  const text = printLoss(closed, next)
  const told = { next, size, signed_size: signedSize, text }
  const newest = await store.newestCheckpoint(db, ledger)
  if (newest !== undefined) {
    const found = parseCheckpoint(newest.note.slice(0, newest.note.lastIndexOf('\n\n') + 1))
    if (found.size !== size) return { ...told, wrong: `its newest checkpoint is of ${found.size} records` }
    if (!equalHashes(found.root, root)) return { ...told, wrong: 'its newest checkpoint has another root' }
  } else if (size > 0) return { ...told, wrong: 'it has no checkpoint' }
  const [first] = (await reader.readBatch(next, 0, { maxRecords: 1 })).records
  if (first === undefined) return told // it was opened by nobody yet
  const loss = readLoss(first.bytes)
  const isSame =
    loss?.of === ledger && loss.size === size && loss.signedSize === signedSize && equalHashes(loss.root, root)
  return isSame ? told : { ...told, wrong: `the first record of ${next} says another thing` }
}
