import { openCheckpoint, printCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { sealNote } from '../log/note.ts'
import { signStatement, toStatementKey } from '../log/statement.ts'
import { printTrustedKey } from '../log/trusted-key.ts'
import { printVkey } from '../log/vkey.ts'
import type { SigningKey } from '../log/vkey.ts'
import type { LedgerName } from '../record/record.ts'
import { mayAdvance } from './guard.ts'
import type { Guard, Head, ProofFrom, RefusalReason } from './guard.ts'
import { newestOf } from './key-plan.ts'
import type { KeyOwner, PlanStep } from './key-plan.ts'
import type { Keys } from './keys.ts'
import { createRings } from './rotation.ts'
import type { RetireRequest, RotateRequest } from './rotation.ts'

export interface SignRequest extends Head {
  /** From the size that the signer signed last, as far as the caller knows. `{ from: 0, hashes: [] }` for a new ledger. */
  proof: ProofFrom
}

export type SignAnswer =
  /** The checkpoint. The same size and root again give the same bytes, unless the keys were rotated at that size. */
  | { kind: 'signed'; note: string }
  /** Ask again with a proof from `size`; first compare `root` with your own root at that size. */
  | { kind: 'stale'; size: number; root: Uint8Array }
  | { kind: 'refused'; reason: RefusalReason; last: Head | undefined }

export type AdoptAnswer =
  | { kind: 'adopted' | 'known' | 'stale'; size: number }
  | { kind: 'refused'; reason: RefusalReason | 'unsigned' }

/** Lines of `TrustedKey`, oldest first: the plan that stands now. `same`: it stood before. */
export type RotationAnswer = { kind: 'changed' | 'same'; keys: string[] } | { kind: 'refused'; reason: string }

/** `at` is the size of the ledger operations, for statements; ledgers go by the size that was signed last. */
type At<T> = T & { at: number }

/**
 * Signs checkpoints, never two that contradict each other, with a key per ledger that signs nothing else; and statements, with the org's
 * statement key. Serial per ledger, concurrent between ledgers. Local or over a socket (`connectSigner`), which rejects with Problem
 * `unavailable` when it cannot be reached; every call is safe to repeat.
 */
export interface Signer {
  sign(ledger: LedgerName, request: SignRequest): Promise<SignAnswer>
  /** The last head that was made fit to be signed. */
  last(ledger: LedgerName): Promise<Head | undefined>
  /** The newest verifier key of the ledger as text; makes the key when the ledger is new. To verify take `keys`: others signed before. */
  vkey(ledger: LedgerName): Promise<string>
  guardId(): Promise<string>
  /**
   * Takes over a head that these keys signed and this guard does not know: it is older than that. Nothing that was signed is contradicted
   * afterwards, that one neither.
   */
  adopt(ledger: LedgerName, note: string, proof: ProofFrom): Promise<AdoptAnswer>
  /** A DSSE envelope, for `openStatement`. The same payload gives the same bytes while the keys are the same; at most 8 MiB. */
  signStatement(payloadType: string, payload: Uint8Array): Promise<string>
  /** The same of the org's statements. */
  statementVkey(): Promise<string>
  /** Every key there ever was, oldest first, each with the sizes for which it is to be believed: lines for `parseTrustedKey`. */
  keys(of: KeyOwner): Promise<string[]>
  /** A new key signs beside the newest one, from the size signed last on. */
  rotate(of: KeyOwner, request: At<RotateRequest>): Promise<RotationAnswer>
  /** A key that was followed by another signs no more from a size on; its secret is destroyed once the log has passed it. */
  retire(of: KeyOwner, request: At<RetireRequest>): Promise<RotationAnswer>
}

export interface SignerDeps {
  keys: Keys
  guard: Guard
  /** `<public host>/<org>/<ledger>`; the same function that the keys were made with. */
  origin: (ledger: LedgerName) => string
}

export function createSigner({ keys, guard, origin }: SignerDeps): Signer {
  const turns = new Map<KeyOwner, Promise<unknown>>()
  const inTurn = <T>(of: KeyOwner, work: () => Promise<T>): Promise<T> => {
    const turn = (turns.get(of) ?? Promise.resolve()).then(work)
    const settled = turn.catch(() => undefined)
    turns.set(of, settled)
    return turn
  }
  const rings = createRings(keys, (of) => {
    // A new key under an old origin would look like a forgery to everybody who holds the old one.
    if (of !== 'statement' && guard.last(of) !== undefined)
      throw new Error(`the key of ${of} is gone, but heads were signed with it`)
  })
  const newest = async (of: KeyOwner): Promise<string> => printVkey(newestOf((await rings.ring(of)).plan))
  /** Statements have no size: every key signs that was not retired. */
  const statementSize = Number.MAX_SAFE_INTEGER

  const sign = async (ledger: LedgerName, { size, root, proof }: SignRequest): Promise<SignAnswer> => {
    const last = guard.last(ledger)
    const verdict = mayAdvance(last, { size, root }, proof)
    if (verdict.kind === 'stale') return { kind: 'stale', size: verdict.last.size, root: verdict.last.root }
    if (verdict.kind === 'refused') return { kind: 'refused', reason: verdict.reason, last }
    const signers = await rings.signersFor(ledger, size)
    // A crash before this line leaves nothing; after it, a head without signature, which asking again signs: the database has committed
    // it and will offer it or a longer one. If this fails, nothing is signed.
    if (verdict.kind === 'advance') await guard.store(ledger, { size, root })
    const note = await sealNote(printCheckpoint({ origin: origin(ledger), size, root }), signers)
    // Only now is nothing signed with them any more. A failure leaves them where they are; the head is signed all the same.
    if (verdict.kind === 'advance') await rings.sweep(ledger, size).catch(() => undefined)
    return { kind: 'signed', note }
  }

  /** What a key signs, signed by it alone: a KMS that has another key, or none, must not be found out afterwards. */
  const prove = async (of: KeyOwner, key: SigningKey): Promise<unknown> => {
    const last = of === 'statement' ? undefined : guard.last(of)
    if (of === 'statement') return signStatement('text/plain', new Uint8Array(0), [toStatementKey(key)])
    if (last === undefined) throw new Error(`nothing of ${of} is signed yet`)
    return sealNote(printCheckpoint({ origin: origin(of), ...last }), [key])
  }

  const adopt = async (ledger: LedgerName, note: string, proof: ProofFrom): Promise<AdoptAnswer> => {
    const { plan } = await rings.ring(ledger)
    const next = await openCheckpoint(note, origin(ledger), plan).catch((error: unknown) => {
      if (error instanceof LogError) return undefined
      throw error
    })
    if (next === undefined) return { kind: 'refused', reason: 'unsigned' }
    const last = guard.last(ledger)
    const verdict = mayAdvance(last, next, proof)
    switch (verdict.kind) {
      case 'advance':
        // A crash before this line leaves the older head, after it the adopted one: both were signed.
        await guard.store(ledger, { size: next.size, root: next.root })
        return { kind: 'adopted', size: next.size }
      case 'repeat':
        return { kind: 'known', size: next.size }
      case 'stale':
        return { kind: 'stale', size: verdict.last.size }
      case 'refused':
        return verdict.reason === 'rollback' ? { kind: 'known', size: last?.size ?? 0 } : verdict
    }
  }

  const signedSize = (of: KeyOwner, at: number): number => (of === 'statement' ? at : (guard.last(of)?.size ?? -1))
  const tell = (step: PlanStep): RotationAnswer =>
    step.kind === 'refused' ? step : { kind: step.kind, keys: step.plan.map(printTrustedKey) }

  return {
    sign(ledger, request) {
      // Copied: the caller's buffers must not change between decision and effect.
      const hashes = request.proof.hashes.map((hash) => Uint8Array.from(hash))
      const held = {
        size: request.size,
        root: Uint8Array.from(request.root),
        proof: { from: request.proof.from, hashes },
      }
      return inTurn(ledger, () => sign(ledger, held))
    },
    last: async (ledger) => guard.last(ledger),
    vkey: (ledger) => newest(ledger),
    guardId: async () => guard.id,
    adopt: (ledger, note, proof) => inTurn(ledger, () => adopt(ledger, note, proof)),
    async signStatement(payloadType, payload) {
      const signers = await rings.signersFor('statement', statementSize)
      return signStatement(payloadType, payload, signers.map(toStatementKey))
    },
    statementVkey: () => newest('statement'),
    keys: async (of) => (await rings.ring(of)).plan.map(printTrustedKey),
    rotate: (of, { at, ...request }) =>
      inTurn(of, async () =>
        signedSize(of, at) < 0
          ? { kind: 'refused', reason: `nothing of ${of} is signed yet` }
          : tell(await rings.rotate(of, request, signedSize(of, at), (key) => prove(of, key))),
      ),
    retire: (of, { at, ...request }) =>
      inTurn(of, async () => {
        const answer = tell(await rings.retire(of, request, signedSize(of, at)))
        if (of === 'statement') await rings.sweep(of, statementSize).catch(() => undefined)
        return answer
      }),
  }
}
