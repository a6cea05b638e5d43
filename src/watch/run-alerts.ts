import { hash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Queryable } from '../database/database.ts'
import type { Book } from '../ledger/book.ts'
import { packSegment } from '../ledger/segments.ts'
import { printTime } from '../record/record.ts'
import { printPayload } from '../record/run.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type AlertCode, alertCodes, isEvent } from './alert-codes.ts'
import { alertKey, type AlertRow, insertAlert, lastOpened, openAlerts, unrecordedAlerts } from './alert-store.ts'
import { type Alert, type AlertState, type Finding, stepAlerts } from './alerts.ts'

/** Looks every window, opens and closes alerts, puts each on record and tells a webhook. */

export interface AlertsDeps {
  db: Queryable
  operations: Book
  /** Everything that is wrong now. */
  look: () => Promise<Finding[]>
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
  severity: (typeof alertCodes)[AlertCode]['severity']
  owner: string
  playbook: string
  detail: string
  by: string
  at: string
}

const eventCodes = (Object.keys(alertCodes) as AlertCode[]).filter(isEvent)

/** For one process at a time, until the signal aborts. */
export async function runAlerts(deps: AlertsDeps, windowMs: number, signal: AbortSignal): Promise<void> {
  let seen: AlertState['seen'] = new Map()
  let catchingUp: Promise<void> | undefined
  let isStart = true
  while (!signal.aborted) {
    // Not waited for: what has to be told may be that nothing is recorded.
    catchingUp ??= catchUp(deps, isStart, signal).finally(() => (catchingUp = undefined))
    isStart = false
    const findings = await deps.look()
    const open = new Map((await openAlerts(deps.db, deps.operations.ledger)).map((row) => [row.alert, row]))
    const toldTo = await lastOpened(deps.db, deps.operations.ledger, eventCodes)
    const { state, steps } = stepAlerts({ open, seen, toldTo }, findings)
    seen = state.seen
    for (const { alert, to, finding } of steps) await takeStep(deps, alert, to, finding, 'proofline')
    await sleep(windowMs, undefined, { signal }).catch(() => undefined)
  }
}

const recordedAtOnce = 100

/**
 * Puts on record what was stored and is not: by a crash between the two, or because the ledger was stopped. The key makes it the same record
 * when somebody else does so too. At a start it is told as well: whoever stored it may have died before. Never rejects.
 */
async function catchUp(
  deps: Pick<AlertsDeps, 'db' | 'operations' | 'log' | 'tell'>,
  isStart: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { db, operations } = deps
  if (operations.publisher.stopped() !== undefined) return
  try {
    for (;;) {
      const rows = await unrecordedAlerts(db, operations.ledger, recordedAtOnce)
      const events = rows.map(toEvent)
      if (isStart) for (const event of events) tellOf(deps, event)
      const done = await Promise.all(events.map((event) => putOnRecord(deps, event)))
      if (signal.aborted || rows.length < recordedAtOnce || done.includes(false)) return
    }
  } catch (error) {
    deps.log.error('alert.unrecorded', { error: String(error) }) // the next window tries again
  }
}

/**
 * One thing that happens to an alert: its row, and from there on by themselves the record and the webhook. Neither is waited for: that
 * nothing is signed, or that a webhook hangs, may be what has to be told. Undefined when it had happened already.
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
  const event = toEvent({ ...row, n })
  log[state === 'opened' ? 'error' : 'info'](`alert.${state}`, { alert, severity: event.severity, detail: row.detail })
  tellOf(deps, event)
  void putOnRecord(deps, event)
  return event
}

function tellOf({ tell, log }: Pick<AlertsDeps, 'tell' | 'log'>, event: AlertEvent): void {
  tell?.(event).catch((error: unknown) => log.error('alert.untold', { alert: event.alert, error: String(error) }))
}

/** As it is told. */
export function toEvent({ at, ...row }: Omit<AlertRow, 'at'> & { at: number }): AlertEvent {
  const { severity, owner } = alertCodes[row.code]
  const { alert, n, code, subject, state, detail, by } = row
  return { alert, n, code, subject, state, severity, owner, playbook: `docs/playbooks/${code}.md`, detail, by, at: printTime(at) } // oxfmt-ignore
}

/** False when it could not be recorded now; the next window finds it again. */
async function putOnRecord(
  { operations, log }: Pick<AlertsDeps, 'operations' | 'log'>,
  { at, ...event }: AlertEvent,
): Promise<boolean> {
  const key = alertKey(event.alert, event.n)
  const payload = printPayload('alert', operations.ledger, { ...event, noticed_at: at })
  const digest = hash('sha256', key, 'buffer')
  const segments = [packSegment('alert', [payload])]
  try {
    await operations.appender.submit([{ key, digest, firstWins: true, conflict: 'internal', segments }])
    return true
  } catch (error) {
    log.error('alert.unrecorded', { alert: event.alert, error: String(error) })
    return false
  }
}
