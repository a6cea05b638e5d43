import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCheckpoint } from '../../src/log/checkpoint.ts'
import { openNote, sealNote } from '../../src/log/note.ts'
import { createSigningKey } from '../../src/log/vkey.ts'
import type { VerifierKey } from '../../src/log/vkey.ts'
import { type OpenWitness, openWitness } from '../../src/signing/open-witness.ts'
import { serveWitness } from '../../src/signing/serve-witness.ts'
import { sha256Hex } from '../../src/record/sha256.ts'
import { createLog } from './log-notes.ts'

const origin = 'localhost/main/unit'
const empty = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
let folder: string
let now: Date
let log: Awaited<ReturnType<typeof createLog>>
let witness: OpenWitness
let url: string
let stop: () => Promise<void>

async function start(logs?: Map<string, VerifierKey[]>): Promise<void> {
  const known = logs ?? new Map([[origin, [log.key]]])
  witness = await openWitness({ folder, name: 'witness.example', logs: known, now: () => now })
  const ending = new AbortController()
  const server = await serveWitness(witness, { host: '127.0.0.1', port: 0, origins: [...known.keys()], onError: () => undefined }, ending.signal) // oxfmt-ignore
  url = server.url
  stop = async () => {
    ending.abort()
    await server.closed
    witness.close()
  }
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'witness-'))
  now = new Date('2026-11-30T12:00:00Z')
  log = await createLog(origin, 1)
  await start()
})
afterEach(async () => {
  await stop()
  await rm(folder, { recursive: true })
})

async function post(body: string | Uint8Array): Promise<{ status: number; text: string; type: string | null }> {
  const answer = await fetch(`${url}/add-checkpoint`, { method: 'POST', body: body as string })
  return { status: answer.status, text: await answer.text(), type: answer.headers.get('content-type') }
}
const statusOf = async (body: string | Uint8Array): Promise<number> => (await post(body)).status
const monitored = async (of = origin): Promise<{ status: number; text: string }> => {
  const answer = await fetch(`${url}/${sha256Hex(new TextEncoder().encode(of))}/checkpoint`)
  return { status: answer.status, text: await answer.text() }
}

describe('a witness', () => {
  it('cosigns each longer tree that proves to continue the last, and shows the newest to monitors', async () => {
    expect((await monitored()).status).toBe(404)
    let from = 0
    for (const size of [0, 1, 2, 7, 8, 20]) {
      const { status, text, type } = await post(await log.request(from, size))
      expect([status, type]).toEqual([200, 'text/plain; charset=utf-8'])
      const { cosignatures } = await openCheckpoint((await log.checkpoint(size)) + text, origin, [log.key, witness.key])
      expect(cosignatures).toEqual([{ key: witness.key, time: now.getTime() / 1000 }])
      const shown = await monitored()
      expect([shown.status, shown.text]).toEqual([200, (await log.checkpoint(size)) + text])
      from = size
    }
  })

  it('cosigns the same head again, at the time of asking', async () => {
    await post(await log.request(0, 5))
    now = new Date(now.getTime() + 3_600_000)
    const again = await post(await log.request(5, 5))
    expect(again.status).toBe(200)
    const { cosignatures } = await openCheckpoint((await monitored()).text, origin, [log.key, witness.key])
    expect(cosignatures[0]?.time).toBe(now.getTime() / 1000)
  })

  it('case 8: answers its size to who begins elsewhere, an older log above all', async () => {
    await post(await log.request(0, 9))
    for (const request of [
      await log.request(0, 12),
      await log.request(5, 12),
      await log.request(5, 6),
      await log.request(0, 0),
      await log.request(8, 9),
    ])
      // oxfmt-ignore
      expect(await post(request)).toEqual({ status: 409, text: '9\n', type: 'text/x.tlog.size' })
    expect(await statusOf(await log.request(10, 12))).toBe(409)
    expect(await statusOf(await log.request(9, 12))).toBe(200)
  })

  it('case 9: refuses a log that was cut and grew again otherwise', async () => {
    await post(await log.request(0, 9))
    const other = await createLog(origin, 1, { name: 'other', before: 5 })
    expect(await post(await other.request(9, 12))).toMatchObject({ status: 422 })
    expect(await post(await log.request(9, 12))).toMatchObject({ status: 200 })
  })

  it('case 10: refuses a second root for one size, and keeps both notes', async () => {
    await post(await log.request(0, 9))
    const other = await createLog(origin, 1, { name: 'other', before: 5 })
    for (let i = 0; i < 3; i++) expect(await post(await other.request(9, 9))).toMatchObject({ status: 422 })
    const kept = await Promise.all((await readdir(join(folder, 'forks'))).map((name) => readFile(join(folder, 'forks', name), 'utf8'))) // oxfmt-ignore
    expect(kept).toHaveLength(2)
    const roots = await Promise.all(kept.map(async (note) => (await openNote(note, [log.key])).text))
    expect(roots).toContain((await openNote(await other.checkpoint(9), [log.key])).text)
    expect(new Set(roots).size).toBe(2)
  })

  it('refuses a wrong proof, a missing one, one too many, and one where nothing is to be proved', async () => {
    const request = await log.request(0, 9)
    expect(await statusOf(request.replace('\n\n', `\n${empty}\n\n`))).toBe(422)
    await post(request)
    const right = await log.request(9, 12)
    expect(await statusOf(right.replace(/^(old 9\n)[^\n]+\n/, '$1'))).toBe(422)
    expect(await statusOf(right.replace(/^old 9\n[^]*?\n\n/, 'old 9\n\n'))).toBe(422)
    expect(await statusOf(right.replace('\n\n', `\n${empty}\n\n`))).toBe(422)
    expect(await statusOf((await log.request(9, 9)).replace('\n\n', `\n${empty}\n\n`))).toBe(422)
    expect(await statusOf(right)).toBe(200)
  })

  it('refuses an empty log with another root, as inconsistent and not as malformed', async () => {
    const note = await sealNote(`${origin}\n0\n${'A'.repeat(43)}=\n`, [log.key])
    expect(await statusOf(`old 0\n\n${note}`)).toBe(422)
  })

  it('case 11, 12: cosigns nothing that no trusted key signed, nor what its signature does not cover', async () => {
    const stranger = await createSigningKey(origin, 1, new Uint8Array(32).fill(77))
    const body = await log.request(0, 9)
    expect(await statusOf(`old 0\n\n${await log.checkpoint(9, [stranger])}`)).toBe(403)
    expect(await statusOf(body.replace(`${origin}\n9\n`, `${origin}\n8\n`))).toBe(403)
    expect(await statusOf(`old 0\n\n${await log.checkpoint(9, [stranger, log.key])}`)).toBe(200)
    expect((await monitored()).text.match(/^— /gm)).toHaveLength(2) // the log's and its own: what others added is not passed on
  })

  it('tells a log that it does not know, a body that is none and an old size beyond the checkpoint', async () => {
    const other = await createLog('localhost/main/integration', 1)
    expect(await statusOf(await other.request(0, 3))).toBe(404)
    expect((await monitored('localhost/main/integration')).status).toBe(404)
    const body = await log.request(0, 9)
    expect(await statusOf(body.replace('old 0', 'old 10'))).toBe(400)
    for (const wrong of [
      '',
      'x',
      body.slice(0, -1),
      body.replaceAll('\n', '\r\n'),
      `\n${body}`,
      body.replace('old 0', 'old 00'),
      new Uint8Array([0xff, 0xfe]),
    ])
      // oxfmt-ignore
      expect(await statusOf(wrong)).toBe(400)
    expect(await statusOf(body)).toBe(200)
  })

  it('cosigns the whole text of a log that writes extension lines', async () => {
    const text = (await openNote(await log.checkpoint(9), [log.key])).text
    const note = await sealNote(`${text}Log frozen\n`, [log.key])
    const { status, text: line } = await post(`old 0\n\n${note}`)
    expect(status).toBe(200)
    expect((await openNote(note + line, [witness.key])).text).toBe(`${text}Log frozen\n`)
    expect(await statusOf(`old 9\n\n${await sealNote(`${text}\n\nmore\n`, [log.key])}`)).toBe(400)
  })

  it('case 15: takes a checkpoint signed by either key of a log whose key is being rotated', async () => {
    await stop()
    const next = await createSigningKey(origin, 1, new Uint8Array(32).fill(2))
    await start(new Map([[origin, [log.key, next]]]))
    expect(await statusOf(`old 0\n\n${await log.checkpoint(1, [log.key])}`)).toBe(200)
    expect(await statusOf((await log.request(1, 2)).replace(await log.checkpoint(2), await log.checkpoint(2, [log.key, next])))).toBe(200) // oxfmt-ignore
    expect(await statusOf((await log.request(2, 3)).replace(await log.checkpoint(3), await log.checkpoint(3, [next])))).toBe(200) // oxfmt-ignore
    expect((await monitored()).text.match(/^— /gm)).toHaveLength(2)
  })

  it('case 16: takes no larger checkpoint from a key that is retired', async () => {
    await stop()
    const next = await createSigningKey(origin, 1, new Uint8Array(32).fill(2))
    await start(
      new Map([
        [
          origin,
          [
            { ...log.key, until: 5 },
            { ...next, from: 3 },
          ],
        ],
      ]),
    )
    expect(await statusOf(`old 0\n\n${await log.checkpoint(2, [next])}`)).toBe(403)
    expect(await statusOf(`old 0\n\n${await log.checkpoint(4, [log.key])}`)).toBe(200)
    const request = await log.request(4, 5)
    expect(await post(request)).toMatchObject({ status: 403, text: expect.stringContaining('retired key') })
    const both = await log.checkpoint(5, [log.key, next])
    expect(await statusOf(request.replace(await log.checkpoint(5), both))).toBe(200)
  })

  it('lets one of two heads through that come at once', async () => {
    await post(await log.request(0, 4))
    const other = await createLog(origin, 1, { name: 'other', before: 4 })
    const both = await Promise.all([await log.request(4, 6), await other.request(4, 6), await log.request(4, 5)].map(statusOf)) // oxfmt-ignore
    expect(both.filter((status) => status === 200)).toHaveLength(1)
    expect(both.filter((status) => status === 409)).toHaveLength(2)
  })
})

describe('a witness that starts again', () => {
  it('knows what it cosigned, under the same key', async () => {
    await post(await log.request(0, 9))
    const [key, shown] = [witness.key, await monitored()]
    await stop()
    await start()
    expect(witness.key.publicKey).toEqual(key.publicKey)
    expect(await monitored()).toEqual(shown)
    expect(await statusOf(await log.request(0, 9))).toBe(409)
  })

  it('case 39: does not start when its key or the head of a log is gone', async () => {
    await post(await log.request(0, 9))
    await stop()
    const logs = new Map([[origin, [log.key]]])
    const open = () => openWitness({ folder, name: 'witness.example', logs, now: () => now })
    const key = await readFile(join(folder, 'witness.key'), 'utf8')
    await rm(join(folder, 'witness.key'))
    await expect(open()).rejects.toThrow('witness.key is gone, but checkpoints were cosigned with it')
    await writeFile(join(folder, 'witness.key'), key, { mode: 0o644 })
    await expect(open()).rejects.toThrow('chmod 600')
    await rm(join(folder, 'witness.key'))
    await writeFile(join(folder, 'witness.key'), key, { mode: 0o600 })
    const head = (await readdir(join(folder, 'guard'))).find((name) => name.endsWith('.head')) ?? ''
    const saved = await readFile(join(folder, 'guard', head))
    await rm(join(folder, 'guard', head))
    await expect(open()).rejects.toThrow(`has lost the last signed head of ${origin}`)
    await writeFile(join(folder, 'guard', head), saved)
    await start()
  })

  it('is refused the folder of one that runs', async () => {
    const logs = new Map([[origin, [log.key]]])
    await expect(openWitness({ folder, name: 'w', logs, now: () => now })).rejects.toThrow('in use by another process')
  })
})

describe('the server of a witness', () => {
  it('takes bodies up to 16 KiB', async () => {
    expect(await statusOf('x'.repeat(16_384))).toBe(400)
    const answer = await fetch(`${url}/add-checkpoint`, { method: 'POST', body: 'x'.repeat(16_385) })
    expect(answer.status).toBe(413)
  })

  it('has two paths, each with its methods', async () => {
    expect((await fetch(`${url}/add-checkpoint`)).status).toBe(405)
    expect((await fetch(`${url}/`)).status).toBe(404)
    expect((await fetch(`${url}/${'0'.repeat(64)}/checkpoint`)).status).toBe(404)
    expect((await fetch(`${url}/${'0'.repeat(64)}/checkpoint`, { method: 'POST', body: 'x' })).status).toBe(405)
    expect((await fetch(`${url}/${'A'.repeat(64)}/checkpoint`)).status).toBe(404)
  })

  it('ends at once while a client holds a connection open and says nothing', async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    await new Promise((resolve) => socket.once('connect', resolve))
    await statusOf('x')
    await stop()
    socket.destroy()
    await start()
  })
})
