import { execFile, spawn } from 'node:child_process'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { openCheckpoint } from '../../src/log/checkpoint.ts'
import { parseVkey, printVkey } from '../../src/log/vkey.ts'
import { openWitness } from '../../src/signing/open-witness.ts'
import { serveWitness } from '../../src/signing/serve-witness.ts'
import { openAsker } from '../../src/vouching/ask.ts'
import { askWitness } from '../../src/vouching/cosign.ts'
import { createLog } from '../signing/log-notes.ts'
import { createTree } from '../signing/tree.ts'

/** TEST_GO_WITNESS is test/conformance/go-witness, built. */

const origin = 'localhost/main/unit'
const env = (name: string): string => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set: run npm run conformance`)
  return value
}
/** Not the synchronous form: what it talks to runs in this process. */
const go = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)(env('TEST_GO_WITNESS'), args, { timeout: 60_000 })).stdout.trim()
const folder = (): Promise<string> => mkdtemp(join(env('TEST_GO_WITNESS_FOLDER'), 'witness-'))
const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

async function startGo(logVkey: string): Promise<{ url: string; vkey: string }> {
  const child = spawn(env('TEST_GO_WITNESS'), ['serve', logVkey], { stdio: ['pipe', 'pipe', 'inherit'] })
  ends.push(async () => void child.kill())
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk) => resolve(String(chunk)))
    child.once('exit', (code) => reject(new Error(`the witness ended with ${code}`)))
  })
  return JSON.parse(line) as { url: string; vkey: string }
}

/** Our client, taking `log` to a witness: what the service does for each checkpoint. */
async function client(at: { url: string; vkey: string }, log: Awaited<ReturnType<typeof createLog>>, tree = createTree()) {
  const asker = await openAsker(at.url, { timeout_ms: 10_000, allow_metadata_addresses: false })
  ends.push(() => asker.close())
  const key = parseVkey(at.vkey)
  return async (oldSize: number, size: number) =>
    askWitness(
      {
        ledger: 'main/unit',
        asker,
        key,
        logKeys: [log.key],
        checkpoint: { size, note: await log.checkpoint(size) },
        oldSize,
        consistency: async (from, to) => [...(await tree.requestAt(to, from)).proof.hashes],
        newestSize: async () => size,
        now: () => new Date(),
      },
      AbortSignal.timeout(30_000),
    )
} // oxfmt-ignore

async function startOurs(logVkey: string) {
  const key = parseVkey(logVkey)
  const witness = await openWitness({ folder: await folder(), name: 'witness.example', logs: new Map([[key.name, [key]]]), now: () => new Date() }) // oxfmt-ignore
  const ending = new AbortController()
  const server = await serveWitness(witness, { host: '127.0.0.1', port: 0, origins: [key.name], onError: () => undefined }, ending.signal) // oxfmt-ignore
  ends.push(async () => {
    ending.abort()
    await server.closed
    witness.close()
  })
  return { url: server.url, vkey: printVkey(witness.key) }
}

describe('a witness of transparency-dev', () => {
  it('cosigns what our client brings, from wherever it stands, and we accept its cosignatures', async () => {
    const log = await createLog(origin, 1)
    const at = await startGo(printVkey(log.key))
    const ask = await client(at, log)
    let from = 0
    for (const size of [1, 2, 3, 8, 255, 256, 257, 300, 300]) {
      const cosigned = await ask(from, size)
      if (cosigned.kind !== 'cosigned') expect.fail(JSON.stringify(cosigned))
      const note = (await log.checkpoint(size)) + cosigned.cosignature.line
      expect((await openCheckpoint(note, origin, [log.key, parseVkey(at.vkey)])).cosignatures).toHaveLength(1)
      const file = join(await folder(), 'note')
      await writeFile(file, note)
      expect(await go('verify', printVkey(log.key), at.vkey, file)).toBe('2')
      from = size
    }
    for (const believed of [0, 5, 299, 310]) expect(await ask(believed, 310 + believed)).toMatchObject({ kind: 'cosigned' }) // oxfmt-ignore
  })

  it('refuses a fork, a log that it does not know and a larger past: our client tells which', async () => {
    const log = await createLog(origin, 1)
    const at = await startGo(printVkey(log.key))
    expect(await (await client(at, log))(0, 50)).toMatchObject({ kind: 'cosigned' })
    const other = await createLog(origin, 1, { name: 'other', before: 20 })
    const fork = await client(at, other, createTree('other', 20))
    expect(await fork(50, 60)).toMatchObject({ kind: 'contradicts', theirs: '' })
    expect(await fork(50, 50)).toMatchObject({ kind: 'contradicts' })
    expect(await fork(0, 40)).toMatchObject({ kind: 'contradicts', detail: 'it has cosigned 50 records, here are 40' })
    const stranger = await createLog('localhost/main/integration', 1)
    expect(await (await client(at, stranger))(0, 3)).toMatchObject({ kind: 'failed', detail: expect.stringMatching(/^HTTP 40[34]/) }) // oxfmt-ignore
  })
})

describe('our witness', () => {
  it('cosigns what their client brings: they accept its cosignatures, and every refusal is the one that they know', async () => {
    const at = await startOurs(await go('key'))
    expect(await go('push', at.url, at.vkey)).toBe('')
  })

  it('gives cosignatures that sumdb/note and formats open', async () => {
    const log = await createLog(origin, 1)
    const at = await startOurs(printVkey(log.key))
    const cosigned = await (await client(at, log))(0, 70)
    if (cosigned.kind !== 'cosigned') expect.fail(JSON.stringify(cosigned))
    const file = join(await folder(), 'note')
    await writeFile(file, (await log.checkpoint(70)) + cosigned.cosignature.line)
    expect(await go('verify', printVkey(log.key), at.vkey, file)).toBe('2')
    await writeFile(file, (await log.checkpoint(71)) + cosigned.cosignature.line)
    await expect(go('verify', printVkey(log.key), at.vkey, file)).rejects.toThrow('Command failed')
  })
})
