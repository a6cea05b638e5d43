import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type FakeS3, startFakeS3 } from '../support/s3.ts'
import {
  type RunningService,
  aDeclaration,
  anLcov,
  ask,
  cleanEnvironment,
  pushRun,
  readLedger,
  runCli,
  startServe,
  temporaryFolder,
} from '../support/service.ts'

/** Reports as bytes: kept in a folder or in S3, limited, refused with the limit, handed out again. */

let database: TestDatabase
let folder: { path: string; remove(): Promise<void> }
let s3: FakeS3
let inFolder: RunningService
let inS3: RunningService
const quota = {
  PROOFLINE_INTAKE_MAX_DECODED_BYTES: '400000',
  PROOFLINE_INTAKE_QUOTA_REPOSITORY_BYTES_PER_DAY: '1000000',
}

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('artifacts')
  s3 = await startFakeS3()
  await writeFile(join(folder.path, 'secret'), s3.keys.secretAccessKey)
  inFolder = await startServe({ dataDir: join(folder.path, 'folder'), databaseUrl: database.url, env: quota })
  inS3 = await startServe({ dataDir: join(folder.path, 's3'), env: s3Environment() })
})

afterAll(async () => {
  for (const service of [inFolder, inS3]) service.signal('SIGKILL')
  await Promise.all([inFolder.ended, inS3.ended])
  await s3.close()
  await database.drop()
  await folder.remove()
})

function s3Environment(): Record<string, string> {
  return {
    PROOFLINE_ARTIFACTS_S3_BUCKET: s3.bucket,
    PROOFLINE_ARTIFACTS_S3_ENDPOINT: s3.url,
    PROOFLINE_ARTIFACTS_S3_PATH_STYLE: 'true',
    PROOFLINE_ARTIFACTS_S3_ACCESS_KEY_ID: s3.keys.accessKeyId,
    PROOFLINE_ARTIFACTS_S3_SECRET_ACCESS_KEY_FILE: join(folder.path, 'secret'),
  }
}

const digestOf = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex')
const artifactKey = (sha256: string): string => `artifacts/${sha256.slice(0, 2)}/${sha256.slice(2, 4)}/${sha256}.zst`

async function declare(service: RunningService, run: string, repository = 'github.com/acme/payments'): Promise<void> {
  const body = aDeclaration({ repository, test_type: run.slice(run.lastIndexOf('.') + 1) })
  expect((await ask(service, `/v1/runs/${run}`, { method: 'PUT', body })).status).toBe(201)
}
const putPart = (service: RunningService, run: string, body: RequestInit['body']) =>
  ask(service, `/v1/runs/${run}/parts?name=lcov.info`, { method: 'PUT', body })

const rejectionsOf = async (service: RunningService, run: string): Promise<unknown[]> =>
  (await readLedger(service, 'unit', 'rejection')).filter((record) => record['run'] === run)

describe.each(['folder', 's3'] as const)('artifacts kept in %s', (where) => {
  const service = (): RunningService => (where === 'folder' ? inFolder : inS3)

  it('come back byte for byte by route and command, and each fetch is on record before it is answered', async () => {
    const report = anLcov(where.length, 40, 300)
    const sha256 = digestOf(report)
    expect((await pushRun(service(), `local.${where}-get.api.unit`, report)).status).toBe(201)
    const read = async (encoding: string) => {
      const headers = { authorization: `Bearer ${service().token}`, 'accept-encoding': encoding }
      const sent = request(`${service().url}/v1/artifacts/${sha256}`, { headers }).end()
      const answer = await new Promise<import('node:http').IncomingMessage>((resolve) => sent.once('response', resolve))
      return { headers: answer.headers, bytes: Buffer.concat(await answer.toArray()) }
    }
    const plain = await read('identity')
    expect(digestOf(plain.bytes)).toBe(sha256)
    expect(plain.headers).toMatchObject({ 'accept-ranges': 'none', vary: 'accept-encoding' })
    expect(plain.headers['repr-digest']).toBe(`sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`)
    const packed = await read('gzip, zstd')
    expect(packed.headers).toMatchObject({ 'content-encoding': 'zstd', etag: `"${sha256}.zst"` })
    expect(packed.headers['repr-digest']).toBeUndefined()
    expect(packed.bytes.length).toBeLessThan(report.length / 4)
    expect(digestOf(zstdDecompressSync(packed.bytes))).toBe(sha256)

    const out = join(folder.path, `${where}.info`)
    const env = cleanEnvironment(folder.path, { PROOFLINE_URL: service().url, PROOFLINE_TOKEN: service().token })
    expect(await runCli(['artifact', 'get', sha256, '-o', out], { env })).toMatchObject({ code: 0 })
    expect(digestOf(await readFile(out))).toBe(sha256)
    const uses = (await readLedger(service(), 'operations', 'access')).filter(
      ({ params }) => (params as Record<string, unknown>)?.['sha256'] === sha256,
    )
    expect(uses.map(({ route }) => route)).toEqual(['getArtifact', 'getArtifact', 'getArtifact'])
  })
})

describe('bytes that were changed in the storage', () => {
  it('are not handed out as a whole: the connection ends early, and the command leaves no file', async () => {
    const report = anLcov(77, 40, 300)
    const sha256 = digestOf(report)
    expect((await pushRun(inS3, 'local.changed.api.unit', report)).status).toBe(201)
    const object = s3.objects.get(artifactKey(sha256))
    if (object === undefined) throw new Error('the artifact is not in the bucket')
    object.bytes = zstdCompressSync(Buffer.from(anLcov(78, 40, 300)))
    const out = join(folder.path, 'changed.info')
    const env = cleanEnvironment(folder.path, { PROOFLINE_URL: inS3.url, PROOFLINE_TOKEN: inS3.token })
    const { code, stderr } = await runCli(['artifact', 'get', sha256, '-o', out], { env })
    expect({ code, stderr }).toMatchObject({ code: 4, stderr: expect.stringContaining('ended early') as string })
    expect((await readdir(folder.path)).filter((name) => name.startsWith('changed'))).toEqual([])
    await expect(
      fetch(`${inS3.url}/v1/artifacts/${sha256}`, {
        headers: { authorization: `Bearer ${inS3.token}`, 'accept-encoding': 'identity' },
      }).then((answer) => answer.arrayBuffer()),
    ).rejects.toThrow()
  })
})

describe('a quota', () => {
  /** Sends the head of an upload and none of its body; the answer has to come all the same. */
  const announce = async (run: string, bytes: number) => {
    const headers = { authorization: `Bearer ${inFolder.token}`, 'content-length': bytes }
    const sent = request(`${inFolder.url}/v1/runs/${run}/parts?name=lcov.info`, { method: 'PUT', headers })
    sent.flushHeaders()
    const answer = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve)
      sent.once('error', reject)
    })
    const body = JSON.parse(Buffer.concat(await answer.toArray()).toString()) as Record<string, unknown>
    sent.destroy()
    return { status: answer.statusCode, body }
  }

  it('of one artifact refuses before a byte is read, with the limit, and the refusal is on record', async () => {
    const run = 'local.quota-one.api.unit'
    await declare(inFolder, run)
    expect(await announce(run, 400_001)).toMatchObject({
      status: 413,
      body: { code: 'quota_exceeded', quota: { limit: 'artifact_bytes', bytes: 400_000, used: 0 } },
    })
    expect(await rejectionsOf(inFolder, run)).toMatchObject([{ reason: 'quota_exceeded', run, part: 'lcov.info' }])
  })

  it('of a repository ends with its day; a body that does not say its length is read as far as there is room', async () => {
    const repository = 'github.com/acme/quota'
    const report = (seed: number): string => anLcov(seed, 30, 1_000 + seed) // some 267,000 bytes
    const run = (n: number): string => `local.quota-day${n}.api.unit`
    for (let n = 0; n < 5; n++) await declare(inFolder, run(n), repository)
    const used = report(0).length + report(1).length + report(2).length
    for (const n of [0, 1, 2]) expect((await putPart(inFolder, run(n), report(n))).status).toBe(201)
    const refused = {
      status: 413,
      body: { code: 'quota_exceeded', quota: { limit: 'repository_bytes_per_day', bytes: 1_000_000, used } },
    }
    expect(await putPart(inFolder, run(3), report(3))).toMatchObject(refused)
    async function* unannounced(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(report(4))
    }
    expect(await putPart(inFolder, run(4), unannounced())).toMatchObject(refused)
    expect(await rejectionsOf(inFolder, run(3))).toMatchObject([{ reason: 'quota_exceeded' }])
    expect(await rejectionsOf(inFolder, run(4))).toMatchObject([{ reason: 'quota_exceeded' }])
    expect(existsSync(join(folder.path, 'folder', 'artifacts', artifactKey(digestOf(report(4)))))).toBe(false)
    // What is there is told again, quota or not; another repository has its own.
    expect((await putPart(inFolder, run(0), report(0))).status).toBe(200)
    await declare(inFolder, 'local.quota-other.api.unit', 'github.com/acme/other')
    expect((await putPart(inFolder, 'local.quota-other.api.unit', report(3))).status).toBe(201)
  })
})

describe('a storage that does not take the bytes', () => {
  it.each([
    ['internal', 503, 'unavailable'],
    ['denied', 503, 'storage_refused'],
    ['full', 507, 'storage_full'],
  ] as const)(
    'S3 that answers %s: %i, nothing recorded, nothing kept; the same bytes are taken later',
    async (mode, status, code) => {
      const run = `local.s3-${mode}.api.unit`
      const report = anLcov(mode.length + 500)
      await declare(inS3, run)
      s3.fail(mode, /^PUT artifacts/, mode === 'internal' ? 3 : 1) // what passes by itself is tried three times
      const answer = await putPart(inS3, run, report)
      expect(answer).toMatchObject({ status, body: { code } })
      expect(await rejectionsOf(inS3, run)).toEqual([])
      expect(s3.objects.has(artifactKey(digestOf(report)))).toBe(false)
      expect((await putPart(inS3, run, report)).status).toBe(201)
      expect(s3.objects.has(artifactKey(digestOf(report)))).toBe(true)
    },
  )

  it('a disk without room: 507, nothing half-kept; the same bytes are taken when there is room', async () => {
    const run = 'local.disk-full.api.unit'
    await declare(inFolder, run, 'github.com/acme/disk')
    // Lines that do not compress to less than the room: every line has its own name.
    const report = `SF:src/a.ts\n${Array.from({ length: 4_000 }, (_, i) => `FN:${i + 1},f${randomBytes(24).toString('hex')}\n`).join('')}DA:1,1\nend_of_record\n`
    const limit = (soft: string): void =>
      void execFileSync('prlimit', [`--pid=${inFolder.pid}`, `--fsize=${soft}:unlimited`])
    const left = (): Promise<string[]> => readdir(join(folder.path, 'folder', 'artifacts', 'tmp'))
    limit('20480')
    try {
      expect(await putPart(inFolder, run, report)).toMatchObject({ status: 507, body: { code: 'storage_full' } })
    } finally {
      limit('unlimited')
    }
    expect(await left()).toEqual([])
    expect(await rejectionsOf(inFolder, run)).toEqual([])
    expect(await putPart(inFolder, run, report)).toMatchObject({ status: 201 })
  })
})

describe('the start', () => {
  const start = async (env: Record<string, string>) => {
    const { code, stderr, stdout } = await runCli(['serve', '--port', '0', '--data-dir', join(folder.path, 'other')], {
      env: cleanEnvironment(folder.path, { DATABASE_URL: database.url, ...s3Environment(), ...env }),
    })
    return { code, said: stderr + stdout }
  }

  it('ends with what S3 says, and without the secret', async () => {
    const secret = join(folder.path, 'wrong')
    await writeFile(secret, 'a-wrong-secret')
    const denied = await start({ PROOFLINE_ARTIFACTS_S3_SECRET_ACCESS_KEY_FILE: secret })
    expect(denied).toMatchObject({ code: 4, said: expect.stringContaining('SignatureDoesNotMatch') as string })
    expect(denied.said).not.toContain('a-wrong-secret')
    expect(await start({ PROOFLINE_ARTIFACTS_S3_BUCKET: 'not-there' })).toMatchObject({
      code: 4,
      said: expect.stringContaining('NoSuchBucket') as string,
    })
    expect(await start({ PROOFLINE_ARTIFACTS_S3_SECRET_ACCESS_KEY_FILE: '' })).toMatchObject({
      code: 2,
      said: expect.stringContaining('artifacts.s3.secret_access_key_file: is missing') as string,
    })
  })
})
