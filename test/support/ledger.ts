import { toStatementKey } from '../../src/log/statement.ts'
import { createSigningKey } from '../../src/log/vkey.ts'
import type { Database } from '../../src/database/database.ts'
import { type Book, openBook } from '../../src/ledger/book.ts'
import type { Submission } from '../../src/ledger/decide.ts'
import { type LedgerReader, createReader } from '../../src/ledger/read.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import { createWatch } from '../../src/ledger/watch.ts'
import type { LedgerName } from '../../src/record/record.ts'
import type { Guard, Head } from '../../src/signing/guard.ts'
import { type Signer, createSigner } from '../../src/signing/signer.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'

/** The real signer with its guard in memory. Shared by the "nodes" of a test. */
export async function createMemorySigner(): Promise<Signer> {
  const heads = new Map<LedgerName, Head>()
  const origin = (ledger: LedgerName): string => `localhost/${ledger}`
  const key = (ledger: LedgerName) => createSigningKey(origin(ledger), 1, new Uint8Array(32).fill(7))
  const guard: Guard = {
    id: '0'.repeat(32),
    last: (ledger) => heads.get(ledger),
    store: async (ledger, head) => void heads.set(ledger, head),
    close() {},
  }
  const statement = async () =>
    toStatementKey(await createSigningKey('localhost/main/statement', 1, new Uint8Array(32).fill(8)))
  return createSigner({ keys: { find: key, make: key, statement }, guard, origin })
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
