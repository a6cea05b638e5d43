import pg from 'pg'
import type { QueryResultRow } from 'pg'
import type { Result, Statement } from './database.ts'
import { DatabaseFailure, isConnectionLoss, isFalseAck, sqlState } from './failure.ts'

export interface ConnectionSettings {
  /**
   * postgresql://user:password@host:5432/database; a Unix socket as postgresql://user@/database?host=/run/postgresql, with the folder
   * percent-encoded as the host, or as socket:/run/postgresql?db=database.
   */
  url: string
  /** Role that every statement runs as; `none` keeps the one that logged in. Default proofline_runtime. */
  role?: string
  /** Default proofline, proofline_derived. */
  searchPath?: readonly string[]
  /** Time to connect and to be answered. Default 2,000. */
  connectTimeoutMs?: number
  applicationName?: string
}

export const defaultConnectTimeoutMs = 2_000

/** Options of the driver. Role and search path travel in the startup packet, so that RESET cannot undo them. */
export function clientConfig(settings: ConnectionSettings): pg.ClientConfig {
  const role = settings.role ?? 'proofline_runtime'
  const path = settings.searchPath ?? ['proofline', 'proofline_derived']
  for (const name of [role, ...path]) {
    if (!/^[a-z_][a-z0-9_]{0,62}$/.test(name)) throw new Error(`"${name}" is no plain name of a role or schema`)
  }
  return {
    connectionString: withOptions(settings.url, `-c role=${role} -c search_path=${path.join(',')}`),
    application_name: settings.applicationName ?? 'proofline',
    connectionTimeoutMillis: settings.connectTimeoutMs ?? defaultConnectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: { getTypeParser },
  }
}

/** The driver lets the URL win over its own configuration, so our options must be joined to those the URL may have. */
function withOptions(url: string, options: string): string {
  const [base = '', query = ''] = splitOnce(url, '?')
  const parameters = new URLSearchParams(query)
  parameters.set('options', [parameters.get('options') ?? '', options].join(' ').trim())
  return `${base}?${parameters.toString().replaceAll('+', '%20')}`
}

function splitOnce(text: string, mark: string): string[] {
  const at = text.indexOf(mark)
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

/** Where a client connects to, for messages; never with the password. */
export function describeAddress(config: pg.ClientConfig): string {
  const { host, port, database } = new pg.Client(config)
  return host.startsWith('/') ? `${host}, database ${database}` : `${host}:${port}, database ${database}`
}

function safeInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is beyond the safe integers`)
  return value
}

const asText = (text: string): string => text

/** int8 as number; times and dates as text: a Date loses the microseconds, and reads a date in the zone of this machine. */
const parsers = new Map<number, (text: string) => unknown>([
  [20, safeInteger],
  [
    1016,
    (text) =>
      text === '{}'
        ? []
        : text
            .slice(1, -1)
            .split(',')
            .map((item) => (item === 'NULL' ? null : safeInteger(item))),
  ],
  [1082, asText],
  [1114, asText],
  [1184, asText],
])

// The driver's own signature is overloaded by every type it knows; binary results are never asked for here.
const getTypeParser: typeof pg.types.getTypeParser = (oid: number, format?: 'text' | 'binary') =>
  parsers.get(oid) ?? pg.types.getTypeParser(oid, format as 'text')

export interface Answer<R> extends Result<R> {
  /** INSERT, COMMIT, ROLLBACK and so on. */
  command: string
}

/**
 * Runs one statement, alone on its client. On a time-out nothing is cancelled - a cancel during the wait for a standby makes a false
 * acknowledgement - the caller must destroy the client, which closes the socket because a statement is under way.
 * @throws DatabaseFailure (lost, timeout, not_replicated; outcome unknown), or the database's own error
 */
export async function runOn<R extends QueryResultRow>(
  client: pg.ClientBase,
  statement: Statement,
  timeoutMs: number,
): Promise<Answer<R>> {
  let falseAck: string | undefined
  const onNotice = (notice: pg.DatabaseError | { message?: string | undefined }): void => {
    if (isFalseAck(notice)) falseAck = notice.message ?? 'canceled'
  }
  const { promise: timedOut, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    reject(new DatabaseFailure('timeout', 'unknown', `The database did not answer within ${timeoutMs} ms`))
  }, timeoutMs)
  client.on('notice', onNotice)
  try {
    const query = client.query<R>({
      text: statement.text,
      ...(statement.name === undefined ? {} : { name: statement.name }),
      ...(statement.values === undefined ? {} : { values: [...statement.values] }),
    })
    const { rows, rowCount, command } = await Promise.race([query, timedOut])
    if (falseAck !== undefined)
      throw new DatabaseFailure('not_replicated', 'unknown', `The commit was not replicated: ${falseAck}`)
    return { rows, rowCount: rowCount ?? 0, command }
  } catch (error) {
    throw isConnectionLoss(error) || isShutdown(error)
      ? new DatabaseFailure('lost', 'unknown', 'The connection to the database was lost', error)
      : error
  } finally {
    clearTimeout(timer)
    client.removeListener('notice', onNotice)
  }
}

/** Sent instead of an answer; with 57P01 the statement may be committed all the same. 57P03 is only sent to who connects. */
function isShutdown(error: unknown): boolean {
  const state = sqlState(error)
  return state === '57P01' || state === '57P02' || state === '57P05' || state?.startsWith('08') === true
}

/** Acknowledging needs a WAL flush, here and on the standbys; PostgreSQL 15 cannot take the right to switch it off from a role. */
export async function assertDurable(client: pg.ClientBase, timeoutMs: number): Promise<void> {
  const text = `select current_setting('synchronous_commit') as setting`
  const { rows } = await runOn<{ setting: string }>(client, { text }, timeoutMs)
  const setting = rows[0]?.setting
  if (setting !== 'on' && setting !== 'remote_apply') {
    const detail = `synchronous_commit is ${setting} for this role: an answer would not mean that anything is stored. Set it to on.`
    throw new DatabaseFailure('unsafe', 'none', detail)
  }
}
