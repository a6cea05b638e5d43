import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCheckpoint } from '../../src/log/checkpoint.ts'
import { maxStatementBytes, openStatement } from '../../src/log/statement.ts'
import { createSigningKey, parseVkey, printVkey } from '../../src/log/vkey.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { createGuard } from '../../src/signing/guard.ts'
import type { Guard } from '../../src/signing/guard.ts'
import { type Keyring, createKeys } from '../../src/signing/keys.ts'
import { connectSigner } from '../../src/signing/remote.ts'
import type { RemoteSigner } from '../../src/signing/remote.ts'
import { serveSigner } from '../../src/signing/serve-signer.ts'
import { createSigner } from '../../src/signing/signer.ts'
import type { Signer } from '../../src/signing/signer.ts'
import { createTree } from './tree.ts'

const ledger: LedgerName = 'main/unit'
const origin = (name: LedgerName): string => `localhost/${name}`
const tree = createTree()

const keysIn = (folder: string, host = 'localhost') =>
  createKeys({ folder, originOf: (name) => `${host}/${name}`, statementName: `${host}/main/statement` })
const idOf = (ring: Keyring | undefined): number | undefined => ring?.plan[0]?.id

interface Place {
  folder: string
  keysFolder: string
  guard: Guard
  local: Signer
}

async function makePlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'signer-'))
  const keysFolder = join(folder, 'keys')
  const guard = await createGuard(join(folder, 'guard'))
  return {
    folder,
    keysFolder,
    guard,
    local: createSigner({ keys: keysIn(keysFolder), guard, origin }),
  }
}

async function removePlace({ folder, guard }: Place): Promise<void> {
  guard.close()
  await rm(folder, { recursive: true })
}

/** What every signer does, in the process and behind a socket. */
function signerContract(start: () => Promise<{ signer: Signer; stop: () => Promise<void> }>): void {
  let signer: Signer
  let stop: () => Promise<void>
  beforeEach(async () => void ({ signer, stop } = await start()))
  afterEach(() => stop())

  it('signs an empty log, then each longer one, and each note verifies', async () => {
    const vkey = parseVkey(await signer.vkey(ledger))
    expect(vkey.name).toBe('localhost/main/unit')
    for (const [size, from] of [
      [0, 0],
      [1, 0],
      [5, 1],
      [6, 5],
      [300, 6],
    ] as const) {
      const answer = await signer.sign(ledger, await tree.requestAt(size, from))
      if (answer.kind !== 'signed') expect.fail(answer.kind)
      const { root } = await openCheckpoint(answer.note, 'localhost/main/unit', [vkey])
      expect(Buffer.compare(root, tree.rootAt(size))).toBe(0)
      expect(await signer.last(ledger)).toEqual({ size, root: tree.rootAt(size) })
    }
  })

  it('case 24: gives the same bytes for the same head', async () => {
    const first = await signer.sign(ledger, await tree.requestAt(7, 0))
    expect(first.kind).toBe('signed')
    expect(await signer.sign(ledger, await tree.requestAt(7, 0))).toEqual(first)
    expect(await signer.sign(ledger, await tree.requestAt(7, 7))).toEqual(first)
  })

  it('refuses a rollback, a fork, another history and nonsense, and says what it signed last', async () => {
    expect(await signer.sign(ledger, await tree.requestAt(9, 0))).toMatchObject({ kind: 'signed' })
    const last = { size: 9, root: tree.rootAt(9) }
    const fork = createTree('fork', 5)
    expect(await signer.sign(ledger, await tree.requestAt(8, 8))).toEqual({ kind: 'refused', reason: 'rollback', last })
    expect(await signer.sign(ledger, await tree.requestAt(0, 0))).toEqual({ kind: 'refused', reason: 'rollback', last })
    expect(await signer.sign(ledger, await fork.requestAt(9, 9))).toEqual({ kind: 'refused', reason: 'fork', last })
    expect(await signer.sign(ledger, await fork.requestAt(12, 9))).toEqual({
      kind: 'refused',
      reason: 'inconsistent',
      last,
    })
    const nonsense = { size: 10, root: new Uint8Array(31), proof: { from: 9, hashes: [] } }
    expect(await signer.sign(ledger, nonsense)).toEqual({ kind: 'refused', reason: 'malformed', last })
    expect(await signer.sign(ledger, await tree.requestAt(12, 9))).toMatchObject({ kind: 'signed' })
  })

  it('tells where a proof has to start', async () => {
    await signer.sign(ledger, await tree.requestAt(9, 0))
    for (const from of [0, 5, 12]) {
      expect(await signer.sign(ledger, await tree.requestAt(12, from))).toEqual({
        kind: 'stale',
        size: 9,
        root: tree.rootAt(9),
      })
    }
  })

  it('lets one of two contradicting heads through when they come at once', async () => {
    await signer.sign(ledger, await tree.requestAt(9, 0))
    const offers = await Promise.all([
      tree.requestAt(12, 9),
      createTree('fork', 9).requestAt(12, 9),
      createTree('third', 9).requestAt(13, 9),
    ])
    const answers = await Promise.all(offers.map((offer) => signer.sign(ledger, offer)))
    expect(answers.filter(({ kind }) => kind === 'signed')).toHaveLength(1)
  })

  it('signs statements with a key of their own, up to 8 MiB', async () => {
    const vkey = parseVkey(await signer.statementVkey())
    expect(vkey.name).toBe('localhost/main/statement')
    const payloads = ['', '{"a":1}', 'é', 'x'.repeat(maxStatementBytes)].map((text) => Buffer.from(text))
    for (const payload of payloads) {
      const opened = await openStatement(await signer.signStatement('application/json', payload), [vkey])
      expect(opened.payloadType).toBe('application/json')
      expect(Buffer.compare(opened.payload, payload)).toBe(0)
    }
    await expect(signer.signStatement('application/json', new Uint8Array(maxStatementBytes + 1))).rejects.toThrow()
    await expect(signer.signStatement('no type', new Uint8Array(0))).rejects.toThrow('payloadType')
    expect(await signer.statementVkey()).not.toBe(await signer.vkey(ledger))
  })

  it('keeps ledgers apart: each its key, each its head', async () => {
    const answers = await Promise.all([
      signer.sign(ledger, await tree.requestAt(9, 0)),
      signer.sign('main/integration', await tree.requestAt(3, 0)),
    ])
    expect(answers.map(({ kind }) => kind)).toEqual(['signed', 'signed'])
    expect(await signer.vkey(ledger)).not.toBe(await signer.vkey('main/integration'))
    expect(await signer.last('main/integration')).toMatchObject({ size: 3 })
    expect(await signer.last('main/changes')).toBeUndefined()
    expect(await signer.guardId()).toMatch(/^[0-9a-f]{32}$/)
  })
}

describe('a signer in the process', () => {
  signerContract(async () => {
    const place = await makePlace()
    return { signer: place.local, stop: () => removePlace(place) }
  })
})

describe('a signer behind a socket', () => {
  signerContract(async () => {
    const place = await makePlace()
    const abort = new AbortController()
    const path = join(place.folder, 's')
    const server = await serveSigner(place.local, path, abort.signal)
    const signer = connectSigner(path)
    const stop = async (): Promise<void> => {
      signer.close()
      abort.abort()
      await server.closed
      await removePlace(place)
    }
    return { signer, stop }
  })

  let place: Place
  let path: string
  let clients: RemoteSigner[]
  const connect = (options?: { timeoutMs: number }): RemoteSigner => {
    const client = connectSigner(path, options)
    clients.push(client)
    return client
  }
  beforeEach(async () => {
    place = await makePlace()
    path = join(place.folder, 's')
    clients = []
  })
  afterEach(async () => {
    for (const client of clients) client.close()
    await removePlace(place)
  })

  it('serves several nodes at once, and only one of two contradicting heads', async () => {
    const abort = new AbortController()
    const server = await serveSigner(place.local, path, abort.signal)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const [one, two] = [connect(), connect()]
    expect(await one.sign(ledger, await tree.requestAt(9, 0))).toMatchObject({ kind: 'signed' })
    const answers = await Promise.all([
      one.sign(ledger, await tree.requestAt(20, 9)),
      two.sign(ledger, await createTree('fork', 12).requestAt(20, 9)),
      ...Array.from({ length: 50 }, (_, i) => (i % 2 ? one : two).last(ledger)),
    ])
    expect(
      answers.slice(0, 2).filter((answer) => answer !== undefined && 'kind' in answer && answer.kind === 'signed'),
    ).toHaveLength(1)
    abort.abort()
    await server.closed
    await expect(stat(path)).rejects.toThrow('ENOENT')
  })

  it('is unavailable while nobody listens, and is found again afterwards', async () => {
    const client = connect()
    await expect(client.last(ledger)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('cannot be reached'),
    })
    for (const size of [4, 8]) {
      const abort = new AbortController()
      const server = await serveSigner(place.local, path, abort.signal)
      expect(await client.sign(ledger, await tree.requestAt(size, size - 4))).toMatchObject({ kind: 'signed' })
      abort.abort()
      await server.closed
      await expect(client.last(ledger)).rejects.toMatchObject({ code: 'unavailable' })
    }
  })

  it('rejects a call that is cut off or not answered in time', async () => {
    const abort = new AbortController()
    const stuck: Signer = { ...place.local, last: () => new Promise(() => {}) }
    const server = await serveSigner(stuck, path, abort.signal)
    await expect(connect({ timeoutMs: 50 }).last(ledger)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('50 ms'),
    })
    const client = connect()
    await client.guardId()
    const cut = client.last(ledger)
    abort.abort()
    await expect(cut).rejects.toMatchObject({ code: 'unavailable' })
    await server.closed
  })

  it('passes on why it failed, and lives on', async () => {
    const abort = new AbortController()
    const broken: Signer = { ...place.local, vkey: async () => Promise.reject(new Error('no space left')) }
    const server = await serveSigner(broken, path, abort.signal)
    const client = connect()
    await expect(client.vkey(ledger)).rejects.toThrow('the signer failed: no space left')
    expect(await client.last(ledger)).toBeUndefined()
    abort.abort()
    await server.closed
  })

  it('is not listened to when it comes back with another guard', async () => {
    const client = connect()
    for (const guardId of ['first', 'second']) {
      const abort = new AbortController()
      const server = await serveSigner({ ...place.local, guardId: async () => guardId }, path, abort.signal)
      if (guardId === 'first') expect(await client.guardId()).toBe('first')
      else await expect(client.last(ledger)).rejects.toMatchObject({ code: 'signer_not_current' })
      abort.abort()
      await server.closed
      await expect(client.last(ledger)).rejects.toMatchObject({ code: 'unavailable' })
    }
  })

  it('cuts off who speaks otherwise', async () => {
    const { connect: dial } = await import('node:net')
    const abort = new AbortController()
    const server = await serveSigner(place.local, path, abort.signal)
    for (const text of [
      'hello\n',
      '{"id":1,"call":"sign"}\n',
      '{"id":1,"call":"last","ledger":"../x"}\n',
      '{"id":1,"call":"signStatement","payloadType":"a/b","payload":"e"}\n',
      'x'.repeat(17_000_000),
    ]) {
      const socket = dial(path)
      socket.on('error', () => {})
      socket.write(text)
      await new Promise((resolve) => socket.once('close', resolve))
    }
    expect(await connect().last(ledger)).toBeUndefined()
    abort.abort()
    await server.closed
  })

  it('does not push a living one from its socket, but takes the place of a dead one', async () => {
    const abort = new AbortController()
    const server = await serveSigner(place.local, path, abort.signal)
    await expect(serveSigner(place.local, path, abort.signal)).rejects.toThrow('another process listens')
    abort.abort()
    await server.closed
  })

  it('says so when the path is too long for a socket', async () => {
    const long = `/tmp/${'x'.repeat(103)}`
    expect(() => connectSigner(long)).toThrow('the socket path has 108 bytes and may have 107')
    await expect(serveSigner(place.local, long, AbortSignal.abort())).rejects.toThrow('107')
  })
})

describe('keys', () => {
  let place: Place
  beforeEach(async () => void (place = await makePlace()))
  afterEach(() => removePlace(place))
  const path = (name: string): string => join(place.keysFolder, name)

  it('are made once, also by several at once, and stay', async () => {
    const made = await Promise.all([1, 2, 3, 4].map(() => keysIn(place.keysFolder).make(ledger)))
    const [id] = made.map(idOf)
    expect(new Set(made.map(idOf)).size).toBe(1)
    expect((await stat(path('main.unit.key'))).mode & 0o777).toBe(0o600)
    expect(await readFile(path('main.unit.key'), 'utf8')).toMatch(
      /^PRIVATE\+KEY\+localhost\/main\/unit\+[0-9a-f]{8}\+\S+\n$/,
    )
    expect(parseVkey((await readFile(path('main.unit.vkey'), 'utf8')).trimEnd()).id).toBe(id)
    expect(idOf(await keysIn(place.keysFolder).open(ledger))).toBe(id)
  })

  it('that others may read, of another log, or damaged are refused', async () => {
    const keys = keysIn(place.keysFolder)
    expect(await keys.open(ledger)).toBeUndefined()
    await keys.make(ledger)
    await chmod(path('main.unit.key'), 0o644)
    await expect(keys.open(ledger)).rejects.toThrow('chmod 600')
    await chmod(path('main.unit.key'), 0o640)
    expect(await keys.open(ledger)).toBeDefined()
    await expect(keysIn(place.keysFolder, 'example.org').open(ledger)).rejects.toThrow(
      'the key of localhost/main/unit, not of example.org/main/unit',
    )
    await writeFile(path('main.unit.key'), 'nothing')
    await expect(keys.open(ledger)).rejects.toMatchObject({ code: 'key_invalid' })
  })

  it('stand beside their own public half, which is written again when it is gone', async () => {
    const keys = keysIn(place.keysFolder)
    await keys.make(ledger)
    await keys.make('main/changes')
    const vkey = await readFile(path('main.unit.vkey'), 'utf8')
    await rm(path('main.unit.vkey'))
    await keys.open(ledger)
    expect(await readFile(path('main.unit.vkey'), 'utf8')).toBe(vkey)
    await writeFile(path('main.unit.vkey'), await readFile(path('main.changes.vkey'), 'utf8'))
    await expect(keys.open(ledger)).rejects.toThrow('a key of localhost/main/changes, not of localhost/main/unit')
    const other = await createSigningKey('localhost/main/unit', 1, new Uint8Array(32).fill(1))
    await writeFile(path('main.unit.vkey'), `${printVkey(other)}\n`)
    await expect(keys.open(ledger)).rejects.toThrow('does not belong')
  })

  it('are not made anew under an origin that was signed with', async () => {
    await place.local.sign(ledger, await tree.requestAt(4, 0))
    await rm(path('main.unit.key'))
    const signer = createSigner({
      keys: keysIn(place.keysFolder),
      guard: place.guard,
      origin,
    })
    await expect(signer.sign(ledger, await tree.requestAt(5, 4))).rejects.toThrow('is neither in')
    await rm(path('main.unit.vkey'))
    await expect(signer.sign(ledger, await tree.requestAt(5, 4))).rejects.toThrow('the key of main/unit is gone')
    await expect(signer.vkey(ledger)).rejects.toThrow('is gone')
  })
})
