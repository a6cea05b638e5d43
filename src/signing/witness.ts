import { parseAddCheckpoint } from '../log/add-checkpoint.ts'
import type { AddCheckpoint } from '../log/add-checkpoint.ts'
import { parseForeignCheckpoint } from '../log/checkpoint.ts'
import type { Checkpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { addSignatures, cosign, openNote, parseNote } from '../log/note.ts'
import { describeInvalid, isValidAt } from '../log/trusted-key.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import type { SigningKey, VerifierKey } from '../log/vkey.ts'
import { mayAdvance } from './guard.ts'
import type { GuardOf, KeptHead } from './guard.ts'

/**
 * A C2SP tlog-witness: cosigns a checkpoint when it continues the last one that it cosigned for the same origin, and remembers it, durably,
 * before the cosignature leaves. Serial for each origin, so no request is judged by a head that another one is replacing.
 */
export interface Witness {
  /** Answers the body of add-checkpoint. Rejects when the guard cannot write: then nothing was cosigned. */
  addCheckpoint(body: string): Promise<WitnessAnswer>
  /** The last checkpoint that was cosigned for this origin, with the cosignature. */
  checkpointOf(origin: string): string | undefined
}

export type WitnessAnswer =
  | { status: 200; cosignature: string }
  /** The size that was cosigned last: the proof has to begin there. */
  | { status: 409; size: number }
  | { status: 400 | 403 | 404 | 422; reason: string }

export interface WitnessDeps {
  /** Of type 4. */
  key: SigningKey
  guard: GuardOf<string>
  /** The keys of each log, by its origin; named as the origin. A retired one counts for its sizes only. */
  logs: ReadonlyMap<string, readonly TrustedKey[]>
  now: () => Date
  /** Two checkpoints of one size with different roots, both signed by the log: proof that it told two stories. */
  onFork?: (origin: string, known: string, offered: string) => Promise<void>
}

/** A repeat is stored again only after so long: the time that monitors read may be behind, and anybody can repeat. */
const repeatStoredAfterS = 60

export function createWitness({ key, guard, logs, now, onFork }: WitnessDeps): Witness {
  const turns = new Map<string, Promise<unknown>>()
  /** When the stored note of an origin was cosigned. */
  const storedAt = new Map<string, number>()

  const decide = async (request: AddCheckpoint, checkpoint: Checkpoint, text: string): Promise<WitnessAnswer> => {
    const { origin, size, root } = checkpoint
    const last = guard.last(origin)
    const judged = judge(last, request, checkpoint)
    if (typeof judged !== 'string') {
      if (judged.status === 422 && last?.size === size && last.note !== undefined && size > 0)
        await onFork?.(origin, last.note, request.checkpoint)
      return judged
    }
    const time = Math.floor(now().getTime() / 1000)
    const cosignature = await cosign(text, key, time)
    // A crash before this line leaves nothing; after it, a head that was cosigned for nobody: asking again with it as old size answers.
    if (judged === 'advance' || time - (storedAt.get(origin) ?? 0) >= repeatStoredAfterS) {
      const note = addSignatures(ownLines(request.checkpoint, text, logs.get(origin) ?? []), [cosignature])
      await guard.store(origin, { size, root, note })
      storedAt.set(origin, time)
    }
    return { status: 200, cosignature }
  }

  return {
    async addCheckpoint(body) {
      try {
        const request = parseAddCheckpoint(body)
        const { text } = parseNote(request.checkpoint)
        const checkpoint = parseForeignCheckpoint(text)
        const { origin, size } = checkpoint
        const keys = logs.get(origin)
        if (keys === undefined) return { status: 404, reason: `this witness does not know the log ${origin}` }
        const { verified } = await openNote(request.checkpoint, keys)
        const by = keys.filter((key) => verified.some((one) => one.key === key))
        if (!by.some((key) => isValidAt(key, size))) return { status: 403, reason: describeInvalid(by, size) }
        if (request.oldSize > size) return { status: 400, reason: 'the old size is larger than the checkpoint' }
        const turn = (turns.get(origin) ?? Promise.resolve()).then(() => decide(request, checkpoint, text))
        turns.set(origin, turn.catch(() => undefined)) // oxfmt-ignore
        return await turn
      } catch (error) {
        if (!(error instanceof LogError)) throw error
        return { status: error.code === 'malformed' ? 400 : 403, reason: error.message }
      }
    },
    checkpointOf: (origin) => guard.last(origin)?.note,
  }
}

/** The table of tlog-witness, from the comparison of sizes on. Pure. */
function judge(
  last: KeptHead | undefined,
  { oldSize, hashes }: AddCheckpoint,
  { size, root }: Checkpoint,
): 'advance' | 'repeat' | WitnessAnswer {
  const lastSize = last?.size ?? 0
  if (oldSize !== lastSize) return { status: 409, size: lastSize }
  if (oldSize === size && hashes.length > 0) return { status: 422, reason: 'from a size to itself the proof is empty' }
  const verdict = mayAdvance(last, { size, root }, { from: oldSize, hashes })
  switch (verdict.kind) {
    case 'advance':
    case 'repeat':
      return verdict.kind
    case 'stale':
      return { status: 409, size: verdict.last.size }
    case 'refused':
      return { status: 422, reason: reasons[verdict.reason] }
  }
}

const reasons = {
  malformed: 'the root of an empty log is the hash of nothing',
  rollback: 'the checkpoint is smaller than the last one',
  fork: 'this size was cosigned with another root',
  inconsistent: 'the proof does not lead from the last checkpoint to this one',
} as const

/** The note with the signatures of the log itself: anybody can add others. */
function ownLines(note: string, text: string, keys: readonly VerifierKey[]): string {
  const { signatures } = parseNote(note)
  const lines = note.slice(text.length + 1).split('\n')
  const own = lines.filter((_, i) => {
    const signature = signatures[i]
    return signature !== undefined && keys.some(({ name, id }) => name === signature.name && id === signature.id)
  })
  return `${text}\n${[...new Set(own)].map((line) => `${line}\n`).join('')}`
}
