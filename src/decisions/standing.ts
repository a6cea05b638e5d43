import type { Queryable } from '../database/database.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { type GateSubject, commitPrefix, gatePrefix, overridePrefix } from '../record/change-keys.ts'
import type { GateFields, OverrideFields } from '../record/changes.ts'
import { type LedgerName, type Micros, recordId } from '../record/record.ts'
import { sha256Hex } from '../record/sha256.ts'

/**
 * What stands of a subject now, committed or published: by the keys of `changes`, since what follows the ledger may be behind, and a deployment
 * that was decided by what stood a moment ago would say so for ever.
 */

export interface Standing<T> {
  ledger: LedgerName
  seq: number
  recordedAt: Micros
  id: string
  fields: T
}

export interface StandingDeps {
  db: Queryable
  reader: Pick<LedgerReader, 'payload'>
  /** Generations of `changes`, oldest first. */
  chain: readonly LedgerName[]
}

/** The newest decision about a subject. */
export function newestGate(deps: StandingDeps, subject: GateSubject): Promise<Standing<GateFields> | undefined> {
  return newestUnder(deps, gatePrefix(subject)) // gatePayload writes what stands under these keys
}

/** The newest decision about a commit, also where a build of it was named: it rests on the same runs. */
export function newestGateOf(
  deps: StandingDeps,
  commit: Pick<GateSubject, 'repository' | 'commit'>,
): Promise<Standing<GateFields> | undefined> {
  return newestUnder(deps, commitPrefix(commit))
}

export function newestOverride(deps: StandingDeps, gate: string): Promise<Standing<OverrideFields> | undefined> {
  return newestUnder(deps, overridePrefix(gate)) // overridePayload
}

async function newestUnder<T>(deps: StandingDeps, prefix: string): Promise<Standing<T> | undefined> {
  for (const ledger of deps.chain.toReversed()) {
    const place = await newestPlace(deps.db, ledger, prefix)
    if (place !== undefined) return readStanding(deps, ledger, place)
  }
  return undefined
}

export async function readStanding<T>(
  { reader }: StandingDeps,
  ledger: LedgerName,
  { firstSeq: seq, firstTime: recordedAt }: Place,
): Promise<Standing<T>> {
  const payload = await reader.payload(ledger, seq)
  const fields = JSON.parse(payload.toString()) as T // the caller says what it wrote under the key
  return { ledger, seq, recordedAt, id: recordId(ledger, seq, sha256Hex(payload)), fields }
}

/** Of a submission of one record. */
interface Place {
  firstSeq: number
  firstTime: Micros
}

/** By bytes, as the column is ordered: behind the prefixes there is never a letter above `~`. */
async function newestPlace(db: Queryable, ledger: LedgerName, prefix: string): Promise<Place | undefined> {
  const { rows } = await db.query<Place>({
    name: 'newest_under_prefix',
    text: `select first_seq as "firstSeq", first_time as "firstTime" from submissions
           where ledger = $1 and key > $2 and key < $3 order by first_seq desc limit 1`,
    values: [ledger, prefix, `${prefix}~`],
  })
  return rows[0]
}
