import { hash } from 'node:crypto'
import type { Queryable } from '../database/database.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import { printPayload } from '../record/run.ts'
import type { Book } from './book.ts'
import type { LedgerReader } from './read.ts'
import { packSegment } from './segments.ts'
import { findSubmissions } from './store.ts'

/**
 * What a `key` record says: whose key it is (a ledger, or `<org>/statement`), its name, which of a ledger is the origin of its log, and the
 * guard of the signer that has it.
 */
export interface KeyFacts {
  of: LedgerName | `${string}/statement`
  origin: string
  vkey: string
  /** One key has one guard: the memory of what was signed last. */
  guard: string
}

/**
 * Compares a key with what is on record and throws Problem('signer_not_current') when the origin, the key or the guard is another
 * one: a second guard would not know what the first one signed. To be called before anything is recorded.
 */
export async function checkKeyRecord(
  db: Queryable,
  reader: LedgerReader,
  operations: LedgerName,
  facts: KeyFacts,
): Promise<void> {
  const found = (await findSubmissions(db, operations, [keyOf(facts.of)], []))[0]
  if (found === undefined) return
  const recorded = JSON.parse((await reader.payload(operations, found.firstSeq)).toString()) as Record<string, unknown>
  for (const name of ['origin', 'vkey', 'guard'] as const) {
    if (recorded[name] === facts[name]) continue
    throw new Problem(
      'signer_not_current',
      `${facts.of} was opened with ${name} ${String(recorded[name])}, this service has ${facts[name]}; ` +
        (name === 'origin'
          ? 'public_host cannot change'
          : 'bring back the data folder, or the signer, that holds the first one'),
    )
  }
}

/** Puts the key on record; the first one of a ledger stands. */
export async function recordKey(operations: Book, facts: KeyFacts): Promise<void> {
  const payload = printPayload('key', operations.ledger, {
    of: facts.of,
    origin: facts.origin,
    vkey: facts.vkey,
    guard: facts.guard,
  })
  const digest = hash('sha256', JSON.stringify(facts), 'buffer')
  await operations.appender.submit([
    {
      key: keyOf(facts.of),
      digest,
      firstWins: true,
      conflict: 'internal',
      segments: [packSegment('key', [payload])],
    },
  ])
}

const keyOf = (of: KeyFacts['of']): string => `key:${of}`

/**
 * Version and configuration digest of a node, at start; the same as at its last start is no further record. Whoever goes back to an earlier
 * configuration gets a record of that as well.
 */
export async function recordConfiguration(
  db: Queryable,
  operations: Book,
  node: string,
  version: string,
  configuration: unknown,
): Promise<void> {
  const configuration_digest = hash('sha256', JSON.stringify(configuration), 'hex')
  const same = `configuration:${node}/${version}/${configuration_digest}`
  const last = await newestConfiguration(db, operations.ledger, node)
  if (last?.key === same || last?.key.startsWith(`${same}/`) === true) return
  const payload = printPayload('configuration', operations.ledger, { node, version, configuration_digest })
  const digest = hash('sha256', payload, 'buffer')
  await operations.appender.submit([
    {
      // Two processes that start at once on one machine make one record of the same.
      key: last === undefined ? same : `${same}/after/${last.firstSeq}`,
      digest,
      firstWins: true,
      conflict: 'internal',
      segments: [packSegment('configuration', [payload])],
    },
  ])
}

async function newestConfiguration(
  db: Queryable,
  operations: LedgerName,
  node: string,
): Promise<{ key: string; firstSeq: number } | undefined> {
  const { rows } = await db.query<{ key: string; firstSeq: number }>({
    name: 'newest_configuration',
    text: `select key, first_seq as "firstSeq" from submissions
           where ledger = $1 and key > 'configuration:' || $2::text || '/' and key < 'configuration:' || $2::text || '0'
           order by first_seq desc limit 1`,
    values: [operations, node],
  })
  return rows[0]
}
