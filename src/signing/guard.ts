import { randomBytes } from 'node:crypto'
import { mkdir, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { decodeHash, encodeBase64 } from '../log/base64.ts'
import { emptyRoot, equalHashes, hashBytes } from '../log/merkle.ts'
import { verifyConsistency } from '../log/merkle-proof.ts'
import { isLedgerName, ledgerStem, toLedgerName } from '../record/record.ts'
import type { LedgerName } from '../record/record.ts'
import { ReplaceError, ignoreAbsent, realFileEffects, replaceFile } from './durable-file.ts'
import type { FileEffects } from './durable-file.ts'
import { lockFolder } from './folder-lock.ts'

/**
 * The guard is the memory that makes a log append-only: the last size and root that were signed, per ledger, outside the database. A
 * head is written here, durably, before its signature leaves; so whatever the database is restored to, no two signed heads contradict
 * each other. A head that was written and never signed (a crash between) does no harm: it is the database's next head, and asking again
 * signs it.
 */

export interface Head {
  size: number
  /** 32 bytes. */
  root: Uint8Array
}

/** A consistency proof from the tree of `from` leaves; without hashes when `from` is 0. */
export interface ProofFrom {
  from: number
  hashes: readonly Uint8Array[]
}

export type RefusalReason =
  /** A size or root that no tree has. */
  | 'malformed'
  /** Smaller than what was signed: the database is older than the guard. */
  | 'rollback'
  /** The size that was signed, with another root. */
  | 'fork'
  /** Larger, but the proof does not lead from what was signed to it. */
  | 'inconsistent'

export type Verdict =
  | { kind: 'advance' }
  | { kind: 'repeat' }
  /** The proof starts elsewhere than at the last signed size: bring one from there. */
  | { kind: 'stale'; last: Head }
  | { kind: 'refused'; reason: RefusalReason }

/** Whether `next` may be signed after `last` (undefined: nothing was). Pure; the rules of a C2SP witness. */
export function mayAdvance(last: Head | undefined, next: Head, proof: ProofFrom): Verdict {
  if (!Number.isSafeInteger(next.size) || next.size < 0 || next.root.length !== hashBytes) return refused('malformed')
  if (next.size === 0 && !equalHashes(next.root, emptyRoot)) return refused('malformed')
  const before = last ?? { size: 0, root: emptyRoot }
  if (next.size < before.size) return refused('rollback')
  if (next.size === before.size) {
    if (!equalHashes(next.root, before.root)) return refused('fork')
    return { kind: last === undefined ? 'advance' : 'repeat' }
  }
  if (proof.from !== before.size) return { kind: 'stale', last: before }
  // Every tree extends the empty one; for that there is no proof, so there must be none.
  if (before.size === 0) return proof.hashes.length === 0 ? { kind: 'advance' } : refused('inconsistent')
  const claim = { from: before.size, to: next.size, fromRoot: before.root, toRoot: next.root, proof: proof.hashes }
  return verifyConsistency(claim) ? { kind: 'advance' } : refused('inconsistent')
}

const refused = (reason: RefusalReason): Verdict => ({ kind: 'refused', reason })

/** A head as it is kept; a witness keeps what it cosigned beside it. */
export interface KeptHead extends Head {
  note?: string
}

/** One folder, one process. `store` decides nothing: ask `mayAdvance` first. */
export interface GuardOf<Name extends string> {
  /** 32 hex digits, random, made once with the folder; the `key` records name it. */
  readonly id: string
  last(ledger: Name): KeptHead | undefined
  /**
   * Durable when it resolves; `last` is the new head from then on. One call at a time per ledger. When it rejects nothing may be signed;
   * where the disk may hold either head, every later call for this ledger rejects too, until the folder is opened anew.
   */
  store(ledger: Name, head: KeptHead): Promise<void>
  close(): void
}

/** The guard of our own ledgers. */
export type Guard = GuardOf<LedgerName>

/** What the heads are of: ledgers for a signer, origins for a witness. */
export interface GuardNames<Name extends string> {
  toName: (text: string) => Name | undefined
  /** Name of the file without `.head`: one of its own for each. */
  toFile: (name: Name) => string
}

const ledgerNames: GuardNames<LedgerName> = {
  toName: (text) => (isLedgerName(text) ? toLedgerName(text) : undefined),
  toFile: ledgerStem,
}

const identityFile = 'guard.json'
const identitySchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{32}$/),
  ledgers: z.array(z.string()),
})
const headSchema = z.strictObject({
  ledger: z.string(),
  size: z.int().nonnegative(),
  root: z.string(),
  note: z.string().optional(),
})

/**
 * Opens or makes a guard. Throws when another process has it, when a file is damaged, and when the state of a ledger that was signed
 * once is gone: a guard that forgot must not sign.
 */
export function createGuard(folder: string, effects: FileEffects = realFileEffects): Promise<Guard> {
  return createGuardOf(folder, ledgerNames, effects)
}

/** The same for other names. */
export async function createGuardOf<Name extends string>(
  folder: string,
  names: GuardNames<Name>,
  effects: FileEffects = realFileEffects,
): Promise<GuardOf<Name>> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const lock = lockFolder(folder)
  try {
    return await openGuard(folder, names, effects, () => lock.release())
  } catch (error) {
    lock.release()
    throw error
  }
}

async function openGuard<Name extends string>(
  folder: string,
  names: GuardNames<Name>,
  effects: FileEffects,
  release: () => void,
): Promise<GuardOf<Name>> {
  const heads = await readHeads(folder, names)
  const identity = await readIdentity(folder, names, heads)
  const known = new Set(identity.ledgers)
  const doubtful = new Set<Name>()
  const writeIdentity = (ledgers: Name[]): Promise<void> =>
    replaceFile(effects, join(folder, identityFile), `${JSON.stringify({ id: identity.id, ledgers })}\n`, 0o600)
  let writing: Promise<void> = Promise.resolve()
  /** Names the ledger among those whose state must never be absent again. After the state itself, so that a crash between loses nothing. */
  const remember = async (ledger: Name): Promise<void> => {
    const turn = writing.then(async () => {
      await writeIdentity([...known, ledger])
      known.add(ledger)
    })
    writing = turn.catch(() => undefined)
    await turn
  }
  if (identity.isNew) await writeIdentity([])
  for (const ledger of heads.keys()) if (!known.has(ledger)) await remember(ledger)

  return {
    id: identity.id,
    last: (ledger) => heads.get(ledger),
    async store(ledger, head) {
      if (doubtful.has(ledger)) throw new Error(`the guard of ${ledger} is in doubt since a failed write: start anew`)
      const kept = { size: head.size, root: encodeBase64(head.root), note: head.note }
      const text = `${JSON.stringify({ ledger, ...kept })}\n`
      try {
        await replaceFile(effects, join(folder, `${names.toFile(ledger)}.head`), text, 0o600)
        if (!known.has(ledger)) await remember(ledger)
      } catch (error) {
        if (!(error instanceof ReplaceError && error.isOldCertain)) doubtful.add(ledger)
        throw error
      }
      heads.set(ledger, keptHead(head.size, Uint8Array.from(head.root), head.note))
    },
    close: release,
  }
}

const keptHead = (size: number, root: Uint8Array, note: string | undefined): KeptHead =>
  note === undefined ? { size, root } : { size, root, note }

async function readHeads<Name extends string>(folder: string, names: GuardNames<Name>): Promise<Map<Name, KeptHead>> {
  const heads = new Map<Name, KeptHead>()
  for (const file of await readdir(folder)) {
    if (!file.endsWith('.head')) continue
    const parsed = headSchema.safeParse(parseJson(await readFile(join(folder, file), 'utf8')))
    const root = parsed.success ? decodeHash(parsed.data.root) : undefined
    const name = parsed.success ? names.toName(parsed.data.ledger) : undefined
    if (!parsed.success || root === undefined || name === undefined || `${names.toFile(name)}.head` !== file)
      throw new Error(`${join(folder, file)} is damaged; without it nothing can be signed safely`)
    heads.set(name, keptHead(parsed.data.size, root, parsed.data.note))
  }
  return heads
}

async function readIdentity<Name extends string>(
  folder: string,
  { toName }: GuardNames<Name>,
  heads: ReadonlyMap<Name, Head>,
): Promise<{ id: string; ledgers: Name[]; isNew: boolean }> {
  const path = join(folder, identityFile)
  const text = await readFile(path, 'utf8').catch(ignoreAbsent)
  if (text === undefined) {
    if (heads.size > 0) throw new Error(`${path} is gone, but heads were signed under it`)
    return { id: randomBytes(16).toString('hex'), ledgers: [], isNew: true }
  }
  const parsed = identitySchema.safeParse(parseJson(text))
  const ledgers = parsed.success ? parsed.data.ledgers.map(toName).filter((name) => name !== undefined) : []
  if (!parsed.success || ledgers.length < parsed.data.ledgers.length) throw new Error(`${path} is damaged`)
  const lost = ledgers.filter((ledger) => !heads.has(ledger))
  if (lost.length > 0) throw new Error(`${folder} has lost the last signed head of ${lost.join(', ')}`)
  return { id: parsed.data.id, ledgers, isNew: false }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
