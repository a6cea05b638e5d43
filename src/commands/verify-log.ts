import { parseCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { openNote } from '../log/note.ts'
import { parseTilePath, tileWidth } from '../log/tiles.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import type { VerifierKey } from '../log/vkey.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type Micros, ledgerKindOf, printTime } from '../record/record.ts'
import { type AuditResult, createAudit } from '../verify/audit.ts'
import { auditLog } from '../verify/audit-log.ts'
import type { Difference } from '../verify/differences.ts'
import { createExpiryRecords, type ExpiryRecords, type SeqRange } from '../verify/expiry-records.ts'
import type { LogSource } from '../verify/log-source.ts'
import { originsOf } from './trusted-keys.ts'
import type { Check } from './verify.ts'
import { count } from './count.ts'

/**
 * A log is verified as anybody could verify it, from a running service, a published folder or an address alike: checkpoint, tiles and entries
 * are read as C2SP tlog-tiles and every record is hashed again. A checkpoint remembered from before must be met on the way: that is
 * consistency, shown with the leaves themselves.
 */

export interface LedgerVerification {
  check: Check
  /** The signed note that was met; undefined when it was not, or nothing is published. */
  note: string | undefined
  /** Bundles whose records are gone, as the source says: what `check` says of them is to be added (`addGone`). */
  gone: readonly SeqRange[]
  /** Of `operations` that is verified: what it names as destroyed. */
  expiries: ExpiryRecords | undefined
  /** The first record, of a ledger that is verified. */
  first: Uint8Array | undefined
}

const nothing = { note: undefined, gone: [], expiries: undefined, first: undefined }

export interface VerifyOptions {
  /** Notes of this ledger that were verified before, by origin. */
  remembered: (origin: string) => string | undefined
  onProgress: (done: number, of: number) => void
  /** The newest sign of life in the log may be no older than this at `now`. */
  maxAge?: { ms: number; now: Date } | undefined
  /** Whether cosignatures by these keys are enough; none are asked for without it. */
  isQuorum?: ((cosigners: readonly VerifierKey[]) => boolean) | undefined
}

export async function verifyLedger(
  source: LogSource,
  ledger: LedgerName,
  keys: readonly TrustedKey[],
  { remembered, onProgress, maxAge, isQuorum }: VerifyOptions,
): Promise<LedgerVerification> {
  const origins = originsOf(keys, ledger)
  const known = origins.map(remembered).find((note) => note !== undefined)
  const found = await source.get(`${ledger}/checkpoint`, false)
  if (found === undefined) return { check: checkNothing(ledger, known, origins.length > 0), ...nothing }
  const note = new TextDecoder().decode(found)
  const origin = origins.find((name) => note.startsWith(`${name}\n`)) ?? origins[0]
  if (origin === undefined)
    throw new Problem(
      'request_invalid',
      `none of the keys is for ledger ${ledger}: its key is named <public host>/${ledger}. --ledger names the ledgers to verify`,
    )
  const size = sizeOf(note)
  const trusted = remembered(origin)
  if (trusted !== undefined && sizeOf(trusted) > size) {
    const detail = `rollback: expected at least ${count(sizeOf(trusted), 'record')} as remembered, found ${size}`
    return { check: { check: ledger, verdict: 'differs', seq: size, detail }, ...nothing }
  }
  const pass = async (fresh: boolean): Promise<Pass> => {
    const gone: SeqRange[] = []
    const expiries = ledgerKindOf(ledger) === 'operations' ? createExpiryRecords() : undefined
    const audit = createAudit({ ledger, origin, vkeys: keys })
    await audit.expectCheckpoint(note)
    if (trusted !== undefined) await audit.expectCheckpoint(trusted)
    const get = (path: string, again: boolean) => source.get(`${ledger}/${path}`, again)
    const isExpired = (path: string): boolean => {
      const tile = parseTilePath(path)
      if (tile === undefined || !mayExpire(ledger) || source.isExpired?.(`${ledger}/${path}`) !== true) return false
      gone.push({ first: tile.index * tileWidth, next: tile.index * tileWidth + tile.width })
      return true
    }
    let first: Uint8Array | undefined
    const onRecords = (records: readonly Uint8Array[]): void => {
      first ??= records[0]?.slice()
      expiries?.add(records)
    }
    const lastTime = await auditLog(audit, { size, get, fresh, isExpired, onRecords, onProgress })
    return { result: audit.finish(), lastTime, gone, expiries, first }
  }
  let { result, lastTime, gone, expiries, first } = await pass(false)
  let cached: string | undefined
  if (!isGood(result, size) && source.mayBeCached) {
    // Tiles never change, so a wrong one may be an old mistake in a cache on the way: all is asked for once more, past the caches.
    cached = explain(result, size)
    ;({ result, lastTime, gone, expiries, first } = await pass(true))
  }
  if (!isGood(result, size)) {
    const first = mostTelling(result)
    const more = first === undefined ? {} : { seq: first.seq, differences: result.differences.slice(0, 100) }
    return {
      check: { check: ledger, verdict: 'differs', detail: explain(result, size), size, ...more },
      ...nothing,
    }
  }
  const since = trusted === undefined ? '' : `, and extends the ${sizeOf(trusted)} remembered`
  const lacking = await findLacking(note, keys, isQuorum)
  const stale = lacking ?? (maxAge === undefined ? undefined : await findStale(note, keys, lastTime, maxAge))
  const by = cached === undefined ? '' : `; a cache on the way gave other bytes at first: ${cached}`
  const detail = `${count(result.checked, 'record')}, every one hashed again, lead to the root signed by ${origin}${isQuorum === undefined ? '' : ' and cosigned as the policy demands'}${since}${by}`
  if (stale !== undefined) return { check: { check: ledger, verdict: 'differs', size, detail: stale }, ...nothing }
  // Whoever serves the log says what is gone, and could say so of all of it.
  const verdict = size > 0 && result.checked === 0 ? 'incomplete' : 'ok'
  return { check: { check: ledger, verdict, detail, size }, note, gone, expiries, first }
}

interface Pass extends Pick<LedgerVerification, 'gone' | 'expiries' | 'first'> {
  result: AuditResult
  lastTime: Micros | undefined
}

/** What is decided and done is kept for ever. */
const mayExpire = (ledger: LedgerName): boolean => ['unit', 'integration'].includes(ledgerKindOf(ledger))

const isGood = ({ differences, signed }: AuditResult, size: number): boolean =>
  differences.length === 0 && signed >= size

/** A root that is not met says of many records that one of them is wrong: what names fewer goes before it, and then what comes first. */
function mostTelling({ differences }: AuditResult): Difference | undefined {
  const width = ({ seq, through }: Difference): number => through - seq
  return differences.toSorted((a, b) => width(a) - width(b) || a.seq - b.seq)[0]
}

function explain(result: AuditResult, size: number): string {
  const { differenceCount, signed } = result
  const first = mostTelling(result)
  if (first === undefined) return `only ${signed} of ${count(size, 'record')} are covered by a signature`
  const more = differenceCount > 1 ? ` (and ${differenceCount - 1} more)` : ''
  return `first bad seq ${first.seq}: ${first.kind}: expected ${first.expected}, found ${first.found}${more}`
}

/** An empty log has a checkpoint too: one that is not there was never published, waits for its quorum, or is kept from us. */
function checkNothing(ledger: LedgerName, known: string | undefined, hasKey: boolean): Check {
  if (known === undefined && !hasKey) return { check: ledger, verdict: 'ok', detail: 'nothing is published, and no key was given for it' } // oxfmt-ignore
  if (known === undefined) return { check: ledger, verdict: 'incomplete', detail: 'there is no checkpoint' }
  const detail = `rollback: expected ${count(sizeOf(known), 'record')} as remembered, found none`
  return { check: ledger, verdict: 'differs', seq: 0, detail }
}

/** A view may be frozen: whole, validly signed, and old. Its age is that of its newest cosignature by a known witness, else of its last record. */
async function findStale(
  note: string,
  keys: readonly TrustedKey[],
  lastTime: Micros | undefined,
  { ms, now }: { ms: number; now: Date },
): Promise<string | undefined> {
  const { verified } = await openNote(note, keys)
  const seen = Math.max(...verified.map(({ time }) => (time ?? 0) * 1_000_000), lastTime ?? 0)
  if (now.getTime() - seen / 1000 <= ms) return undefined
  const found = seen === 0 ? 'none: there is no record, and no known witness has cosigned that' : `the newest at ${printTime(seen)}` // oxfmt-ignore
  return `stale: expected a record or cosignature of the last ${Math.round(ms / 1000)} s, found ${found}`
}

/** A whole, validly signed view may be one that is shown to this reader alone: enough witnesses must have seen it. */
async function findLacking(note: string, keys: readonly TrustedKey[], isQuorum: VerifyOptions['isQuorum']): Promise<string | undefined> {
  if (isQuorum === undefined) return undefined
  const { verified } = await openNote(note, keys)
  const cosigners = verified.map(({ key }) => key).filter(({ type }) => type === 4)
  if (isQuorum(cosigners)) return undefined
  return `no quorum: cosigned by ${cosigners.length === 0 ? 'no known witness' : cosigners.map(({ name }) => name).join(', ')}`
} // oxfmt-ignore

/** Of a note not yet verified; throws `integrity` for what is no checkpoint at all. */
function sizeOf(note: string): number {
  try {
    return parseCheckpoint(note.slice(0, note.lastIndexOf('\n\n') + 1)).size
  } catch (cause) {
    if (!(cause instanceof LogError)) throw cause
    throw new Problem('integrity', `not a checkpoint: ${cause.message}`, { cause })
  }
}
