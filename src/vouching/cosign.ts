import type { LedgerName } from '../record/record.ts'
import { type Cosignature, printAddCheckpoint } from '../log/add-checkpoint.ts'
import { type Checkpoint, openCheckpoint, parseCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { verifyConsistency } from '../log/merkle-proof.ts'
import { parseNote } from '../log/note.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import type { VerifierKey } from '../log/vkey.ts'
import { Problem } from '../record/problem.ts'
import { sha256Hex } from '../record/sha256.ts'
import type { Asker } from './ask.ts'
import { readWitnessAnswer } from './witness-answer.ts'

/** One checkpoint taken to one witness, with the proof from what it has. */

export interface WitnessTask {
  ledger: LedgerName
  asker: Asker
  key: VerifierKey
  /** The log's own, for what the witness shows to monitors. */
  logKeys: readonly TrustedKey[]
  checkpoint: { size: number; note: string }
  /** The size that it cosigned last, as far as we know. */
  oldSize: number
  /** Proof that the tree of size `to` continues that of size `from`. */
  consistency: (from: number, to: number) => Promise<Uint8Array[]>
  /** Size of the newest checkpoint by now: another node may have brought one meanwhile. */
  newestSize: () => Promise<number>
  now: () => Date
}

export type Cosigned =
  | { kind: 'cosigned'; cosignature: Cosignature }
  /** Another node brought a newer checkpoint: nothing to do. */
  | { kind: 'overtaken' }
  | { kind: 'failed'; detail: string }
  /** It has seen another history than ours, or more of it than there is here. `theirs` is what it shows, empty where it shows nothing. */
  | { kind: 'contradicts'; detail: string; theirs: string }

/** Sizes that a witness may name before it is given up: another node's requests move it on between two of ours. */
const maxTries = 4

/** Rejects on abort, and when the tree cannot make a proof. */
export async function askWitness(task: WitnessTask, signal: AbortSignal): Promise<Cosigned> {
  const { asker, checkpoint, key, now } = task
  const { text } = parseNote(checkpoint.note)
  let oldSize = Math.min(task.oldSize, checkpoint.size)
  for (let tries = 0; tries < maxTries; tries++) {
    const hashes = oldSize === 0 || oldSize === checkpoint.size ? [] : await task.consistency(oldSize, checkpoint.size)
    const body = Buffer.from(printAddCheckpoint({ oldSize, hashes, checkpoint: checkpoint.note }))
    const headers = { 'content-type': 'text/plain; charset=utf-8' }
    const seen = await asker.ask({ method: 'POST', path: '/add-checkpoint', headers, body }, signal)
    const says = await readWitnessAnswer(seen, { oldSize, size: checkpoint.size, text, key, now: now() })
    if (says.kind === 'cosigned' || says.kind === 'failed') return says
    if (says.kind === 'contradicts') return judge(task, oldSize, hashes, says.detail, signal)
    if (says.size > checkpoint.size) {
      const newest = await task.newestSize()
      if (says.size <= newest) return { kind: 'overtaken' }
      const { note: theirs } = await monitored(task, signal)
      return { kind: 'contradicts', detail: `it has cosigned ${says.size} records, here are ${newest}`, theirs }
    }
    oldSize = says.size
  }
  return { kind: 'failed', detail: `it named another size ${maxTries} times` }
}

/** It refuses the proof. Where what it shows is a prefix of ours all the same, it is the witness that is wrong. */
async function judge(
  task: WitnessTask,
  oldSize: number,
  proof: readonly Uint8Array[],
  detail: string,
  signal: AbortSignal,
): Promise<Cosigned> {
  const { checkpoint: theirs, note } = await monitored(task, signal)
  const ours = parseCheckpoint(parseNote(task.checkpoint.note).text)
  const claim = { from: oldSize, to: ours.size, fromRoot: theirs?.root ?? new Uint8Array(), toRoot: ours.root, proof }
  if (theirs?.size === oldSize && (oldSize === 0 || verifyConsistency(claim)))
    return { kind: 'failed', detail: `it refuses a proof from the very checkpoint that it shows: ${detail}` }
  const where = oldSize === ours.size ? `another root at ${oldSize} records` : `no prefix of ours at ${oldSize} records`
  return { kind: 'contradicts', detail: `it has ${where}: ${detail}`, theirs: note }
}

/** What it shows to monitors: what the log itself signed, else nothing. */
async function monitored(
  { asker, checkpoint, logKeys }: WitnessTask,
  signal: AbortSignal,
): Promise<{ checkpoint?: Checkpoint; note: string }> {
  const { origin } = parseCheckpoint(parseNote(checkpoint.note).text)
  const shown = await shownBy(asker, origin, signal).catch((error: unknown) => {
    signal.throwIfAborted()
    if (error instanceof Problem) return undefined
    throw error
  })
  if (shown === undefined) return { note: '' }
  try {
    const opened = await openCheckpoint(shown, origin, logKeys)
    return { checkpoint: opened, note: shown.toString('utf8') }
  } catch (error) {
    if (error instanceof LogError) return { note: '' }
    throw error
  }
}

/** What a witness shows to monitors of the log `origin`, not yet verified; undefined for nothing. Throws Problem `unavailable`. */
export async function shownBy(asker: Asker, origin: string, signal: AbortSignal): Promise<Buffer | undefined> {
  const path = `/${sha256Hex(new TextEncoder().encode(origin))}/checkpoint`
  const seen = await asker.ask({ method: 'GET', path }, signal)
  if (seen.kind === 'failure') throw new Problem('unavailable', seen.detail)
  if (seen.status === 200) return seen.body
  // 403: of litewitness, for a log that it does not know; who monitors elsewhere than where it takes checkpoints has nothing here either.
  if (seen.status < 500 && seen.status !== 429) return undefined
  throw new Problem('unavailable', `HTTP ${seen.status}`)
}
