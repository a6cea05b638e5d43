import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { QueryResultRow } from 'pg'
import { Problem } from '../record/problem.ts'
import type { Logger } from '../telemetry/logger.ts'
import { assertDurable, clientConfig, defaultConnectTimeoutMs, describeAddress, runOn } from './connection.ts'
import type { ConnectionSettings } from './connection.ts'
import { DatabaseFailure, isConnectionSpent, isWorthReconnecting, isWorthRepeating, sqlState } from './failure.ts'
import { openSession } from './session.ts'

/** A statement with its values. Named statements are prepared once per connection. */
export interface Statement {
  name?: string
  text: string
  values?: readonly unknown[]
  /** Instead of the database's queryTimeoutMs. */
  timeoutMs?: number
  /** Running it twice is the same as once, so it is repeated when the connection breaks. Only looked at outside of transactions. */
  repeatable?: boolean
}

export interface Result<R> {
  rows: R[]
  rowCount: number
}

/** What store functions take: the pool, one connection or a transaction; the caller owns the transaction. */
export interface Queryable {
  query<R extends QueryResultRow = QueryResultRow>(statement: Statement): Promise<Result<R>>
}

/** One connection of its own, for advisory locks. `lost` aborts when the connection is gone: the lock is then somebody else's. */
export interface Session extends Queryable {
  lost: AbortSignal
  release(): Promise<void>
}

export interface TransactionOptions {
  /** The whole of `work` may run again after 40001, 40P01, 25006, 57P01 or a lost connection, also when its commit may have come through. */
  repeatable?: boolean
}

/** Safe to use concurrently; statements of one transaction or session run one after the other. */
export interface Database extends Queryable {
  /** Runs `work` in one transaction; rolls back and rethrows on any error; a commit that warned of lost replication is an error. */
  transaction<T>(work: (tx: Queryable) => Promise<T>, options?: TransactionOptions): Promise<T>
  session(): Promise<Session>
  end(): Promise<void>
}

export interface DatabaseSettings extends ConnectionSettings {
  /** Default 10. Sessions are not counted. */
  maxConnections?: number
  /** After that the socket is destroyed and the outcome is unknown. Default 5,000. */
  queryTimeoutMs?: number
  /** For how long a connection is tried again, and repeatable work repeated. Default 5,000. */
  retryForMs?: number
  /** A session that is silent for so long loses its locks; it is pinged three times as often. Default 15,000. */
  sessionIdleTimeoutMs?: number
  log?: Logger
}

/**
 * A pool of connections to one PostgreSQL. Connects at the first use.
 * Nothing is repeated after it was sent, unless its caller marked it repeatable; only connecting is always tried again.
 */
export function createDatabase(settings: DatabaseSettings): Database {
  const queryTimeoutMs = settings.queryTimeoutMs ?? 5_000
  const connectTimeoutMs = settings.connectTimeoutMs ?? defaultConnectTimeoutMs
  const retryForMs = settings.retryForMs ?? 5_000
  const config = clientConfig(settings)
  const address = describeAddress(config)
  const sessions = new Set<Session>()
  const pool = new pg.Pool({
    ...config,
    max: settings.maxConnections ?? 10,
    idleTimeoutMillis: 30_000,
    onConnect: (client) => assertDurable(client, connectTimeoutMs),
  })
  pool.on('error', (error) => settings.log?.warn('connection.lost', { address, error: error.message }))

  const connecting = async <C>(connect: () => Promise<C>): Promise<C> => {
    try {
      return await repeating(retryForMs, isWorthReconnecting, connect)
    } catch (error) {
      if (error instanceof DatabaseFailure && error.reason === 'unsafe') throw error
      if (sqlState(error) === '42501' && config.user !== undefined) {
        const grant = `grant ${settings.role ?? 'proofline_runtime'} to "${config.user}"`
        throw new Problem(
          'request_invalid',
          `the user of ${address} may not take the role it works as: let an administrator ${grant}`,
          { cause: error },
        )
      }
      const why = error instanceof Error ? error.message || error.name : String(error)
      throw new DatabaseFailure('unreachable', 'none', `The database at ${address} cannot be reached: ${why}`, error)
    }
  }

  const withClient = async <T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
    const client = await connecting(() => pool.connect())
    // A checked-out client that breaks between two statements emits this; the next statement fails by itself.
    const onError = (): void => {}
    client.on('error', onError)
    try {
      const result = await work(client)
      client.removeListener('error', onError)
      client.release()
      return result
    } catch (error) {
      const spent = isConnectionSpent(error)
      if (!spent) client.removeListener('error', onError)
      client.release(spent)
      throw error
    }
  }

  return {
    query<R extends QueryResultRow>(statement: Statement) {
      const once = (): Promise<Result<R>> =>
        withClient((client) => runOn<R>(client, statement, statement.timeoutMs ?? queryTimeoutMs))
      return statement.repeatable === true ? repeating(retryForMs, isWorthRepeating, once) : once()
    },

    transaction(work, options) {
      const once = (): ReturnType<typeof work> => withClient((client) => inTransaction(client, work, queryTimeoutMs))
      return options?.repeatable === true ? repeating(retryForMs, isWorthRepeating, once) : once()
    },

    async session() {
      const session = await connecting(() =>
        openSession(config, queryTimeoutMs, settings.sessionIdleTimeoutMs ?? 15_000),
      )
      sessions.add(session)
      return {
        ...session,
        release() {
          sessions.delete(session)
          return session.release()
        },
      }
    },

    async end() {
      await Promise.all([...sessions].map((session) => session.release()))
      await pool.end()
    },
  }
}

async function inTransaction<T>(
  client: pg.ClientBase,
  work: (tx: Queryable) => Promise<T>,
  timeoutMs: number,
): Promise<T> {
  let open = true
  let turn: Promise<unknown> = Promise.resolve()
  const tx: Queryable = {
    query<R extends QueryResultRow>(statement: Statement) {
      if (!open) return Promise.reject(new Error('The transaction has ended'))
      const mine = turn.then(() => runOn<R>(client, statement, statement.timeoutMs ?? timeoutMs))
      turn = mine.catch(() => {})
      return mine
    },
  }
  let result: T
  try {
    await runOn(client, { text: 'begin' }, timeoutMs)
    result = await work(tx)
    open = false
    await turn
  } catch (error) {
    open = false
    await turn
    // Before COMMIT was sent the outcome is known, however the connection broke: the server rolls back.
    if (error instanceof DatabaseFailure) throw new DatabaseFailure(error.reason, 'none', error.message, error)
    await runOn(client, { text: 'rollback' }, timeoutMs).catch(() => {
      throw new DatabaseFailure('lost', 'none', 'The connection to the database was lost', error)
    })
    throw error
  }
  const { command } = await runOn(client, { text: 'commit' }, timeoutMs)
  // COMMIT of a failed transaction is no error to PostgreSQL, it only answers ROLLBACK.
  if (command !== 'COMMIT')
    throw new Error('Nothing was committed: the error of a statement of this transaction was swallowed')
  return result
}

async function repeating<T>(forMs: number, worth: (error: unknown) => boolean, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + forMs
  for (let delayMs = 50; ; delayMs = Math.min(delayMs * 2, 1_000)) {
    try {
      return await work()
    } catch (error) {
      const pauseMs = delayMs * (0.5 + Math.random())
      if (!worth(error) || performance.now() + pauseMs > deadline) throw error
      await sleep(pauseMs)
    }
  }
}
