import { mkdtemp, rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cosignaturesAt } from '../../src/ledger/cosignature-store.ts'
import { createWitnessed } from '../../src/ledger/witnessed.ts'
import { openCheckpoint } from '../../src/log/checkpoint.ts'
import { cosign, openNote, parseNote } from '../../src/log/note.ts'
import { parsePolicy } from '../../src/log/policy.ts'
import { type SigningKey, type VerifierKey, createSigningKey, parseVkey, printVkey } from '../../src/log/vkey.ts'
import type { Signer } from '../../src/signing/signer.ts'
import { type OpenWitness, openWitness } from '../../src/signing/open-witness.ts'
import { serveWitness } from '../../src/signing/serve-witness.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import { type Asker, openAsker } from '../../src/vouching/ask.ts'
import { runWitnesses, witnessName } from '../../src/vouching/run-witnesses.ts'
import { witnessStandings } from '../../src/vouching/standing.ts'
import { conflictsOf } from '../../src/vouching/vouching-store.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { listen } from '../support/http-fake.ts'
import { type TestNode, aSubmission, createMemorySigner, openNode } from '../support/ledger.ts'

const ledger = 'main/unit'
const origin = 'localhost/main/unit'
let folder: string
let database: TestDatabase
let signer: Signer
let node: TestNode
let logKey: VerifierKey
const ends: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'witnesses-'))
  database = await createTestDatabase()
  await database.db.query({ text: `select ensure_partitions(date_trunc('month', now())::date, 3)` })
  signer = await createMemorySigner()
  node = await openNode(database.db, signer)
  logKey = parseVkey(await signer.vkey(ledger))
})
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
  await node.book.close()
  await database.drop()
  await rm(folder, { recursive: true })
})

const record = async (name: string, of: TestNode = node, count = 1): Promise<void> =>
  void (await of.book.appender.submit([aSubmission(`run:${name}`, name, count)]))

/** A witness of ours, listening. */
async function startWitness(name: string): Promise<OpenWitness & { url: string }> {
  const logs = new Map([[origin, [logKey]]])
  const witness = await openWitness({ folder: join(folder, name), name: `witness.example/${name}`, logs, now: () => new Date() }) // oxfmt-ignore
  const ending = new AbortController()
  const server = await serveWitness(witness, { host: '127.0.0.1', port: 0, origins: [origin], onError: () => undefined }, ending.signal) // oxfmt-ignore
  ends.push(async () => {
    ending.abort()
    await server.closed
    witness.close()
  })
  return { ...witness, url: server.url }
}

async function asker(url: string, timeoutMs = 2_000): Promise<Asker> {
  const opened = await openAsker(url, { timeout_ms: timeoutMs, allow_metadata_addresses: false })
  ends.push(() => opened.close())
  return opened
}

/** The follower as the service runs it, ended with the test. */
function follow(witnesses: readonly { key: VerifierKey; asker: Asker }[], more: { refreshMs?: number; of?: TestNode; db?: TestDatabase } = {}) {
  const { refreshMs = 3_600_000, of = node, db = database } = more
  const ending = new AbortController()
  const ledgers = [{ ledger, logKeys: async () => [logKey], consistency: of.book.tree.consistency }] as const
  const running = runWitnesses({ db: db.db, witnesses, ledgers, everyMs: 20, refreshMs, now: () => new Date(), log: silentLogger }, ending.signal) // oxfmt-ignore
  const end = async (): Promise<void> => {
    ending.abort()
    await running
  }
  ends.push(end)
  return end
} // oxfmt-ignore

async function eventually<T>(look: () => Promise<T>, isThere: (found: T) => boolean): Promise<T> {
  for (let i = 0; i < 400; i++) {
    const found = await look()
    if (isThere(found)) return found
    await sleep(25)
  }
  throw new Error(`it did not come: ${JSON.stringify(await look())}`)
}
const standing =
  (key: VerifierKey, db = database) =>
  async () => {
    const [one] = await witnessStandings(db.db, [ledger], [key])
    if (one === undefined) throw new Error('no standing')
    return one
  }

describe('witnesses', () => {
  it('cosign each newest checkpoint, and what they gave is stored and verifies', async () => {
    const [a, b] = [await startWitness('a'), await startWitness('b')]
    follow([
      { key: a.key, asker: await asker(a.url) },
      { key: b.key, asker: await asker(b.url) },
    ])
    const policy = parsePolicy(`witness a ${printVkey(a.key)}\nwitness b ${printVkey(b.key)}\ngroup both all a b\nquorum both\n`) // oxfmt-ignore
    const witnessed = createWitnessed(database.db, policy)
    for (let size = 1; size <= 300; size += 23) {
      await record(`${size}`, node, size === 1 ? 1 : 23)
      const newest = await eventually(() => witnessed.newest(ledger), (found) => found?.size === size) // oxfmt-ignore
      const opened = await openCheckpoint(newest?.note ?? '', origin, [logKey, a.key, b.key])
      expect(opened.cosignatures.map(({ key }) => key.name).toSorted()).toEqual(['witness.example/a', 'witness.example/b']) // oxfmt-ignore
    }
    expect(await standing(a.key)()).toMatchObject({ lag: 0, failing_since: null, contradicts: false })
  })

  it('that are ahead of what we know of them are met where they are', async () => {
    const a = await startWitness('a')
    await record('1', node, 5)
    const end = follow([{ key: a.key, asker: await asker(a.url) }])
    await eventually(standing(a.key), ({ size }) => size === 5)
    await end()
    // Another node's cosignature, of which a crash lost the row.
    await record('2', node, 5)
    const taken = await a.addCheckpoint(
      `old 5\n${(await node.book.tree.consistency(5, 10)).map((hash) => Buffer.from(hash).toString('base64')).join('\n')}\n\n${(await createWitnessed(database.db, undefined).newest(ledger))?.note}`,
    )
    expect(taken.status).toBe(200)
    await record('3', node, 5)
    follow([{ key: a.key, asker: await asker(a.url) }])
    expect(await eventually(standing(a.key), ({ size }) => size === 15)).toMatchObject({ lag: 0, failing_since: null })
  })

  it('are all taken the same checkpoints while the log grows, so that a quorum comes about under load', async () => {
    const [a, b] = [await startWitness('a'), await startWitness('b')]
    const quick = await asker(a.url)
    const slow: Asker = {
      ...quick,
      async ask(request, signal) {
        await sleep(70)
        return other.ask(request, signal)
      },
    }
    const other = await asker(b.url)
    const end = follow([
      { key: a.key, asker: quick },
      { key: b.key, asker: slow },
    ])
    const sizesOf = async (key: VerifierKey): Promise<number[]> => {
      const text = 'select distinct size from cosignatures where witness = $1 order by size'
      const { rows } = await database.db.query<{ size: number }>({ text, values: [witnessName(key)] })
      return rows.map(({ size }) => size)
    }
    for (let n = 0; (await sizesOf(b.key)).length < 8; n++) await record(`${n}`)
    await end()
    const [ofA, ofB] = [await sizesOf(a.key), await sizesOf(b.key)]
    // The last one may have been on its way to one of them.
    const onlyOne = [...ofA.filter((size) => !ofB.includes(size)), ...ofB.filter((size) => !ofA.includes(size))]
    expect(onlyOne.length, `${ofA.join()} and ${ofB.join()}`).toBeLessThanOrEqual(1)
    // After a start that finds everything cosigned, what comes is taken to both as well.
    const size = Math.max(...ofA, ...ofB)
    const again = follow([
      { key: a.key, asker: quick },
      { key: b.key, asker: slow },
    ])
    await eventually(standing(a.key), ({ lag }) => lag === 0)
    await eventually(standing(b.key), ({ lag }) => lag === 0)
    await again()
    follow([
      { key: a.key, asker: quick },
      { key: b.key, asker: slow },
    ])
    await sleep(60)
    await record('after')
    for (const { key } of [a, b])
      expect(await eventually(standing(key), (one) => one.lag === 0 && one.size > size)).toMatchObject({ failing_since: null }) // oxfmt-ignore
  })

  it('case 22: are asked again about a log that stands still, and the newer time is shown', async () => {
    const a = await startWitness('a')
    await record('1')
    follow([{ key: a.key, asker: await asker(a.url) }], { refreshMs: 100 })
    const rows = await eventually(() => cosignaturesAt(database.db, ledger, 1), (found) => found.length >= 2) // oxfmt-ignore
    const note = await createWitnessed(database.db, parsePolicy(`witness a ${printVkey(a.key)}\nquorum a\n`)).noteAt(ledger, 1) // oxfmt-ignore
    expect(note).toContain((await eventually(() => cosignaturesAt(database.db, ledger, 1), (all) => all.length >= rows.length)).at(-1)?.line) // oxfmt-ignore
  })
})

describe('a witness that misbehaves', () => {
  let key: SigningKey
  let answer: (request: IncomingMessage, response: ServerResponse, text: string, body: string) => Promise<void>
  let url: string
  beforeEach(async () => {
    key = await createSigningKey('witness.example/fake', 4, new Uint8Array(32).fill(9))
    const fake = await listen(async (request, response) => {
      const body = (await request.toArray()).join('')
      const text = body.includes('\n\n') ? parseNote(body.slice(body.indexOf('\n\n') + 2)).text : ''
      await answer(request, response, text, body)
    })
    ends.push(() => fake.close())
    url = fake.url
  })
  const good: typeof answer = async (_, response, text) =>
    void response.writeHead(200).end(await cosign(text, key, Math.floor(Date.now() / 1000)))

  it('case 38: gets nothing stored, is told as failing, holds up nobody else, and is forgotten when it is well again', async () => {
    const a = await startWitness('a')
    follow([
      { key, asker: await asker(url, 300) },
      { key: a.key, asker: await asker(a.url) },
    ])
    const stranger = await createSigningKey('witness.example/fake', 4, new Uint8Array(32).fill(10))
    const forged = async (text: string): Promise<string> => (await cosign(text, stranger, 1_700_000_000)).replace(/ [^ ]+$/, ` ${(await cosign('x\n', key, 1_700_000_000)).split(' ')[2]}`) // oxfmt-ignore
    const ways: [RegExp, typeof answer][] = [
      [/read|ended|closed|reset|other side|socket/i, async (request) => void request.socket.destroy()],
      [/HTTP 500/, async (_, response) => void response.writeHead(500).end()],
      [/HTTP 302/, async (_, response) => void response.writeHead(302, { location: `${url}/elsewhere` }).end()],
      [/is refused/, async (_, response) => void response.writeHead(200).end('<html></html>')],
      [/no cosignature by its key/, async (_, response, text) => void response.writeHead(200).end(await cosign(text, stranger, 1_700_000_000))], // oxfmt-ignore
      [/bad signature/, async (_, response, text) => void response.writeHead(200).end(await forged(text))],
      [/deadline has passed/, async () => undefined],
      [/no other size/, async (_, response) => void response.writeHead(409).end('nonsense')],
    ]
    let n = 0
    for (const [detail, way] of ways) {
      answer = way
      await record(`${++n}`)
      await eventually(standing(key), (one) => detail.test(one.detail))
      await eventually(standing(a.key), ({ size }) => size === n)
      answer = good
      await eventually(standing(key), ({ size, failing_since }) => size === n && failing_since === null)
    }
    const { rows } = await database.db.query<{ line: string; size: number }>({ text: `select line, size from cosignatures where witness = '${witnessName(key)}'` }) // oxfmt-ignore
    for (const { line, size } of rows) {
      const note = (await createWitnessed(database.db, undefined).atOrAfter(ledger, size))?.note ?? ''
      expect((await openNote(`${parseNote(note).text}\n${line}`, [key])).verified).toHaveLength(1)
    }
  }, 60_000)

  it('is taken at its word for no size that it names in turns', async () => {
    await record('1', node, 9)
    let turn = 0
    answer = async (_, response) => void response.writeHead(409).end(`${++turn % 2 === 0 ? 3 : 4}\n`)
    follow([{ key, asker: await asker(url) }])
    expect(await eventually(standing(key), ({ failing_since }) => failing_since !== null)).toMatchObject({ detail: 'it named another size 4 times', size: 0 }) // oxfmt-ignore
  })

  it('fails on when it names a size that came about meanwhile, of which it says nothing', async () => {
    await record('1')
    let asked = 0
    answer = async (_, response) => {
      asked += 1
      if (asked === 1) return void response.writeHead(500).end('no')
      if (asked === 2) {
        await record('2')
        return void response.writeHead(409).end('2\n')
      }
      return void response.writeHead(500).end('never again')
    }
    follow([{ key, asker: await asker(url) }])
    const failing = await eventually(standing(key), ({ failing_since }) => failing_since !== null)
    const later = await eventually(standing(key), ({ detail }) => detail.includes('never again'))
    expect(later.failing_since).toBe(failing.failing_since)
  })

  it('is said to be wrong itself when it refuses the proof from what it shows', async () => {
    await record('1', node, 4)
    const shown = (await createWitnessed(database.db, undefined).newest(ledger))?.note
    await record('2', node, 4)
    answer = async (request, response, _, body) => {
      if (request.method === 'GET') response.writeHead(200).end(shown)
      else if (body.startsWith('old 4\n')) response.writeHead(422).end('no')
      else response.writeHead(409).end('4\n')
    }
    follow([{ key, asker: await asker(url) }])
    const found = await eventually(standing(key), ({ failing_since }) => failing_since !== null)
    expect(found).toMatchObject({ contradicts: false, detail: expect.stringContaining('the very checkpoint that it shows: HTTP 422') }) // oxfmt-ignore
    expect(await conflictsOf(database.db, [ledger])).toEqual([])
  })
})

describe('a witness that has seen another history', () => {
  /** A second service under the same key, as after a copy of its folder was started elsewhere. */
  async function another(): Promise<TestNode & { database: TestDatabase }> {
    const copy = await createTestDatabase()
    await copy.db.query({ text: `select ensure_partitions(date_trunc('month', now())::date, 3)` })
    const other = await openNode(copy.db, await createMemorySigner())
    ends.push(async () => {
      await other.book.close()
      await copy.drop()
    })
    return { ...other, database: copy }
  }
  async function conflict() {
    const [found] = await conflictsOf(database.db, [ledger])
    if (found === undefined) throw new Error('no conflict was kept')
    return found
  }

  it('case 9: of the same or a smaller size contradicts us, and both notes are kept', async () => {
    const a = await startWitness('a')
    const other = await another()
    for (let i = 0; i < 4; i++) await record(`other ${i}`, other)
    const end = follow([{ key: a.key, asker: await asker(a.url) }], { of: other, db: other.database })
    await eventually(standing(a.key, other.database), ({ size }) => size === 4)
    await end()
    for (let i = 0; i < 6; i++) await record(`ours ${i}`)
    follow([{ key: a.key, asker: await asker(a.url) }])
    const found = await eventually(standing(a.key), ({ contradicts }) => contradicts)
    expect(found.detail).toContain('no prefix of ours at 4 records: HTTP 422')
    const { ours, theirs } = await conflict()
    expect((await openCheckpoint(ours, origin, [logKey])).size).toBe(6)
    expect((await openCheckpoint(theirs, origin, [logKey, a.key])).size).toBe(4)
    expect(await cosignaturesAt(database.db, ledger, 6)).toEqual([])
  })

  it('case 8, 10: that is larger, or has another root at our size, contradicts us', async () => {
    const a = await startWitness('a')
    const other = await another()
    for (let i = 0; i < 4; i++) await record(`other ${i}`, other)
    const end = follow([{ key: a.key, asker: await asker(a.url) }], { of: other, db: other.database })
    await eventually(standing(a.key, other.database), ({ size }) => size === 4)
    await end()
    for (let i = 0; i < 2; i++) await record(`ours ${i}`)
    follow([{ key: a.key, asker: await asker(a.url) }])
    const larger = await eventually(standing(a.key), ({ contradicts }) => contradicts)
    expect(larger.detail).toContain('it has cosigned 4 records, here are 2')
    expect((await openCheckpoint((await conflict()).theirs, origin, [logKey, a.key])).size).toBe(4)
    for (let i = 2; i < 4; i++) await record(`ours ${i}`)
    const same = await eventually(standing(a.key), ({ detail }) => detail.includes('another root'))
    expect(same.contradicts).toBe(true)
    // The same note of its own, found again; none where it did not answer a monitor in time.
    const { rows } = await database.db.query({ text: `select count(*) as n from witness_conflicts where theirs <> ''` })
    expect(rows).toEqual([{ n: 1 }])
  })
})
