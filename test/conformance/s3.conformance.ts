import { createHash, randomUUID } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Objects, createArtifacts } from '../../src/objects/objects.ts'
import { createS3Objects } from '../../src/objects/s3.ts'
import { type S3Settings, artifactSettings } from '../../src/objects/settings.ts'
import { objectsContract } from '../objects/objects-contract.ts'

/** A real S3 server: TEST_S3_ENDPOINT, TEST_S3_BUCKET (with Object Lock), TEST_S3_KEY, TEST_S3_SECRET. */
const env = (name: string): string => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set: run npm run conformance`)
  return value
}

let folder: string
const opened: Objects[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proofline-s3-'))
  await writeFile(join(folder, 'secret'), env('TEST_S3_SECRET'))
})
afterAll(async () => {
  for (const objects of opened) await objects.close()
  await rm(folder, { recursive: true })
})

/** Each test has keys of its own, by a prefix. */
async function open(more: Partial<S3Settings> = {}): Promise<Objects> {
  const s3 = {
    bucket: env('TEST_S3_BUCKET'),
    endpoint: env('TEST_S3_ENDPOINT'),
    path_style: true,
    prefix: `${randomUUID()}/`,
    access_key_id: env('TEST_S3_KEY'),
    secret_access_key_file: join(folder, 'secret'),
    ...more,
  }
  const settings = artifactSettings.parse({ s3 }).s3
  if (settings === undefined) throw new Error('the settings are there')
  const objects = await createS3Objects(settings, { spoolFolder: join(folder, 'spool') })
  opened.push(objects)
  return objects
}

const mebibyte = 1_048_576
function* pieces(bytes: number): Generator<Buffer> {
  for (let left = bytes, i = 0; left > 0; left -= mebibyte, i++) yield Buffer.alloc(Math.min(left, mebibyte), i)
}

describe('createS3Objects over a real server', () => {
  objectsContract(open)

  it('proves that the server stores a key once', async () => {
    const objects = await open()
    await objects.prove()
    await objects.prove()
  })

  it('sends 40 MiB in parts, once, and reads them back whole', async () => {
    const objects = await open()
    const digest = createHash('sha256')
      .update(Buffer.concat([...pieces(40 * mebibyte)]))
      .digest('hex')
    expect(await objects.put('large', pieces(40 * mebibyte))).toBe('stored')
    expect(await objects.put('large', pieces(41 * mebibyte))).toBe('existed')
    const stream = await objects.open('large')
    if (stream === undefined) throw new Error('it is gone')
    expect(
      createHash('sha256')
        .update(await buffer(stream))
        .digest('hex'),
    ).toBe(digest)
  })

  it('leaves no object when the bytes end with an error in a later part', async () => {
    const objects = await open()
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield* pieces(20 * mebibyte)
      throw new Error('the client went away')
    }
    await expect(objects.put('large', broken())).rejects.toThrow('the client went away')
    expect(await objects.has('large')).toBe(false)
  })

  it('stores with a retention', async () => {
    const objects = await open({ object_lock: { mode: 'governance', days: 1 } })
    expect(await objects.put('small', [Buffer.from('x')])).toBe('stored')
    expect(await objects.put('large', pieces(20 * mebibyte))).toBe('stored')
  })

  it('keeps artifacts', async () => {
    const artifacts = createArtifacts(await open())
    const writer = await artifacts.writer()
    for (const piece of pieces(5 * mebibyte)) await writer.write(piece)
    const { sha256, bytes } = await writer.commit()
    const stream = await artifacts.open(sha256)
    if (stream === undefined) throw new Error('it is gone')
    expect((await buffer(stream)).length).toBe(bytes)
  })

  it('says that a wrong secret is refused, and a bucket that is not there', async () => {
    await writeFile(join(folder, 'other'), 'another')
    await expect((await open({ secret_access_key_file: join(folder, 'other') })).prove()).rejects.toMatchObject({
      code: 'storage_refused',
    })
    await expect((await open({ bucket: 'not-there' })).prove()).rejects.toMatchObject({ code: 'storage_refused' })
  })
})
