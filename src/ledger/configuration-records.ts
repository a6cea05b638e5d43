import { hash } from 'node:crypto'
import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import { printPayload } from '../record/run.ts'
import type { Book } from './book.ts'
import { packSegment } from './segments.ts'

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
