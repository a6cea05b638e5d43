import pg from 'pg'
import type { QueryResultRow } from 'pg'
import { assertDurable, runOn } from './connection.ts'
import type { Session, Statement } from './database.ts'
import { isConnectionSpent } from './failure.ts'

/**
 * Opens a connection of its own. The server ends it after `idleTimeoutMs` of silence and it is pinged three times as often, so a frozen
 * process loses its locks while one that only waits keeps them. A ping that stays without answer gives the session up before the server
 * could: the time-out of a statement plus one third of `idleTimeoutMs` must be less than `idleTimeoutMs`.
 */
export async function openSession(
  config: pg.ClientConfig,
  queryTimeoutMs: number,
  idleTimeoutMs: number,
): Promise<Session> {
  const client = new pg.Client(config)
  const gone = new AbortController()
  const lose = (why: string): void => {
    clearInterval(heartbeat)
    gone.abort(new Error(`The database session was lost: ${why}`))
  }
  let released = false
  let heartbeat: NodeJS.Timeout | undefined
  client.on('error', (error) => lose(error.message))
  client.on('end', () => {
    if (!released) lose('connection ended')
  })

  try {
    await client.connect()
    await assertDurable(client, queryTimeoutMs)
    const text = `select set_config('idle_session_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $1, false)`
    await runOn(client, { text, values: [`${idleTimeoutMs}ms`] }, queryTimeoutMs)
  } catch (error) {
    await close(client)
    throw error
  }

  let turn: Promise<unknown> = Promise.resolve()
  const query = <R extends QueryResultRow>(statement: Statement): ReturnType<typeof runOn<R>> => {
    const mine = turn.then(async () => {
      try {
        return await runOn<R>(client, statement, statement.timeoutMs ?? queryTimeoutMs)
      } catch (error) {
        if (isConnectionSpent(error)) {
          lose(error instanceof Error ? error.message : String(error))
          void close(client)
        }
        throw error
      }
    })
    turn = mine.catch(() => {})
    return mine
  }

  const pingMs = idleTimeoutMs / 3
  const pingTimeoutMs = Math.min(queryTimeoutMs, pingMs)
  let waiting = false
  heartbeat = setInterval(() => {
    // A ping that waits behind a long statement proves nothing more than that statement does.
    if (waiting) return
    waiting = true
    query({ name: 'ping_session', text: 'select 1', timeoutMs: pingTimeoutMs })
      .catch(() => {}) // told by `lost`
      .finally(() => {
        waiting = false
      })
  }, pingMs)

  return {
    query,
    lost: gone.signal,
    async release() {
      released = true
      clearInterval(heartbeat)
      await turn
      await close(client)
    },
  }
}

/** Ends politely when idle; destroys the socket while a statement is under way or the peer does not answer. */
async function close(client: pg.Client): Promise<void> {
  client.on('error', () => {})
  await Promise.race([client.end().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 1_000).unref())])
}
