import type { Queryable } from '../database/database.ts'
import { newestCosignatures } from '../ledger/cosignature-store.ts'
import { newestCheckpoint } from '../ledger/store.ts'
import type { VerifierKey } from '../log/vkey.ts'
import { type LedgerName, type Micros, printTime } from '../record/record.ts'
import { witnessName } from './run-witnesses.ts'
import { conflictsOf, vouchingOf } from './vouching-store.ts'

/** How each witness of the policy stands, by the database's word: the same on every node. */
export interface WitnessStanding {
  ledger: LedgerName
  /** `<name>+<id>` of its key. */
  witness: string
  /** Records of the newest checkpoint that it cosigned; 0 for none. */
  size: number
  /** Published records that it has not cosigned. */
  lag: number
  /** By its clock; null for never. */
  cosigned_at: string | null
  asked_at: string | null
  /** Since when it gives no cosignature, and why; null while all is well. */
  failing_since: string | null
  detail: string
  /** It has seen another history than ours. */
  contradicts: boolean
}

export async function witnessStandings(
  db: Queryable,
  ledgers: readonly LedgerName[],
  witnesses: readonly VerifierKey[],
): Promise<WitnessStanding[]> {
  if (witnesses.length === 0) return []
  const [asked, conflicts] = await Promise.all([vouchingOf(db, ledgers, 'witness'), conflictsOf(db, ledgers)])
  const standings: WitnessStanding[] = []
  for (const ledger of ledgers) {
    const published = (await newestCheckpoint(db, ledger))?.size ?? 0
    const newest = await newestCosignatures(db, ledger)
    for (const witness of witnesses.map(witnessName)) {
      const last = newest.find((one) => one.witness === witness)
      const row = asked.find((one) => one.ledger === ledger && one.name === witness)
      const conflict = conflicts.find((one) => one.ledger === ledger && one.witness === witness)
      const failingSince = row?.failingSince ?? null
      const contradicts = conflict !== undefined && failingSince !== null && conflict.foundAt >= failingSince
      standings.push({
        ledger,
        witness,
        size: last?.size ?? 0,
        lag: Math.max(0, published - (last?.size ?? 0)),
        cosigned_at: last === undefined ? null : printTime(last.time * 1e6),
        asked_at: printed(row?.askedAt),
        failing_since: printed(failingSince),
        detail: contradicts && conflict.detail !== row?.detail ? `${conflict.detail}; now: ${row?.detail ?? ''}` : (row?.detail ?? ''), // oxfmt-ignore
        contradicts,
      })
    }
  }
  return standings
}

const printed = (at: Micros | null | undefined): string | null => (at == null ? null : printTime(at))
