import type { Queryable } from '../database/database.ts'
import type { LedgerName, Micros } from '../record/record.ts'
import type { AlertCode } from './alert-codes.ts'
import type { Alert } from './alerts.ts'

/** Every statement on alerts. Rows are only inserted; the newest of an alert says how it stands. */

export interface AlertRow extends Alert {
  alert: string
  n: number
  by: string
}

const newest = `select distinct on (alert) alert, n, code, subject, state, detail, by_whom as by, at from alerts where ledger = $1
                order by alert, n desc`

/** Opened or acknowledged. */
export async function openAlerts(db: Queryable, operations: LedgerName): Promise<AlertRow[]> {
  const { rows } = await db.query<AlertRow>({
    name: 'open_alerts',
    text: `select * from (${newest}) as a where state <> 'closed' order by at, alert`,
    values: [operations],
  })
  return rows
}

/** When each alert with one of these codes was opened last. */
export async function lastOpened(
  db: Queryable,
  operations: LedgerName,
  codes: readonly AlertCode[],
): Promise<Map<string, Micros>> {
  const { rows } = await db.query<{ alert: string; at: Micros }>({
    name: 'last_opened_alerts',
    text: `select alert, max(at) as at from alerts where ledger = $1 and code = any($2::text[]) and state = 'opened' group by alert`,
    values: [operations, codes],
  })
  return new Map(rows.map(({ alert, at }) => [alert, at]))
}

export const alertKey = (alert: string, n: number): string => `alert:${alert}/${n}`

/**
 * What happened to alerts and is not on record, whatever came later: the record is submitted after the row, so a crash between the two, or
 * a ledger that was stopped, leaves it out. Oldest first.
 */
export async function unrecordedAlerts(db: Queryable, operations: LedgerName, limit: number): Promise<AlertRow[]> {
  const { rows } = await db.query<AlertRow>({
    name: 'unrecorded_alerts',
    text: `select alert, n, code, subject, state, detail, by_whom as by, at from alerts as a where ledger = $1 and not exists (
             select from submissions s where s.ledger = $1 and s.key = 'alert:' || a.alert || '/' || a.n)
           order by at, alert, n limit $2`,
    values: [operations, limit],
  })
  return rows
}

/** Newest first. */
export async function listAlerts(
  db: Queryable,
  operations: LedgerName,
  all: boolean,
  limit: number,
): Promise<AlertRow[]> {
  const { rows } = await db.query<AlertRow>({
    name: 'list_alerts',
    text: `select * from (${newest}) as a where $2 or state <> 'closed' order by at desc, alert limit $3`,
    values: [operations, all, limit],
  })
  return rows
}

/**
 * The next row of an alert; its number, or undefined when the newest row says so already or is of another kind than the step follows: what
 * is closed can only be opened, what is opened acknowledged or closed.
 */
export async function insertAlert(
  db: Queryable,
  operations: LedgerName,
  row: {
    alert: string
    code: AlertCode
    subject: string
    state: Alert['state']
    detail: string
    by: string
    at: Micros
  },
): Promise<number | undefined> {
  const { rows } = await db.query<{ n: number }>({
    name: 'insert_alert',
    text: `insert into alerts (ledger, alert, n, code, subject, state, detail, by_whom, at)
           select $1, $2, coalesce(newest.n, 0) + 1, $3, $4, $5, $6, $7, $8
           from (select 1) as one left join lateral (
             select n, state from alerts where ledger = $1 and alert = $2 order by n desc limit 1) as newest on true
           where case $5::text when 'opened' then coalesce(newest.state, 'closed') = 'closed'
                               when 'acknowledged' then newest.state = 'opened'
                               else newest.state <> 'closed' end
           on conflict do nothing returning n`,
    values: [operations, row.alert, row.code, row.subject, row.state, row.detail, row.by, row.at],
  })
  return rows[0]?.n
}
