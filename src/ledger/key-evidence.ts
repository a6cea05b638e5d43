import type { Queryable } from '../database/database.ts'
import { openNote } from '../log/note.ts'
import { openStatement } from '../log/statement.ts'
import { parseTrustedKey } from '../log/trusted-key.ts'
import { printVkey } from '../log/vkey.ts'
import type { LedgerName } from '../record/record.ts'
import type { Signer } from '../signing/signer.ts'
import type { KeyEvidence } from './key-records.ts'
import { checkpointCovering } from './store.ts'

/** What shows that two keys belong together: a checkpoint, or a statement, that both signed. */

/**
 * A checkpoint of more than `from` and less than `until` records that the two newest keys signed: a stored one, else that of the size signed
 * last, signed again. Undefined when there is none: a crash, then a log that went on.
 */
export async function checkpointOfBoth(
  db: Queryable,
  signer: Signer,
  ledger: LedgerName,
  { from, until = Infinity }: { from: number; until: number | undefined },
): Promise<KeyEvidence | undefined> {
  const keys = (await signer.keys(ledger)).slice(-2).map(parseTrustedKey)
  const isOfBoth = (note: string): Promise<boolean> =>
    openNote(note, keys).then(({ verified }) => verified.length === 2, () => false) // oxfmt-ignore
  const stored = await checkpointCovering(db, ledger, from + 1)
  if (stored !== undefined && stored.size < until && (await isOfBoth(stored.note))) return { checkpoint: stored.note }
  const last = await signer.last(ledger)
  if (last === undefined || last.size >= until) return undefined
  // The same head again: nothing is signed that was not.
  const answer = await signer.sign(ledger, { ...last, proof: { from: last.size, hashes: [] } })
  return answer.kind === 'signed' && (await isOfBoth(answer.note)) ? { checkpoint: answer.note } : undefined
}

export const keyPayloadType = 'application/vnd.proofline.key+json'

/** A statement by every key that signs now; undefined when it is only one. */
export async function statementOfBoth(signer: Signer): Promise<KeyEvidence | undefined> {
  const keys = (await signer.keys('statement')).slice(-2).map(parseTrustedKey)
  const payload = new TextEncoder().encode(JSON.stringify({ keys: keys.map(printVkey) }))
  const statement = await signer.signStatement(keyPayloadType, payload)
  return (await openStatement(statement, keys)).keys.length === 2 ? { statement } : undefined
}
