import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'

/** Every statement on nodes: what is alive and what it runs. Derived: `configuration` records are the evidence. */

export interface NodeRow {
  node: string
  host: string
  version: string
  /** Digest of the settings that have to be the same everywhere. */
  configuration: string
}

/** By the database's clock, which all nodes share. */
export async function touchNode(db: Queryable, operations: LedgerName, row: NodeRow): Promise<void> {
  await db.query({
    name: 'touch_node',
    text: `insert into nodes (ledger, node, host, version, configuration, seen_at) values ($1, $2, $3, $4, $5, clock_micros())
           on conflict (ledger, node) do update set seen_at = excluded.seen_at`,
    values: [operations, row.node, row.host, row.version, row.configuration],
  })
}

export async function forgetNode(db: Queryable, operations: LedgerName, node: string): Promise<void> {
  await db.query({
    name: 'forget_node',
    text: 'delete from nodes where ledger = $1 and (node = $2 or seen_at < clock_micros() - 86400000000)',
    values: [operations, node],
  })
}

/** Those that were seen within `micros`. */
export async function liveNodes(db: Queryable, operations: LedgerName, micros: Micros): Promise<NodeRow[]> {
  const { rows } = await db.query<NodeRow>({
    name: 'live_nodes',
    text: `select node, host, version, configuration from nodes where ledger = $1 and seen_at >= clock_micros() - $2::bigint order by node`,
    values: [operations, micros],
  })
  return rows
}
