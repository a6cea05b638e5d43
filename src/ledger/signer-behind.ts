import type { Queryable } from '../database/database.ts'
import { openCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { parseTrustedKey } from '../log/trusted-key.ts'
import type { LedgerName } from '../record/record.ts'
import type { Signer } from '../signing/signer.ts'
import { newestCheckpoint } from './store.ts'

export interface Unknown {
  /** The size that the signer knows; -1 for none. */
  known: number
  size: number
  note: string
}

/**
 * A published checkpoint that the signer's own keys signed and that it knows nothing of: then another signer made it, from a copy of this
 * one's folder, or this folder is an older one that was brought back. Either might sign another history after it. Undefined when the signer
 * is current.
 */
export async function findUnknown(db: Queryable, signer: Signer, ledger: LedgerName): Promise<Unknown | undefined> {
  // In this order: a signer that made it has known it since before it was published.
  const newest = await newestCheckpoint(db, ledger)
  const known = (await signer.last(ledger))?.size ?? -1
  if (newest === undefined || newest.size <= known) return undefined
  const keys = (await signer.keys(ledger)).map(parseTrustedKey)
  const isOurs = await openCheckpoint(newest.note, keys[0]?.name ?? '', keys).then(
    () => true,
    (error: unknown) => {
      // Whoever owns the database can put anything there; verification tells of it, and it is no reason to stop.
      if (error instanceof LogError) return false
      throw error
    },
  )
  return isOurs ? { known, ...newest } : undefined
}
