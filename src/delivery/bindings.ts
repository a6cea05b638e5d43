import type { Queryable } from '../database/database.ts'
import type { Micros } from '../record/record.ts'
import type { Lane } from './lane.ts'
import { withoutTrailing } from '../record/trailing.ts'

/** Which SIEM a lane sends to: every statement on bindings. Rows are only inserted; the newest one holds. */

export interface Binding {
  address: string
  /** What the cluster calls itself; undefined where it does not tell. */
  cluster: string | undefined
}

/** Host and path: http or https, and a slash at the end, make no other SIEM. */
export function addressOf(url: string): string {
  const { host, pathname } = new URL(url)
  return `${host}${withoutTrailing(pathname, '/')}`
}

export async function currentBinding(db: Queryable, lane: Lane): Promise<Binding | undefined> {
  const { rows } = await db.query<{ address: string; cluster: string | null }>({
    name: 'latest_binding',
    text: 'select address, cluster from bindings where ledger = $1 and destination = $2 order by n desc limit 1',
    values: [lane.ledger, lane.destination],
  })
  return rows[0] === undefined ? undefined : { address: rows[0].address, cluster: rows[0].cluster ?? undefined }
}

/**
 * Pure. `unnamed`: it was bound when the cluster did not tell its name, and now it does. One that does not tell its name now, because it is
 * away or the credential may not ask, is known by its address alone.
 */
export function judgeBinding(bound: Binding | undefined, here: Binding): 'same' | 'unbound' | 'unnamed' | 'elsewhere' {
  if (bound === undefined) return 'unbound'
  if (bound.address !== here.address) return 'elsewhere'
  if (here.cluster === undefined || here.cluster === bound.cluster) return 'same'
  return bound.cluster === undefined ? 'unnamed' : 'elsewhere'
}

/** Who stands at the address of the settings. One that the lane is not bound to is not even asked. */
export async function readHere(
  address: string,
  bound: Binding | undefined,
  askCluster: () => Promise<string | undefined>,
): Promise<Binding> {
  const isOther = bound !== undefined && bound.address !== address
  return { address, cluster: isOther ? undefined : await askCluster() }
}

export interface BindingRow extends Binding {
  reason: string
  byWhom: string
  at: Micros
}

/**
 * The first binding of a lane that is `unbound`, the name of a cluster for one that is `unnamed`, another SIEM for one that is `bound`. False
 * when there was nothing to write, or somebody was faster.
 */
export async function insertBinding(
  db: Queryable,
  lane: Lane,
  row: BindingRow,
  of: 'unbound' | 'unnamed' | 'bound',
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'insert_binding',
    text: `insert into bindings (ledger, destination, n, address, reason, by_whom, at, cluster)
           select $1, $2, coalesce(b.n, 0) + 1, $3, $4, $5, $6, $8 from (select 1) as one left join lateral (
             select n, address, cluster from bindings where ledger = $1 and destination = $2 order by n desc limit 1) as b on true
           where case $7::text when 'unbound' then b.n is null when 'unnamed' then b.address = $3 and b.cluster is null
             else b.n is not null and (b.address <> $3 or b.cluster is distinct from $8::text) end
           on conflict do nothing`,
    values: [lane.ledger, lane.destination, row.address, row.reason, row.byWhom, row.at, of, row.cluster ?? null],
  })
  return rowCount === 1
}

/**
 * Of the lane's ledger: whether it goes on from a generation that was closed with a loss and that this destination had been following, and
 * whether it is closed itself.
 */
export async function generationOfLane(db: Queryable, lane: Lane): Promise<{ goesOn: boolean; isClosed: boolean }> {
  const { rows } = await db.query<{ goesOn: boolean; isClosed: boolean }>({
    name: 'generation_of_lane',
    text: `select exists (select from closed_ledgers as c join bindings as b on b.ledger = c.ledger and b.destination = $2 and b.at < c.at
                          where c.next = $1) as "goesOn",
                  exists (select from closed_ledgers where ledger = $1) as "isClosed"`,
    values: [lane.ledger, lane.destination],
  })
  return rows[0] ?? { goesOn: false, isClosed: false }
}

/** What a lane says while another SIEM stands where it would send to than the one it began with. */
export function describeMove(name: string, bound: Binding, here: Binding): string {
  const [where, same] =
    bound.address === here.address
      ? [`began with cluster ${bound.cluster}, and cluster ${here.cluster} answers at ${here.address}`, 'with the same records'] // oxfmt-ignore
      : [`began at ${bound.address}, and the configuration names ${here.address}`, 'under another address']
  return (
    `it ${where}: if that is the same SIEM ${same}, ` +
    `say proofline destinations moved ${name} --reason TEXT; another SIEM needs a name of its own`
  )
}
