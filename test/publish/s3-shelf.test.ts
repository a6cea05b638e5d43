import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { verifyLedger } from '../../src/commands/verify-log.ts'
import { publishLog } from '../../src/publish/publish-log.ts'
import { createS3Shelf } from '../../src/publish/s3-shelf.ts'
import { publishSettings } from '../../src/publish/settings.ts'
import type { Shelf } from '../../src/publish/shelf.ts'
import { type FakeS3, type S3Failure, startFakeS3 } from '../support/s3.ts'
import { createMemoryLog, ledger, origin } from './memory-log.ts'

const log = await createMemoryLog(600)
let folder: string
let fake: FakeS3
let shelf: Shelf
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'publish-s3-'))
  await writeFile(join(folder, 'secret'), 'planted-s3-secret-5ec7e7ed\n')
  fake = await startFakeS3()
  shelf = await open()
})
afterEach(async () => {
  await shelf.close()
  await fake.close()
  await rm(folder, { recursive: true })
})

async function open(prefix = 'logs/'): Promise<Shelf> {
  const s3 = {
    bucket: fake.bucket, prefix, endpoint: fake.url, path_style: true, access_key_id: fake.keys.accessKeyId, secret_access_key_file: join(folder, 'secret'), timeout_ms: 500,
  } // oxfmt-ignore
  const settings = publishSettings.parse({ s3 }).s3
  if (settings === undefined) throw new Error('the settings are there')
  return createS3Shelf(settings)
}

async function publish(size: number, onto = shelf) {
  const { signal } = new AbortController()
  return publishLog({
    shelf: onto,
    ledger,
    origin,
    keys: [log.key],
    tree: log.tree,
    newest: () => log.note(size),
    signal,
  })
}

/** As whoever reads the bucket through a CDN. */
async function verify(prefix = 'logs/') {
  const get = async (path: string) => fake.objects.get(prefix + path)?.bytes
  const reading = { remembered: () => undefined, onProgress: () => {} }
  return (await verifyLedger({ name: 'bucket', mayBeCached: false, get }, ledger, [log.key], reading)).check
}

describe('the shelf in a bucket', () => {
  it('holds a copy that verifies, with the types and cache headers of tlog-tiles', async () => {
    for (const size of [0, 200, 256, 600]) {
      expect(await publish(size)).toEqual({ kind: 'published', size, isNew: true })
      expect(await verify()).toMatchObject({ verdict: 'ok', size })
    }
    expect(fake.objects.get('logs/main/unit/checkpoint')).toMatchObject({ type: 'text/plain; charset=utf-8', cacheControl: 'public, max-age=5' }) // oxfmt-ignore
    for (const path of ['tile/0/000', 'tile/entries/002.p/88'])
      expect(fake.objects.get(`logs/main/unit/${path}`)).toMatchObject({ type: 'application/octet-stream', cacheControl: 'public, max-age=31536000, immutable' }) // oxfmt-ignore
    expect([...fake.objects.keys()].filter((key) => key.includes('000.p/200'))).toEqual([])
  })

  it('never stores other bytes under a path, nor a checkpoint over one that it did not read', async () => {
    await publish(300)
    await expect(shelf.putOnce('main/unit/tile/0/000', Buffer.from('x'))).rejects.toMatchObject({ code: 'integrity' })
    const [path, old] = ['main/unit/checkpoint', Buffer.from(await log.note(200))]
    await expect(shelf.replace(path, Buffer.from(await log.note(400)), old)).rejects.toMatchObject({ code: 'in_use' })
    await expect(shelf.replace(path, old, undefined)).rejects.toMatchObject({ code: 'in_use' })
    expect(fake.objects.get('logs/main/unit/checkpoint')?.bytes.toString()).toBe(await log.note(300))
  })

  it('is refused when another publisher replaced the checkpoint between its look and its put', async () => {
    await publish(200)
    const read = Buffer.from(await log.note(200))
    const held = { mode: undefined, until: undefined }
    fake.fail('hang', /^GET logs\/main\/unit\/checkpoint/)
    const put = shelf.replace('main/unit/checkpoint', Buffer.from(await log.note(250)), read)
    fake.objects.set('logs/main/unit/checkpoint', { bytes: Buffer.from(await log.note(300)), ...held })
    await expect(put).rejects.toMatchObject({ code: 'in_use' })
    expect(fake.objects.get('logs/main/unit/checkpoint')?.bytes.toString()).toBe(await log.note(300))
  })

  it.each<S3Failure>(['drop-before-storing', 'drop-after-storing', 'slow-down', 'internal', 'conflict'])(
    'case 19, 25: gets over %s at every put, or leaves it to the next round',
    async (mode) => {
      const puts = ['tile/entries/000', 'tile/0/000', 'tile/entries/001.p/44', 'tile/0/001.p/44', 'tile/1/000.p/1', 'checkpoint'] // oxfmt-ignore
      // Beside each other, for most of it is waiting before the next try.
      const rounds = puts.map(async (put, at) => {
        const prefix = `logs-${at}/`
        const own = await open(prefix)
        await publish(200, own)
        fake.fail(mode, new RegExp(`^PUT ${prefix}main/unit/${put}\\?`), 5)
        await publish(300, own).catch((error: unknown) => expect(error).toMatchObject({ code: expect.stringMatching(/^(unavailable|in_use)$/) as string })) // oxfmt-ignore
        expect(await verify(prefix)).toMatchObject({ verdict: 'ok' })
        return { prefix, own }
      })
      const failed = await Promise.all(rounds)
      fake.settle()
      for (const { prefix, own } of failed) {
        await publish(300, own)
        expect(await verify(prefix)).toMatchObject({ verdict: 'ok', size: 300 })
        await own.close()
      }
    },
  )
})

describe('publish settings', () => {
  it('take one place, and no lock on what is replaced', () => {
    const s3 = { bucket: 'logs-of-ours', object_lock: { mode: 'governance', days: 1 } }
    expect(publishSettings.safeParse({ s3 }).error?.issues[0]?.path).toEqual(['s3', 'object_lock'])
    expect(publishSettings.safeParse({ folder: 'x', s3: { bucket: 'logs-of-ours' } }).error?.issues[0]?.message).toContain('choose one') // oxfmt-ignore
  })
})
