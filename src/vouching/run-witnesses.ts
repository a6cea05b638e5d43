import { setTimeout as sleep } from 'node:timers/promises'
import type { Queryable } from '../database/database.ts'
import { insertCosignature, newestCosignatures } from '../ledger/cosignature-store.ts'
import { newestCheckpoint } from '../ledger/store.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import { type VerifierKey, printKeyId } from '../log/vkey.ts'
import type { LedgerName } from '../record/record.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Asker } from './ask.ts'
import { type Cosigned, askWitness } from './cosign.ts'
import { type Rounds, createRounds } from './rounds.ts'
import { insertConflict, keepAsked } from './vouching-store.ts'

/** Takes checkpoints to every witness, the same ones to each, and keeps the cosignatures. Nothing waits for it; what it misses the next round asks for. */

export interface WitnessWork {
  db: Queryable
  /** Each on its own: a slow one holds up no other. */
  witnesses: readonly { key: VerifierKey; asker: Asker }[]
  ledgers: readonly WitnessedLedger[]
  everyMs: number
  /** A ledger that did not grow is cosigned again after so long. */
  refreshMs: number
  now: () => Date
  log: Logger
}

export interface WitnessedLedger {
  ledger: LedgerName
  /** Verifier keys of its log. */
  logKeys: () => Promise<readonly TrustedKey[]>
  consistency: (from: number, to: number) => Promise<Uint8Array[]>
}

/** As it stands in `cosignatures`. */
export const witnessName = ({ name, id }: VerifierKey): string => `${name}+${printKeyId(id)}`

/** So long at most between two askings of a witness that fails. */
const maxPauseMs = 60_000

/** For one process at a time, until the signal aborts. Rejects when the database does. */
export async function runWitnesses(work: WitnessWork, signal: AbortSignal): Promise<void> {
  const ending = new AbortController() // one that rejects ends the others, and the worker starts all of them anew
  const signals = AbortSignal.any([signal, ending.signal])
  const each = work.ledgers.flatMap((ledger) => {
    const names = work.witnesses.map(({ key }) => witnessName(key))
    const rounds = createRounds(names, () => newestCheckpoint(work.db, ledger.ledger))
    return work.witnesses.map((witness) =>
      follow(work, witness, ledger, rounds, signals).catch((error: unknown) => {
        ending.abort()
        if (!signal.aborted) throw error
      }),
    )
  })
  const failed = (await Promise.allSettled(each)).find((one) => one.status === 'rejected' && !isAbort(one.reason))
  if (failed?.status === 'rejected') throw failed.reason
}

const isAbort = (reason: unknown): boolean => reason instanceof Error && reason.name === 'AbortError'

async function follow(
  work: WitnessWork,
  { key, asker }: WitnessWork['witnesses'][number],
  ledger: WitnessedLedger,
  rounds: Rounds,
  signal: AbortSignal,
): Promise<void> {
  const { db, everyMs, refreshMs, now, log } = work
  const name = witnessName(key)
  const last = (await newestCosignatures(db, ledger.ledger)).find(({ witness }) => witness === name)
  let [size, cosignedAtMs] = [last?.size ?? -1, (last?.time ?? 0) * 1000]
  for (let failures = 0; !signal.aborted;) {
    const checkpoint = await rounds.next(name)
    const isDue = checkpoint !== undefined && (checkpoint.size > size || now().getTime() - cosignedAtMs >= refreshMs)
    if (isDue) {
      const cosigned = await ask(work, { key, asker }, ledger, checkpoint, Math.max(size, 0), signal)
      await keep(db, ledger.ledger, name, checkpoint, cosigned, now())
      if (cosigned.kind === 'cosigned') [size, cosignedAtMs] = [checkpoint.size, now().getTime()]
      const isGood = cosigned.kind === 'cosigned' || cosigned.kind === 'overtaken'
      failures = isGood ? 0 : failures + 1
      rounds.answered(name, checkpoint.size, isGood)
      if (!isGood && failures === 1) log.warn('witness.failed', { witness: name, ledger: ledger.ledger, detail: cosigned.detail }) // oxfmt-ignore
    } else if (checkpoint !== undefined) rounds.answered(name, checkpoint.size, true) // it has cosigned that already
    const pauseMs = failures === 0 ? everyMs : Math.max(everyMs, Math.min(everyMs * 2 ** failures, maxPauseMs))
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
  }
}

async function ask(
  { db, now, log }: WitnessWork,
  { key, asker }: WitnessWork['witnesses'][number],
  { ledger, logKeys, consistency }: WitnessedLedger,
  checkpoint: { size: number; note: string },
  oldSize: number,
  signal: AbortSignal,
): Promise<Cosigned> {
  const newestSize = async (): Promise<number> => (await newestCheckpoint(db, ledger))?.size ?? 0
  try {
    const task = { ledger, asker, key, logKeys: await logKeys(), checkpoint, oldSize, consistency, newestSize, now }
    return await askWitness(task, signal)
  } catch (error) {
    signal.throwIfAborted()
    log.error('witness.unasked', { witness: witnessName(key), ledger, error })
    return { kind: 'failed', detail: `it could not be asked: ${error instanceof Error ? error.message : String(error)}` } // oxfmt-ignore
  }
}

/**
 * The cosignature first: a crash after it leaves the standing of before, which the next round corrects. One that was given and not stored
 * is given again: a witness cosigns the same head as often as it is asked.
 */
async function keep(
  db: Queryable,
  ledger: LedgerName,
  name: string,
  checkpoint: { size: number; note: string },
  cosigned: Cosigned,
  now: Date,
): Promise<void> {
  const at = now.getTime() * 1000
  if (cosigned.kind === 'cosigned') {
    const { time, line } = cosigned.cosignature
    await insertCosignature(db, ledger, { size: checkpoint.size, witness: name, time, line })
  }
  if (cosigned.kind === 'contradicts') {
    const { detail, theirs } = cosigned
    await insertConflict(db, ledger, { witness: name, foundAt: at, detail, ours: checkpoint.note, theirs })
  }
  // It names a size that we have by now, and nothing of its root: what stood stands until the next asking.
  if (cosigned.kind === 'overtaken') return
  const failure = 'detail' in cosigned ? cosigned.detail : undefined
  await keepAsked(db, ledger, 'witness', { name, at, failure })
}
