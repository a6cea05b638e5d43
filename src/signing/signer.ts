import { printCheckpoint } from '../log/checkpoint.ts'
import { sealNote } from '../log/note.ts'
import { signStatement } from '../log/statement.ts'
import type { StatementKey } from '../log/statement.ts'
import { printVkey } from '../log/vkey.ts'
import type { SigningKey } from '../log/vkey.ts'
import type { LedgerName } from '../record/record.ts'
import { mayAdvance } from './guard.ts'
import type { Guard, Head, ProofFrom, RefusalReason } from './guard.ts'
import type { Keys } from './keys.ts'

export interface SignRequest extends Head {
  /** From the size that the signer signed last, as far as the caller knows. `{ from: 0, hashes: [] }` for a new ledger. */
  proof: ProofFrom
}

export type SignAnswer =
  /** The checkpoint. The same size and root again give the same bytes. */
  | { kind: 'signed'; note: string }
  /** Ask again with a proof from `size`; first compare `root` with your own root at that size. */
  | { kind: 'stale'; size: number; root: Uint8Array }
  | { kind: 'refused'; reason: RefusalReason; last: Head | undefined }

/**
 * Signs checkpoints, never two that contradict each other, with a key per ledger that signs nothing else; and statements, with the org's
 * statement key. Serial per ledger, concurrent between ledgers. Local or over a socket (`connectSigner`), which rejects with Problem `unavailable` when it cannot be reached; every call is safe to repeat.
 */
export interface Signer {
  sign(ledger: LedgerName, request: SignRequest): Promise<SignAnswer>
  /** The last head that was made fit to be signed. */
  last(ledger: LedgerName): Promise<Head | undefined>
  /** Verifier key of the ledger as text; makes the key when the ledger is new. */
  vkey(ledger: LedgerName): Promise<string>
  guardId(): Promise<string>
  /** A DSSE envelope, for `openStatement`. The same payload gives the same bytes while the key is the same; at most 8 MiB. */
  signStatement(payloadType: string, payload: Uint8Array): Promise<string>
  /** Verifier key of the statement key as text; makes the key when there is none. */
  statementVkey(): Promise<string>
}

export interface SignerDeps {
  keys: Keys
  guard: Guard
  /** `<public host>/<org>/<ledger>`; the same function that the keys were made with. */
  origin: (ledger: LedgerName) => string
}

export function createSigner({ keys, guard, origin }: SignerDeps): Signer {
  const loaded = new Map<LedgerName, Promise<SigningKey>>()
  const turns = new Map<LedgerName, Promise<unknown>>()

  let statements: Promise<StatementKey> | undefined

  const statementKey = (): Promise<StatementKey> => {
    const key = (statements ??= keys.statement())
    key.catch(() => (statements = undefined)) // tried again at the next call
    return key
  }

  const loadKey = async (ledger: LedgerName): Promise<SigningKey> => {
    const key = await keys.find(ledger)
    if (key !== undefined) return key
    // A new key under an old origin would look like a forgery to everybody who holds the old one.
    if (guard.last(ledger) !== undefined) throw new Error(`the key of ${ledger} is gone, but heads were signed with it`)
    return keys.make(ledger)
  }

  const keyOf = (ledger: LedgerName): Promise<SigningKey> => {
    const key = loaded.get(ledger) ?? loadKey(ledger)
    loaded.set(ledger, key)
    key.catch(() => loaded.delete(ledger)) // tried again at the next call
    return key
  }

  const sign = async (ledger: LedgerName, { size, root, proof }: SignRequest): Promise<SignAnswer> => {
    const last = guard.last(ledger)
    const verdict = mayAdvance(last, { size, root }, proof)
    if (verdict.kind === 'stale') return { kind: 'stale', size: verdict.last.size, root: verdict.last.root }
    if (verdict.kind === 'refused') return { kind: 'refused', reason: verdict.reason, last }
    const key = await keyOf(ledger)
    // A crash before this line leaves nothing; after it, a head without signature, which asking again signs: the database has committed
    // it and will offer it or a longer one. If this fails, nothing is signed.
    if (verdict.kind === 'advance') await guard.store(ledger, { size, root })
    return { kind: 'signed', note: await sealNote(printCheckpoint({ origin: origin(ledger), size, root }), [key]) }
  }

  return {
    sign(ledger, request) {
      // Copied: the caller's buffers must not change between decision and effect.
      const hashes = request.proof.hashes.map((hash) => Uint8Array.from(hash))
      const held = {
        size: request.size,
        root: Uint8Array.from(request.root),
        proof: { from: request.proof.from, hashes },
      }
      const turn = (turns.get(ledger) ?? Promise.resolve()).then(() => sign(ledger, held))
      turns.set(
        ledger,
        turn.catch(() => undefined),
      )
      return turn
    },
    last: async (ledger) => guard.last(ledger),
    vkey: async (ledger) => printVkey(await keyOf(ledger)),
    guardId: async () => guard.id,
    signStatement: async (payloadType, payload) => signStatement(payloadType, payload, [await statementKey()]),
    statementVkey: async () => printVkey(await statementKey()),
  }
}
