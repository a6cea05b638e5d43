import pg from 'pg'
import { Problem } from '../record/problem.ts'

/**
 * What broke between us and PostgreSQL. `outcome` is what matters to a caller: `none` - the database has certainly not stored anything;
 * `unknown` - it may have, so the same key is sent again, never a new one (SCALE.md section 2: 13 of some 100,000 retried rows were
 * already there).
 */
export class DatabaseFailure extends Problem {
  readonly reason: FailureReason
  readonly outcome: 'none' | 'unknown'

  constructor(reason: FailureReason, outcome: 'none' | 'unknown', detail: string, cause?: unknown) {
    super('unavailable', detail, { cause })
    this.reason = reason
    this.outcome = outcome
  }
}

/** `not_replicated`: the row is on the primary only although synchronous replication was asked for - a false acknowledgement. */
export type FailureReason = 'unreachable' | 'lost' | 'timeout' | 'not_replicated' | 'unsafe'

/** The five characters of the SQLSTATE, also of the error behind a wrapped one. */
export function sqlState(error: unknown): string | undefined {
  if (error instanceof pg.DatabaseError) return error.code
  if (error instanceof Error && error.cause !== undefined) return sqlState(error.cause)
  return undefined
}

/** 57P0x: the server is going away or not there yet; 25006: it is a standby; 08: the connection itself; 53300: no slot is free. */
const serverGone = new Set(['57P01', '57P02', '57P03', '57P05', '25P03', '25006', '53300'])
const rolledBack = new Set(['40001', '40P01'])
const noConnection = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
])

/** Connecting failed in a way that waiting may cure. Wrong passwords, unknown databases and roles, and TLS errors are not. */
export function isWorthReconnecting(error: unknown): boolean {
  if (error instanceof DatabaseFailure) return error.reason === 'lost' || error.reason === 'timeout'
  const state = sqlState(error)
  if (state !== undefined) return serverGone.has(state) || state.startsWith('08')
  return isConnectionLoss(error)
}

/** The socket broke, before or after the server heard us. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof pg.DatabaseError) return false
  if ('code' in error && typeof error.code === 'string') return noConnection.has(error.code)
  // The driver has no codes for these (pg 8.23).
  return /^(Connection terminated|Client has encountered a connection error|Client was closed|timeout e|Connection ended)/.test(
    error.message,
  )
}

/** The server ended this connection, or it leads to a server that takes no writes: it must not go back to the pool. */
export function isConnectionSpent(error: unknown): boolean {
  if (error instanceof DatabaseFailure) return true
  const state = sqlState(error)
  return isConnectionLoss(error) || (state !== undefined && (serverGone.has(state) || state.startsWith('08')))
}

/** May work that its caller marked repeatable run again? Not after a time-out: what hung for seconds will hang again. */
export function isWorthRepeating(error: unknown): boolean {
  if (error instanceof DatabaseFailure) return error.reason === 'lost'
  const state = sqlState(error)
  return state !== undefined && (rolledBack.has(state) || serverGone.has(state))
}

interface Notice {
  code?: string | undefined
  message?: string | undefined
  routine?: string | undefined
}

/**
 * A cancelled wait for the standby lets COMMIT come back clean with only this warning; the row is local. The routine's name is compared
 * as well because the text is translated by lc_messages.
 */
export function isFalseAck(notice: Notice): boolean {
  if (notice.code !== '01000' && notice.code !== '57P01') return false
  return notice.routine === 'SyncRepWaitForLSN' || /wait for synchronous replication/.test(notice.message ?? '')
}
