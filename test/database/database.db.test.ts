import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase } from '../../src/database/database.ts'
import type { Database } from '../../src/database/database.ts'
import { sqlState } from '../../src/database/failure.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { startSystemPostgres, systemPostgres } from '../support/postgres.ts'

let test: TestDatabase
let db: Database

beforeAll(async () => {
  test = await createTestDatabase()
  db = test.db
  await test.owner.query({ text: 'create table public.notes (id bigint primary key, text text)' })
  await test.owner.query({ text: 'grant all on public.notes to proofline_runtime' })
})
afterAll(() => test.drop())

async function pidOf(database: { query: Database['query'] }): Promise<number> {
  return (await database.query<{ pid: number }>({ text: 'select pg_backend_pid() as pid' })).rows[0]!.pid
}
const kill = (pid: number) => test.owner.query({ text: 'select pg_terminate_backend($1)', values: [pid] })

describe('createDatabase', () => {
  it('runs as proofline_runtime with our schemas in the path, and RESET does not change that', async () => {
    const session = await db.session()
    await session.query({ text: 'reset all' })
    await session.query({ text: 'reset role' })
    const { rows } = await session.query({
      text: `select current_user as role, current_setting('search_path') as path`,
    })
    expect(rows).toEqual([{ role: 'proofline_runtime', path: 'proofline,proofline_derived' }])
    await session.release()
  })

  it('reads int8 as number, times and dates as text, bytes as Buffer', async () => {
    const text = `select 9007199254740991::bigint as big, array[1, null]::bigint[] as list, '{}'::bigint[] as none,
      timestamptz '2026-11-23 05:00:00.123456+00' as at, date '2026-11-01' as day, '\\x00ff'::bytea as bytes, '{"a":1}'::jsonb as json`
    const session = await db.session()
    await session.query({ text: `set timezone = 'UTC'` })
    const { rows } = await session.query({ text })
    expect(rows[0]).toEqual({
      big: Number.MAX_SAFE_INTEGER,
      list: [1, null],
      none: [],
      at: '2026-11-23 05:00:00.123456+00',
      day: '2026-11-01',
      bytes: Buffer.from([0, 255]),
      json: { a: 1 },
    })
    await session.release()
  })

  it('throws on an int8 beyond the safe integers, and the connection lives on', async () => {
    await expect(db.query({ text: 'select 9007199254740992::bigint as big' })).rejects.toThrow(
      'beyond the safe integers',
    )
    expect((await db.query({ text: 'select 1 as one' })).rows).toEqual([{ one: 1 }])
  })

  it('rolls a transaction back when its work throws', async () => {
    await expect(
      db.transaction(async (tx) => {
        await tx.query({ text: `insert into public.notes values (1, 'x')` })
        throw new Error('changed my mind')
      }),
    ).rejects.toThrow('changed my mind')
    expect((await db.query({ text: 'select from public.notes where id = 1' })).rowCount).toBe(0)
  })

  it('fails a transaction whose statement failed although its work swallowed the error', async () => {
    const work = db.transaction(async (tx) => {
      await tx.query({ text: 'select 1/0' }).catch(() => {})
    })
    await expect(work).rejects.toThrow('Nothing was committed')
  })

  it('runs the statements of a transaction one after the other, also when not awaited singly', async () => {
    const numbers = await db.transaction((tx) =>
      Promise.all([1, 2, 3].map((n) => tx.query<{ n: number }>({ text: 'select $1::int as n', values: [n] }))),
    )
    expect(numbers.map(({ rows }) => rows[0]?.n)).toEqual([1, 2, 3])
  })

  it('destroys the socket after the time-out and says that the outcome is unknown', async () => {
    const slow = createDatabase({ url: test.url, queryTimeoutMs: 200, maxConnections: 1 })
    const before = await pidOf(slow)
    await expect(slow.query({ text: 'select pg_sleep(30)' })).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'timeout',
      outcome: 'unknown',
    })
    expect(await pidOf(slow)).not.toBe(before)
    await slow.query({ text: 'select pg_sleep(0.3)', timeoutMs: 2_000 })
    await kill(before)
    await slow.end()
  })

  it('tells apart what was certainly not committed', async () => {
    const slow = createDatabase({ url: test.url, queryTimeoutMs: 200 })
    const work = slow.transaction(async (tx) => {
      const pid = await pidOf(tx)
      await kill(pid)
      await tx.query({ text: 'select 1' })
    })
    await expect(work).rejects.toMatchObject({ reason: 'lost', outcome: 'none' })
    await slow.end()
  })

  it('repeats what is marked repeatable after its connection was terminated, and nothing else', async () => {
    let tries = 0
    const dying = (repeatable: boolean) =>
      db.transaction(
        async (tx) => {
          tries++
          if (tries === 1) await kill(await pidOf(tx))
          return (await tx.query<{ n: number }>({ text: 'select 7 as n' })).rows[0]?.n
        },
        { repeatable },
      )
    expect(await dying(true)).toBe(7)
    expect(tries).toBe(2)
    tries = 0
    await expect(dying(false)).rejects.toMatchObject({ reason: 'lost' })
    expect(tries).toBe(1)
  })

  it('survives that idle connections of the pool are terminated', async () => {
    const pid = await pidOf(db)
    await kill(pid)
    await sleep(50)
    expect(await pidOf(db)).not.toBe(pid)
  })

  it('repeats a deadlocked transaction', async () => {
    await db.query({ text: `insert into public.notes values (10, ''), (11, '')` })
    const touch = (first: number, second: number) =>
      db.transaction(
        async (tx) => {
          await tx.query({ text: 'update public.notes set text = text where id = $1', values: [first] })
          await sleep(100)
          await tx.query({ text: 'update public.notes set text = text where id = $1', values: [second] })
          return 'done'
        },
        { repeatable: true },
      )
    expect(await Promise.all([touch(10, 11), touch(11, 10)])).toEqual(['done', 'done'])
  })

  it('refuses to work where synchronous_commit is off', async () => {
    const name = (await db.query<{ name: string }>({ text: 'select current_database() as name' })).rows[0]!.name
    await test.owner.query({ text: `alter database ${name} set synchronous_commit = local` })
    const careless = createDatabase({ url: test.url })
    const refusal = { reason: 'unsafe', message: expect.stringContaining('synchronous_commit is local') }
    await expect(careless.query({ text: 'select 1' })).rejects.toMatchObject(refusal)
    await expect(careless.session()).rejects.toMatchObject(refusal)
    await careless.end()
    await test.owner.query({ text: `alter database ${name} reset synchronous_commit` })
  })

  it('gives up on an unreachable server after its time, with the address and without the password', async () => {
    const nowhere = createDatabase({ url: 'postgresql://u:secret@127.0.0.1:1/x', retryForMs: 300 })
    const error = await nowhere.query({ text: 'select 1' }).catch((cause: unknown) => cause)
    expect(error).toMatchObject({
      reason: 'unreachable',
      outcome: 'none',
      message: expect.stringContaining('127.0.0.1:1'),
    })
    expect(String(error)).not.toContain('secret')
    await nowhere.end()
  })

  it('gives up on a server that accepts and never answers', async () => {
    const server = createServer(() => {}).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    const silent = createDatabase({ url: `postgresql://u@127.0.0.1:${port}/x`, connectTimeoutMs: 200, retryForMs: 300 })
    await expect(silent.query({ text: 'select 1' })).rejects.toMatchObject({ reason: 'unreachable', outcome: 'none' })
    await silent.end()
    server.close()
  })

  it('does not try again when the role is missing', async () => {
    // If it did, it would go on for an hour.
    const roleless = createDatabase({ url: test.url, role: 'no_such_role', retryForMs: 3_600_000 })
    const error = await roleless.query({ text: 'select 1' }).catch((cause: unknown) => cause)
    expect(sqlState(error)).toBe('22023')
    await roleless.end()
  })
})

describe('session', () => {
  it('loses its lock when its connection is terminated, and says so', async () => {
    const session = await db.session()
    const lost = once(session.lost, 'abort')
    await kill(await pidOf(session))
    await lost
    await expect(session.query({ text: 'select 1' })).rejects.toMatchObject({ reason: 'lost' })
    await session.release()
  })

  it('keeps its lock far beyond the idle time-out, because it pings', async () => {
    const short = createDatabase({ url: test.url, sessionIdleTimeoutMs: 300 })
    const session = await short.session()
    await session.query({ text: 'select pg_advisory_lock(42)' })
    await sleep(1_200)
    expect(session.lost.aborted).toBe(false)
    expect((await db.query({ text: 'select pg_try_advisory_xact_lock(42) as free' })).rows).toEqual([{ free: false }])
    await session.release()
    expect(session.lost.aborted).toBe(false)
    await short.end()
  })

  it('is ended by end()', async () => {
    const own = createDatabase({ url: test.url })
    await own.session()
    await own.end()
  })
})

const bin = systemPostgres()
describe.runIf(bin !== undefined)('false acknowledgement', () => {
  it('takes a commit for failed whose wait for the standby was cancelled', async () => {
    const server = await startSystemPostgres(bin!)
    const admin = createDatabase({ url: server.url, role: 'none' })
    const writer = createDatabase({ url: server.url, role: 'none' })
    try {
      await admin.query({ text: 'create table public.t (id int)' })
      await admin.query({ text: `alter system set synchronous_standby_names = 'nobody'` })
      await admin.query({ text: 'select pg_reload_conf()' })
      await sleep(200)
      const cancelWaits = async () => {
        let cancelled = 0
        while (cancelled === 0) {
          await sleep(50)
          const text = `select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'`
          cancelled = (await admin.query({ text })).rowCount
        }
      }
      const statement = writer.query({ text: 'insert into public.t values (1)', repeatable: true })
      const [, outcome] = await Promise.all([cancelWaits(), statement.catch((error: unknown) => error)])
      expect(outcome).toMatchObject({ reason: 'not_replicated', outcome: 'unknown' })

      const commit = writer.transaction((tx) => tx.query({ text: 'insert into public.t values (2)' }), {
        repeatable: true,
      })
      const [, second] = await Promise.all([cancelWaits(), commit.catch((error: unknown) => error)])
      expect(second).toMatchObject({ reason: 'not_replicated', outcome: 'unknown' })
      expect((await admin.query({ text: 'select from public.t' })).rowCount).toBe(2) // there, here, and nowhere else
    } finally {
      await Promise.all([admin.end(), writer.end()])
      await server.stop()
    }
  })
})
