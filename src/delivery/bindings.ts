import type { Queryable } from '../database/database.ts'
import type { Micros } from '../record/record.ts'
import type { Lane } from './lane.ts'

/** Which SIEM a lane sends to: every statement on bindings. Rows are only inserted; the newest one holds. */

/** Host and path: http or https, and a slash at the end, make no other SIEM. */
export function addressOf(url: string): string {
  const { host, pathname } = new URL(url)
  return `${host}${pathname.replace(/\/+$/, '')}`
}

export async function currentBinding(db: Queryable, lane: Lane): Promise<string | undefined> {
  const { rows } = await db.query<{ address: string }>({
    name: 'latest_binding',
    text: 'select address from bindings where ledger = $1 and destination = $2 order by n desc limit 1',
    values: [lane.ledger, lane.destination],
  })
  return rows[0]?.address
}

export interface BindingRow {
  address: string
  reason: string
  byWhom: string
  at: Micros
}

/** The first binding of a lane that is `unbound`, or another one for one that is `bound`. False when there was nothing to write. */
export async function insertBinding(
  db: Queryable,
  lane: Lane,
  row: BindingRow,
  of: 'unbound' | 'bound',
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'insert_binding',
    text: `insert into bindings (ledger, destination, n, address, reason, by_whom, at)
           select $1, $2, coalesce(b.n, 0) + 1, $3, $4, $5, $6 from (select 1) as one left join lateral (
             select n, address from bindings where ledger = $1 and destination = $2 order by n desc limit 1) as b on true
           where case when $7 then b.address <> $3 else b.n is null end
           on conflict do nothing`,
    values: [lane.ledger, lane.destination, row.address, row.reason, row.byWhom, row.at, of === 'bound'],
  })
  return rowCount === 1
}

/** What a lane says while the configuration names another SIEM than the one it began with. */
export function describeMove(name: string, bound: string, configured: string): string {
  return (
    `it began at ${bound}, and the configuration names ${configured}: if that is the same SIEM under another address, ` +
    `say proofline destinations moved ${name} --reason TEXT; another SIEM needs a name of its own`
  )
}
