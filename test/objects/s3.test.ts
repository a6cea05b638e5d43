import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Objects, createArtifacts } from '../../src/objects/objects.ts'
import { createS3Objects } from '../../src/objects/s3.ts'
import { type S3Settings, artifactSettings, s3Settings } from '../../src/objects/settings.ts'
import { type FakeS3, type FakeS3Options, startFakeS3 } from '../support/s3.ts'
import { objectsContract } from './objects-contract.ts'

let folder: string
let fake: FakeS3
const opened: Objects[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proofline-s3-'))
  await writeFile(join(folder, 'secret'), 'planted-s3-secret-5ec7e7ed\n')
  fake = await startFakeS3()
})
afterEach(async () => {
  for (const objects of opened.splice(0)) await objects.close()
  await fake.close()
  await rm(folder, { recursive: true })
})

const mebibyte = 1_048_576

async function open(more: Partial<S3Settings> = {}): Promise<Objects> {
  const s3 = {
    bucket: fake.bucket,
    endpoint: fake.url,
    path_style: true,
    access_key_id: fake.keys.accessKeyId,
    secret_access_key_file: join(folder, 'secret'),
    part_bytes: 5 * mebibyte,
    ...more,
  }
  const settings = artifactSettings.parse({ s3 }).s3
  if (settings === undefined) throw new Error('the settings are there')
  const objects = await createS3Objects(settings, { spoolFolder: join(folder, 'spool') })
  opened.push(objects)
  return objects
}

async function startWith(options: FakeS3Options): Promise<void> {
  await fake.close()
  fake = await startFakeS3(options)
}

/** The same bytes every time. */
function* noise(bytes: number): Generator<Buffer> {
  for (let left = bytes, i = 0; left > 0; left -= 65_536, i++) yield Buffer.alloc(Math.min(left, 65_536), i % 251)
}
/** What lies under a key; rejects when it cannot be read. */
async function load(objects: Objects, key: string): Promise<Buffer> {
  const stream = await objects.open(key)
  if (stream === undefined) throw new Error(`there is no ${key}`)
  return await buffer(stream)
}
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const large = (): Buffer => Buffer.concat([...noise(12 * mebibyte)])

describe('createS3Objects', () => {
  objectsContract(open)

  it('puts the prefix before every key', async () => {
    await (await open({ prefix: 'ci/proofline/' })).put('a/b', [Buffer.from('x')])
    expect([...fake.objects.keys()]).toEqual(['ci/proofline/a/b'])
  })

  it('sends large objects in parts and reads them back whole', async () => {
    const objects = await open()
    expect(await objects.put('large', noise(12 * mebibyte))).toBe('stored')
    expect(fake.log.filter((line) => line.includes('partNumber'))).toHaveLength(3)
    expect(fake.uploads.size).toBe(0)
    expect(digest(await load(objects, 'large'))).toBe(digest(large()))
    expect(await objects.put('large', noise(12 * mebibyte))).toBe('existed')
    expect(fake.log.filter((line) => line.includes('partNumber'))).toHaveLength(3)
  })

  it('lets two writers of one large key both finish, the second one without an object', async () => {
    const objects = await open()
    const answers = await Promise.all([
      objects.put('large', noise(12 * mebibyte)),
      objects.put('large', noise(11 * mebibyte)),
    ])
    expect(answers.toSorted()).toEqual(['existed', 'stored'])
    expect(fake.objects.get('large')?.bytes.length).toBe(answers[0] === 'stored' ? 12 * mebibyte : 11 * mebibyte)
    expect(fake.uploads.size).toBe(0)
  })

  it('gives up what it sent when the bytes end with an error in the third part', async () => {
    const objects = await open()
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield* noise(11 * mebibyte)
      throw new Error('the client went away')
    }
    await expect(objects.put('large', broken())).rejects.toThrow('the client went away')
    expect(fake.uploads.size).toBe(0)
    expect(fake.objects.size).toBe(0)
  })

  it.each(['PUT large\\?.*partNumber=2', 'POST large\\?uploadId'])(
    'gives up what it sent when S3 refuses %s',
    async (line) => {
      const objects = await open()
      fake.fail('denied', new RegExp(line))
      await expect(objects.put('large', noise(12 * mebibyte))).rejects.toMatchObject({ code: 'storage_refused' })
      expect(fake.uploads.size).toBe(0)
      expect(fake.objects.size).toBe(0)
    },
  )

  it.each([
    ['small', 1_000, /^PUT/],
    ['large', 12 * mebibyte, /^POST large\?uploadId/],
  ])('believes the object to be there when the answer to a %s one was lost', async (key, bytes, line) => {
    const objects = await open()
    fake.fail('drop-after-storing', line)
    expect(['stored', 'existed']).toContain(await objects.put(key, noise(bytes)))
    expect(fake.objects.get(key)?.bytes.length).toBe(bytes)
  })

  it('waits for another conditional write of the same key to be finished', async () => {
    const objects = await open()
    fake.fail('conflict', /^PUT/, 2)
    expect(await objects.put('key', [Buffer.from('x')])).toBe('stored')
  })

  it('removes nothing that is locked, and says so', async () => {
    await startWith({ lock: true })
    const objects = await open()
    const until = new Date(Date.now() + 60_000)
    await objects.put('kept', [], { retention: { mode: 'compliance', until } })
    expect(await objects.remove('kept')).toBe('locked')
    expect(await objects.has('kept')).toBe(true)
    expect(fake.log.some((line) => line.startsWith('DELETE'))).toBe(false)
  })

  it('passes retention on, for one object or for all, and S3 refuses it where the bucket has no lock', async () => {
    await expect((await open({ object_lock: { mode: 'compliance', days: 1 } })).put('k', [])).rejects.toMatchObject({
      code: 'storage_refused',
    })
    await startWith({ lock: true })
    const until = new Date('2040-01-01T00:00:00.000Z')
    const objects = await open({ object_lock: { mode: 'governance', days: 400 } })
    await objects.put('one', [Buffer.from('x')], { retention: { mode: 'compliance', until } })
    await objects.put('large', noise(12 * mebibyte))
    const writer = await objects.create()
    await writer.commit('late', { retention: { mode: 'compliance', until } })
    expect(fake.objects.get('one')).toMatchObject({ mode: 'COMPLIANCE', until: until.toISOString() })
    expect(fake.objects.get('late')).toMatchObject({ mode: 'COMPLIANCE', until: until.toISOString() })
    const largeOne = fake.objects.get('large')
    expect(largeOne?.mode).toBe('GOVERNANCE')
    expect(Math.round((Date.parse(largeOne?.until ?? '') - Date.now()) / 86_400_000)).toBe(400)
  })

  it.each([
    ['slow-down', 'unavailable', '503'],
    ['internal', 'unavailable', '500'],
    ['drop-before-storing', 'unavailable', 'does not answer'],
    ['denied', 'storage_refused', 'AccessDenied'],
    ['full', 'storage_full', 'InsufficientStorage'],
  ] as const)('says of %s: %s', async (mode, code, detail) => {
    const objects = await open()
    fake.fail(mode, /./, 3)
    await expect(objects.put('key', [Buffer.from('x')])).rejects.toMatchObject({
      code,
      message: expect.stringContaining(detail) as string,
    })
    expect(fake.objects.size).toBe(0)
  })

  it('gets over two failures that pass', async () => {
    fake.fail('slow-down', /./, 2)
    expect(await (await open()).put('key', [Buffer.from('x')])).toBe('stored')
  })

  it('ends waiting for a server that says nothing', async () => {
    fake.fail('hang', /./, 3)
    await expect((await open({ timeout_ms: 200 })).put('key', [Buffer.from('x')])).rejects.toMatchObject({
      code: 'unavailable',
    })
  })

  it('is unavailable where nothing listens', async () => {
    const objects = await open({ endpoint: 'http://127.0.0.1:9' })
    await expect(objects.prove()).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('fails the reader when the connection breaks within an object', async () => {
    const objects = await open()
    await objects.put('key', noise(1_000_000))
    fake.fail('cut', /^GET/)
    await expect(load(objects, 'key')).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('names what is wrong with credentials and bucket, and no secret', async () => {
    await writeFile(join(folder, 'other'), 'another-secret')
    const refused = async (more: Partial<S3Settings>): Promise<string> =>
      (await open(more))
        .put('k', [])
        .then(String, ({ message, code }: Error & { code: string }) => `${code} ${message}`)
    expect(await refused({ secret_access_key_file: join(folder, 'other') })).toMatch(
      /^storage_refused .*SignatureDoesNotMatch/,
    )
    expect(await refused({ access_key_id: 'nobody' })).toMatch(/^storage_refused .*InvalidAccessKeyId/)
    expect(await refused({ bucket: 'not-there' })).toMatch(/^storage_refused .*s3:\/\/not-there.*NoSuchBucket/)
    expect(await refused({ secret_access_key_file: join(folder, 'other') })).not.toContain('another-secret')
    await expect(open({ secret_access_key_file: join(folder, 'none') })).rejects.toThrow(
      'artifacts.s3.secret_access_key_file',
    )
  })

  it('proves once that a bucket stores a key once, and refuses one that does not', async () => {
    await (await open()).prove()
    await (await open()).prove()
    expect([...fake.objects.keys()]).toEqual(['write-once'])
    await startWith({ ignoresConditions: true })
    await expect((await open()).prove()).rejects.toMatchObject({
      code: 'request_invalid',
      message: expect.stringContaining('If-None-Match') as string,
    })
  })

  it('says which package is missing', async () => {
    const settings = s3Settings.parse({ bucket: fake.bucket, path_style: true })
    const loadSdk = (): Promise<never> => Promise.reject(new Error('Cannot find package'))
    await expect(createS3Objects(settings, { spoolFolder: folder, loadSdk })).rejects.toThrow(
      'npm install @aws-sdk/client-s3',
    )
  })

  it('keeps nothing on disk once a writer ended, and removes what a crash left a day ago', async () => {
    const spool = join(folder, 'spool')
    const objects = await open()
    const writer = await objects.create()
    for (const chunk of noise(12 * mebibyte)) await writer.write(chunk)
    expect(await readdir(spool)).toHaveLength(1)
    expect(await writer.commit('late')).toBe('stored')
    expect(fake.objects.get('late')?.bytes.equals(large())).toBe(true)
    const dropped = await objects.create()
    for (const chunk of noise(12 * mebibyte)) await dropped.write(chunk)
    await dropped.abort()
    expect(await readdir(spool)).toEqual([])
    await writeFile(join(spool, 'left.spool'), '')
    const tomorrow = new Date(Date.now() + 2 * 86_400_000)
    const settings = artifactSettings.parse({ s3: { bucket: fake.bucket } }).s3
    if (settings === undefined) throw new Error('the settings are there')
    opened.push(await createS3Objects(settings, { spoolFolder: spool, now: () => tomorrow }))
    expect(await readdir(spool)).toEqual([])
  })

  it('keeps artifacts', async () => {
    const artifacts = createArtifacts(await open())
    const report = Buffer.from('SF:src/a.ts\nDA:1,1\nend_of_record\n'.repeat(1_000))
    const writer = await artifacts.writer()
    await writer.write(report)
    expect(await writer.commit()).toEqual({ sha256: digest(report), bytes: report.length })
    const stream = await artifacts.open(digest(report))
    expect(stream === undefined ? undefined : (await buffer(stream)).equals(report)).toBe(true)
  })
})
