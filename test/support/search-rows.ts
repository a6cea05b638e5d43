import type { Database } from '../../src/database/database.ts'
import { createReader } from '../../src/ledger/read.ts'
import { createWatch } from '../../src/ledger/watch.ts'
import { Problem } from '../../src/record/problem.ts'
import { type LedgerName, isLedgerName } from '../../src/record/record.ts'
import { anySecret, searchSecrets } from './secrets.ts'

/** Every row that holds text, and every record of what was done and decided: what stands there stays for ever. */
export async function searchRows(owner: Database): Promise<void> {
  const { rows: tables } = await owner.query<{ name: string }>({
    text: `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where n.nspname in ('proofline', 'proofline_derived') and c.relkind in ('r', 'p') and not c.relispartition
             and c.relname not in ('segments', 'dictionaries', 'tile_roots', 'leaf_tiles', 'heads', 'barriers', 'service_secrets')`,
  })
  if (tables.length === 0) return
  const each = tables.map(
    ({ name }) => `select '${name}' as name, t::text as row from ${name} as t where t::text ~* $1`,
  )
  const { rows } = await owner.query<{ name: string; row: string }>({ text: each.join(' union all '), values: [anySecret()], timeoutMs: 60_000 }) // oxfmt-ignore
  for (const { name, row } of rows) searchSecrets(`a row of ${name}`, row)
  for (const ledger of await ledgersOf(owner)) await searchRecords(owner, ledger)
}

async function ledgersOf(owner: Database): Promise<LedgerName[]> {
  const { rows } = await owner.query<{ ledger: string }>({ text: `select distinct ledger from proofline.heads where ledger like '%/operations%' or ledger like '%/changes%'` }) // oxfmt-ignore
  return rows.map(({ ledger }) => ledger).filter(isLedgerName)
}

async function searchRecords(owner: Database, ledger: LedgerName): Promise<void> {
  const reader = createReader(owner, createWatch(owner))
  try {
    for (let at = 0; ;) {
      const { records, next } = await reader.readBatch(ledger, at)
      for (const { id, bytes } of records) searchSecrets(`the record ${id}`, Buffer.from(bytes).toString())
      if (next === at) return
      at = next
    }
  } catch (error) {
    // A test that altered or moved them: nobody can read them.
    if (!(error instanceof Problem)) throw error
  }
}
