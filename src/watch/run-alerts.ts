import { hash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Queryable } from '../database/database.ts'
import type { Book } from '../ledger/book.ts'
import { packSegment } from '../ledger/segments.ts'
import { printTime } from '../record/record.ts'
import { printPayload } from '../record/run.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type AlertCode, alertCodes } from './alert-codes.ts'
import { insertAlert, openAlerts } from './alert-store.ts'
import { type Alert, type Finding, stepAlerts } from './alerts.ts'

/** Looks every window, opens and closes alerts, puts each on record and tells a webhook. */

export interface AlertsDeps {
  db: Queryable
  operations: Book
  /** Everything that is wrong now, and what could not be looked at. */
  look: () => Promise<{ findings: Finding[]; unknown: ReadonlySet<AlertCode> }>
  /** Tells whoever is on duty; rejects when it could not. */
  tell?: (event: AlertEvent) => Promise<void>
  now: () => Date
  log: Logger
}

export interface AlertEvent {
  alert: string
  n: number
  code: AlertCode
  subject: string
  state: Alert['state']
  severity: string
  owner: string
  playbook: string
  detail: string
  by: string
  at: string
}

/** For one process at a time, until the signal aborts. */
export async function runAlerts(deps: AlertsDeps, windowMs: number, signal: AbortSignal): Promise<void> {
  let seen: ReadonlyMap<string, number> = new Map()
  while (!signal.aborted) {
    const { findings, unknown } = await deps.look()
    const open = new Map((await openAlerts(deps.db, deps.operations.ledger)).map((row) => [row.alert, row]))
    const { state, steps } = stepAlerts({ open, seen }, findings, unknown)
    seen = state.seen
    for (const { alert, to, finding } of steps) await takeStep(deps, alert, to, finding, 'proofline')
    await sleep(windowMs, undefined, { signal }).catch(() => undefined)
  }
}

/**
 * One thing that happens to an alert: row, record, webhook, in this order. A crash after the row leaves an alert that stands and is not on
 * record; the next start of the service does not repeat it, and the row is what is asked. Undefined when it had happened already.
 */
export async function takeStep(
  deps: Omit<AlertsDeps, 'look'>,
  alert: string,
  state: Alert['state'],
  { code, subject, detail }: Finding,
  by: string,
): Promise<AlertEvent | undefined> {
  const { db, operations, now, log } = deps
  const at = now().getTime() * 1000
  const row = { alert, code, subject, state, detail: detail.slice(0, 512), by, at }
  const n = await insertAlert(db, operations.ledger, row)
  if (n === undefined) return undefined
  const { severity, owner } = alertCodes[code]
  const event: AlertEvent = { ...row, n, severity, owner, playbook: `docs/playbooks/${code}.md`, at: printTime(at) }
  const level = state === 'opened' ? 'error' : 'info'
  log[level](`alert.${state}`, { alert, severity, detail: row.detail })
  const key = `alert:${alert}/${n}`
  const payload = printPayload('alert', operations.ledger, { ...event, at: undefined, noticed_at: event.at })
  await operations.appender
    .submit([
      {
        key,
        digest: hash('sha256', key, 'buffer'),
        firstWins: true,
        conflict: 'internal',
        segments: [packSegment('alert', [payload])],
      },
    ]) // oxfmt-ignore
    .catch((error: unknown) => log.error('alert.unrecorded', { alert, error: String(error) })) // recording may be what is wrong
  await deps.tell?.(event).catch((error: unknown) => log.error('alert.untold', { alert, error: String(error) }))
  return event
}
