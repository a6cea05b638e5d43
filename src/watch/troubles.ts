import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import type { Finding } from './alerts.ts'

/** Every statement on troubles: what a worker finds wrong, told to the process that looks for alerts, whichever that is. */

export interface Troubles {
  /** All that is wrong with this part now; costs nothing while it is what it was. Calls take effect one after the other. */
  keep(findings: readonly Finding[]): Promise<void>
}

/** For one run of the worker: the one before may have been another process's. `ledger`: operations of the org. */
export function createTroubles(db: Queryable, ledger: LedgerName, part: string): Troubles {
  let kept: string | undefined
  let turn: Promise<unknown> = Promise.resolve()
  const replace = async (findings: readonly Finding[]): Promise<void> => {
    const text = JSON.stringify(findings)
    if (text === kept) return
    await replaceTroubles(db, ledger, part, findings)
    kept = text
  }
  return {
    keep(findings) {
      const run = turn.then(() => replace(findings))
      turn = run.catch(() => undefined)
      return run
    },
  }
}

async function replaceTroubles(
  db: Queryable,
  ledger: LedgerName,
  part: string,
  findings: readonly Finding[],
): Promise<void> {
  const column = (of: (finding: Finding) => string): string[] => findings.map(of)
  await db.query({
    name: 'replace_troubles',
    text: `with gone as (delete from proofline_derived.troubles where ledger = $1 and part = $2 and subject <> all($3))
           insert into proofline_derived.troubles (ledger, part, subject, code, detail)
           select $1, $2, t.subject, t.code, t.detail from unnest($3::text[], $4::text[], $5::text[]) as t(subject, code, detail)
           on conflict (ledger, part, subject) do update set code = excluded.code, detail = excluded.detail`,
    values: [ledger, part, column((one) => one.subject), column((one) => one.code), column((one) => one.detail)],
    repeatable: true,
  })
}

export async function listTroubles(db: Queryable, ledger: LedgerName, part: string): Promise<Finding[]> {
  const { rows } = await db.query<Finding>({
    name: 'list_troubles',
    text: 'select subject, code, detail from proofline_derived.troubles where ledger = $1 and part = $2 order by subject',
    values: [ledger, part],
  })
  return rows
}
