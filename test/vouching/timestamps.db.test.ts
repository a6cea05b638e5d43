import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newestCheckpoint } from '../../src/ledger/store.ts'
import { checkpointAt } from '../../src/ledger/checkpoint-store.ts'
import { timestampsFrom } from '../../src/ledger/timestamp-store.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { openAsker } from '../../src/vouching/ask.ts'
import { type Authority, judgeTimestamp, runTimestamps } from '../../src/vouching/run-timestamps.ts'
import { vouchingOf } from '../../src/vouching/vouching-store.ts'
import { verifyTimestamp } from '../../src/verify/timestamp.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, aSubmission, createMemorySigner, openNode } from '../support/ledger.ts'
import { type Tsa, opensslRefuses, startTsa } from '../support/tsa.ts'

const ledger = 'main/unit'
let database: TestDatabase
let node: TestNode
let tsa: Tsa
const ends: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  database = await createTestDatabase()
  await database.db.query({ text: `select ensure_partitions(date_trunc('month', now())::date, 3)` })
  node = await openNode(database.db, await createMemorySigner())
  tsa = await startTsa({ key: 'ec' })
})
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
  await tsa.close()
  await node.book.close()
  await database.drop()
})

const record = async (name: string): Promise<void> =>
  void (await node.book.appender.submit([aSubmission(`run:${name}`)]))

async function follow(everyMs = 30, more: readonly Authority[] = []): Promise<void> {
  const asker = await openAsker(new URL(tsa.url).origin, { timeout_ms: 2_000, allow_metadata_addresses: false })
  const authorities = [{ url: tsa.url, asker, readCa: () => readFile(tsa.caFile, 'utf8') }, ...more]
  const ending = new AbortController()
  const running = runTimestamps({ db: database.db, authorities, ledgers: [ledger], everyMs, now: () => new Date(), log: silentLogger }, ending.signal) // oxfmt-ignore
  ends.push(async () => {
    ending.abort()
    await running
    await asker.close()
  })
}

async function eventually<T>(look: () => Promise<T>, isThere: (found: T) => boolean): Promise<T> {
  for (let i = 0; i < 400; i++) {
    const found = await look()
    if (isThere(found)) return found
    await sleep(25)
  }
  throw new Error(`it did not come: ${JSON.stringify(await look())}`)
}
const stored = () => timestampsFrom(database.db, ledger, 0, 100)
const failure = async (): Promise<string> => (await vouchingOf(database.db, [ledger], 'authority'))[0]?.detail ?? ''

describe('time-stamps', () => {
  it('over each newest checkpoint are stored, and openssl accepts them over the note as it is signed', async () => {
    await follow()
    for (const size of [1, 2, 3]) {
      await record(`${size}`)
      await eventually(stored, (rows) => rows.some((row) => row.size === size))
    }
    for (const { size, token, time, authority } of await stored()) {
      const note = Buffer.from((await checkpointAt(database.db, ledger, size))?.note ?? '')
      expect(await opensslRefuses(token, note, tsa.caFile)).toBeUndefined()
      const found = await verifyTimestamp(token, note, tsa.ca)
      expect([authority, time]).toEqual([tsa.url, found.timeMs * 1000])
      expect(await opensslRefuses(token, Buffer.from(`${note.toString()}x`), tsa.caFile)).toContain('mismatch')
    }
    expect(await failure()).toBe('')
  })

  it('are asked for once per turn, and not for a log that stands still', async () => {
    let asked = 0
    tsa.answerBy(async (_, response, query) => {
      asked++
      response.writeHead(200).end(await tsa.reply(query))
    })
    await record('1')
    await follow()
    await eventually(stored, (rows) => rows.length === 1)
    await sleep(300)
    expect([asked, (await stored()).length]).toEqual([1, 1])
  })

  it('that are wrong are not stored: other bytes, a replay, another authority, no reply at all', async () => {
    await record('0')
    const note = Buffer.from((await newestCheckpoint(database.db, ledger))?.note ?? '')
    const stranger = await startTsa({ key: 'ec' })
    ends.push(() => stranger.close())
    let first: Buffer | undefined
    const ways: [RegExp, Parameters<Tsa['answerBy']>[0]][] = [
      [/about other bytes/, async (_, response, query) => {
        const at = query.indexOf(Buffer.from([0x04, 0x20])) // the imprint
        const other = Buffer.from(query)
        other.fill(1, at + 2, at + 34)
        response.writeHead(200).end(await tsa.reply(other))
      }],
      [/another request: its nonce/, async (_, response, query) => {
        const other = Buffer.from(query)
        const at = query.indexOf(Buffer.from([0x02, 0x10])) // the nonce
        other.fill(0x41, at + 2, at + 18)
        response.writeHead(200).end((first ??= await tsa.reply(other)))
      }],
      [/Validation of signer/, async (_, response, query) => void response.writeHead(200).end(await stranger.reply(query))],
      [/HTTP 500/, async (_, response) => void response.writeHead(500).end()],
      [/malformed/, async (_, response) => void response.writeHead(200).end('<html></html>')],
      [/malformed/, async (_, response) => void response.writeHead(200).end()],
    ] // oxfmt-ignore
    tsa.answerBy(ways[0]?.[1])
    await follow()
    for (const [detail, way] of ways) {
      tsa.answerBy(way)
      await eventually(failure, (found) => detail.test(found))
    }
    expect(await stored()).toEqual([])
    tsa.answerBy(undefined)
    const [row] = await eventually(stored, (rows) => rows.length === 1)
    expect(await opensslRefuses(row?.token ?? Buffer.alloc(0), note, tsa.caFile)).toBeUndefined()
    await eventually(failure, (found) => found === '')
  })

  it('go on when the file of the trusted root was away for a while', async () => {
    await writeFile(`${tsa.caFile}.saved`, tsa.ca)
    await writeFile(tsa.caFile, 'nothing')
    await record('1')
    await follow()
    await eventually(failure, (found) => found.includes('no certificate to trust'))
    await writeFile(tsa.caFile, tsa.ca)
    await eventually(stored, (rows) => rows.length === 1)
  })

  it('of one authority go on whatever is wrong with another, and that is told', async () => {
    const broken: Authority = {
      url: 'https://broken.example/tsr',
      asker: { ask: async () => Promise.reject(new RangeError('what nobody foresaw')), close: async () => undefined },
      readCa: async () => tsa.ca,
    }
    await follow(30, [broken])
    for (const size of [1, 2]) {
      await record(`${size}`)
      await eventually(stored, (rows) => rows.some((row) => row.size === size))
    }
    const rows = await vouchingOf(database.db, [ledger], 'authority')
    expect(rows.find(({ name }) => name === broken.url)).toMatchObject({ detail: 'what nobody foresaw', failingSince: expect.any(Number) as number }) // oxfmt-ignore
    expect(rows.find(({ name }) => name === tsa.url)).toMatchObject({ detail: '', failingSince: null })
  })
})

describe('judgeTimestamp', () => {
  const now = new Date('2026-11-30T12:00:00Z')
  const found = (offS: number, nonce: string | undefined = 'aa') => ({ timeMs: now.getTime() + offS * 1000, serial: '01', policy: '1.2.3', nonce, signer: 'x' }) // oxfmt-ignore
  it('takes the nonce that was sent, and a time within five minutes', () => {
    for (const off of [-300, 0, 300]) expect(judgeTimestamp(found(off), 'aa', now)).toBeUndefined()
    expect(judgeTimestamp(found(-301), 'aa', now)).toContain('-301 s from ours')
    expect(judgeTimestamp(found(301), 'aa', now)).toContain('301 s from ours')
    expect(judgeTimestamp(found(0, 'ab'), 'aa', now)).toContain('nonce')
    expect(judgeTimestamp({ ...found(0), nonce: undefined }, 'aa', now)).toContain('nonce')
  })
})
