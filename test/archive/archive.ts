import { silentLogger } from '../../src/telemetry/logger.ts'
import type { Database } from '../../src/database/database.ts'
import { type Book, openBook } from '../../src/ledger/book.ts'
import { type LedgerReader, createReader } from '../../src/ledger/read.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import { createWatch } from '../../src/ledger/watch.ts'
import { join } from 'node:path'
import { createGuard } from '../../src/signing/guard.ts'
import { createKeys } from '../../src/signing/keys.ts'
import { createSigner } from '../../src/signing/signer.ts'
import { createColdSource } from '../../src/archive/cold.ts'
import type { ArchivedLedger } from '../../src/archive/read-again.ts'
import type { DayWriter } from '../../src/archive/write-day.ts'
import type { Objects } from '../../src/objects/objects.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { createMemorySigner } from '../support/ledger.ts'

export interface ArchiveNode {
  reader: LedgerReader
  signer: Awaited<ReturnType<typeof createMemorySigner>>
  books: Map<LedgerName, Book>
  writer(ledger: LedgerName): DayWriter & Pick<ArchivedLedger, 'onRewritten'>
  /** Files of days that were gone and are there again. */
  rewritten: string[]
  /** A run of a repository in the ledger: one record for each of `files`, and one that names a run only. */
  record(ledger: LedgerName, run: string, repository: string, files: number, artifact?: string): Promise<void>
  close(): Promise<void>
}

/** A signer over files, for processes that are killed. Close it before another process opens it. */
export async function createFolderSigner(folder: string): Promise<ArchiveNode['signer'] & { close(): void }> {
  const origin = (ledger: LedgerName): string => `localhost/${ledger}`
  const guard = await createGuard(join(folder, 'guard'))
  const keys = createKeys({ folder: join(folder, 'keys'), originOf: origin, statementName: 'localhost/main/statement' })
  return { ...createSigner({ keys, guard, origin }), close: () => guard.close() }
}

export interface ArchiveNodeOptions {
  db: Database
  objects: Objects
  ledgers?: readonly LedgerName[]
  signer?: ArchiveNode['signer']
}

/** What a service has of a few ledgers and their archive. */
export async function openArchiveNode({ db, objects, ledgers = ['main/unit'], signer: given }: ArchiveNodeOptions): Promise<ArchiveNode> {
  const signer = given ?? (await createMemorySigner())
  const watch = createWatch(db)
  const reader = createReader(db, watch, createColdSource(db, objects))
  const books = new Map<LedgerName, Book>()
  for (const ledger of ledgers) books.set(ledger, await openBook({ ledger, db, signer, reader, watch, node: 'a', log: silentLogger }))
  const bookOf = (ledger: LedgerName): Book => {
    const book = books.get(ledger)
    if (book === undefined) throw new Error(`${ledger} is not open`)
    return book
  }
  const rewritten: string[] = []
  return {
    reader,
    signer,
    books,
    rewritten,
    writer: (ledger) => ({ db, reader, tree: bookOf(ledger).tree, objects, signer, ledger, origin: `localhost/${ledger}`, lock: () => ({}), onRewritten: (day, files) => void rewritten.push(...files.map((file) => `${day} ${file}`)) }),
    async record(ledger, run, repository, files, artifact = 'a'.repeat(64)) {
      const { appender, link, publisher } = bookOf(ledger)
      const bytes = (fields: object): Uint8Array => Buffer.from(JSON.stringify(fields))
      const coverage = Array.from({ length: files }, (_, i) =>
        bytes({ schema: 'proofline.coverage.v1', kind: 'coverage', ledger, run, repository, path: `src/${i}.ts`, artifact_sha256: artifact, ranges: { covered: `1-${i + 9}` } }),
      )
      const declared = bytes({ schema: 'proofline.run.v1', kind: 'run', ledger, run, repository })
      const refused = bytes({ schema: 'proofline.rejection.v1', kind: 'rejection', ledger, run, reason: 'report_empty' })
      const parts = []
      for (let at = 0; at < files; at += 1_000)
        parts.push(packSegment('coverage', coverage.slice(at, at + 1_000), await link(repository, 'default', 'lcov.info', at / 1_000)))
      const submissions = [
        { key: `run:${run}`, segments: [packSegment('run', [declared])] },
        ...(files === 0 ? [] : [{ key: `part:${run}/x`, segments: parts }]),
        { key: `reject:${run}`, segments: [packSegment('rejection', [refused])] },
      ]
      const group = submissions.map((one) => ({ ...one, digest: Buffer.alloc(32), conflict: 'internal' as const }))
      // A clock that was set looks like one that stepped: refused once, then read again.
      const answers = await appender.submit(group).catch(() => appender.submit(group))
      await publisher.covering((answers.at(-1)?.lastSeq ?? 0) + 1)
    },
    async close() {
      for (const book of books.values()) await book.close()
    },
  }
} // oxfmt-ignore
