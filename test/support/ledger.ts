import { type SigningKey, createSigningKey, printVkey } from '../../src/log/vkey.ts'
import type { Database } from '../../src/database/database.ts'
import { type Book, openBook } from '../../src/ledger/book.ts'
import type { Submission } from '../../src/ledger/decide.ts'
import { type LedgerReader, createReader } from '../../src/ledger/read.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import { createWatch } from '../../src/ledger/watch.ts'
import type { LedgerName } from '../../src/record/record.ts'
import type { Guard, Head } from '../../src/signing/guard.ts'
import type { KeyOwner, KeyPlan } from '../../src/signing/key-plan.ts'
import type { Keys } from '../../src/signing/keys.ts'
import { type Signer, createSigner } from '../../src/signing/signer.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'

/** What a signer knows: a copy of it is a signer that goes on from there, beside a copy of the database. */
export interface SignerMemory {
  heads: Map<LedgerName, Head>
  plans: Map<KeyOwner, KeyPlan>
}

export const createSignerMemory = (from?: SignerMemory): SignerMemory => ({
  heads: new Map(from?.heads),
  plans: new Map(from?.plans),
})

/** The real signer with its guard and keys in memory. Shared by the "nodes" of a test. */
export async function createMemorySigner({ heads, plans } = createSignerMemory()): Promise<Signer> {
  const origin = (ledger: LedgerName): string => `localhost/${ledger}`
  const guard: Guard = {
    id: '0'.repeat(32),
    last: (ledger) => heads.get(ledger),
    store: async (ledger, head) => void heads.set(ledger, head),
    close() {},
  }
  return createSigner({ keys: createMemoryKeys(origin, plans), guard, origin })
}

/** Keys whose seeds are known: 7, 8, ... */
function createMemoryKeys(origin: (ledger: LedgerName) => string, plans: SignerMemory['plans']): Keys {
  const make = (of: KeyOwner, n: number): Promise<SigningKey> =>
    createSigningKey(of === 'statement' ? 'localhost/main/statement' : origin(of), 1, new Uint8Array(32).fill(7 + n))
  const open = async (of: KeyOwner) => {
    const plan = plans.get(of)
    if (plan === undefined) return undefined
    const keys = await Promise.all(plan.map((_, n) => make(of, n)))
    return { plan, signing: new Map(keys.map((key) => [printVkey(key), key])) }
  }
  const change = async (of: KeyOwner, plan: KeyPlan) => {
    const keys = await Promise.all(plan.map((_, n) => make(of, n)))
    plans.set(of, plan)
    return { plan, signing: new Map(keys.map((key) => [printVkey(key), key])) }
  }
  return {
    open,
    change,
    make: async (of) => change(of, [await make(of, 0)]),
    prepare: (of) => make(of, plans.get(of)?.length ?? 0),
    async forget() {},
  }
}

export interface TestNode {
  book: Book
  reader: LedgerReader
}

/** One node over a database: what a service has of one ledger. */
export async function openNode(
  db: Database,
  signer: Signer,
  node = 'a',
  ledger: LedgerName = 'main/unit',
): Promise<TestNode> {
  const watch = createWatch(db)
  const reader = createReader(db, watch)
  return { reader, book: await openBook({ ledger, db, signer, reader, watch, node, log: silentLogger }) }
}

/** A submission of `count` small records whose digest is that of its text. */
export function aSubmission(key: string, text = key, count = 1, ledger: LedgerName = 'main/unit'): Submission {
  const payloads = Array.from({ length: count }, (_, i) =>
    Buffer.from(JSON.stringify({ schema: 'proofline.run.v1', kind: 'run', ledger, text, i })),
  )
  const digest = Buffer.alloc(32)
  digest.write(text)
  return { key, digest, conflict: 'run_conflict', segments: [packSegment('run', payloads)] }
}
