import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Queryable } from '../database/database.ts'
import { type ClosedLedger, insertClosed } from '../ledger/closed-store.ts'
import * as store from '../ledger/store.ts'
import { parseCheckpoint } from '../log/checkpoint.ts'
import { emptyRoot } from '../log/merkle.ts'
import { ledgerStem, nextGeneration } from '../record/record.ts'
import { realFileEffects, replaceFile } from '../signing/durable-file.ts'
import type { Recovered } from './recover.ts'

export interface CloseDeps {
  db: Queryable
  /** The owner of the tables: a service closes nothing. */
  owner: Queryable
  /** The evidence lies there as a file too: whoever restores another backup has it still. */
  folder: string
  reason: string
  byWhom: string
}

/**
 * Closes a ledger of which something is nowhere. It ends at the newest checkpoint that is left: what its readers have been shown stays as it
 * is. Its own key can sign nothing smaller than it did, and nothing larger without the lost records, so it is the guard that keeps it closed.
 */
export async function closeLedger(
  { db, owner, folder, reason, byWhom }: CloseDeps,
  lost: Pick<Recovered, 'ledger' | 'lastSigned' | 'lostNotes'>,
): Promise<ClosedLedger> {
  const { ledger, lastSigned, lostNotes: notes } = lost
  if (lastSigned === undefined) throw new Error(`nothing of ${ledger} was ever signed, so nothing of it is lost`)
  const { head } = await store.readHead(db, ledger)
  const newest = await store.newestCheckpoint(db, ledger)
  const { size, root } =
    newest === undefined ? { size: 0, root: emptyRoot } : parseCheckpoint(newest.note.slice(0, newest.note.lastIndexOf('\n\n') + 1)) // oxfmt-ignore
  const row = {
    ledger,
    next: nextGeneration(ledger),
    size,
    root: Buffer.from(root),
    unsigned: (head?.size ?? 0) - size,
    signedSize: lastSigned.size,
    signedRoot: Buffer.from(lastSigned.root),
    notes,
    reason,
    byWhom,
  }
  // Written first, and again by a second try: a file about a closing that did not come about says nothing untrue of what was signed.
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const document = { ...row, root: row.root.toString('base64'), signedRoot: row.signedRoot.toString('base64') }
  const path = join(folder, `${ledgerStem(ledger)}-closed.json`)
  await replaceFile(realFileEffects, path, `${JSON.stringify(document, undefined, 2)}\n`, 0o600)
  return { ...row, at: await insertClosed(owner, row) }
}
