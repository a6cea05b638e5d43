import { Readable } from 'node:stream'
import type * as Sdk from '@aws-sdk/client-s3'
import { Problem } from '../record/problem.ts'
import { checkKey } from './keys.ts'
import type { Objects, Retention } from './objects.ts'
import { openS3Client } from './s3-client.ts'
import { isAbsent, toStorageProblem } from './s3-errors.ts'
import { createUpload } from './s3-upload.ts'
import type { S3Settings } from './settings.ts'
import { createSpool, sweepSpool } from './spool.ts'

/**
 * Objects in an S3 bucket. A key is written once by a conditional put; whether the server keeps to that is proved once per bucket. Bytes
 * whose key is known only at their end wait in memory or on disk.
 */

export interface S3Deps {
  /** Where bytes wait for their key. */
  spoolFolder: string
  now?: () => Date
  loadSdk?: () => Promise<typeof Sdk>
}

const dayMs = 86_400_000
/** An object of a few bytes that says, by being there, that this bucket stores a key once. */
const proofKey = 'write-once'

export async function createS3Objects(settings: S3Settings, deps: S3Deps): Promise<Objects> {
  const { spoolFolder, now = () => new Date() } = deps
  const { bucket, part_bytes: partBytes, object_lock } = settings
  const { sdk, client } = await openS3Client(settings, 'artifacts.s3', deps.loadSdk)
  await sweepSpool(spoolFolder, new Date(now().getTime() - dayMs))

  const keyOf = (key: string): string => settings.prefix + checkKey(key)
  const explained = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw toStorageProblem(error, bucket)
    })

  const has = async (Key: string): Promise<boolean> => {
    try {
      await client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key }))
      return true
    } catch (error) {
      if (isAbsent(error)) return false
      throw error
    }
  }

  /**
   * By its version where the bucket has versions, which every bucket with Object Lock has: without one only a marker would be put over the
   * bytes. A lock is asked for first, and the storage refuses all the same what it locked.
   */
  const remove = async (Key: string): Promise<'removed' | 'absent' | 'locked'> => {
    try {
      const {
        VersionId,
        ObjectLockRetainUntilDate: until,
        ObjectLockLegalHoldStatus: legal,
      } = await client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key }))
      if ((until !== undefined && until > now()) || legal === 'ON') return 'locked'
      await client.send(
        new sdk.DeleteObjectCommand({ Bucket: bucket, Key, ...(VersionId === undefined ? {} : { VersionId }) }),
      )
      return 'removed'
    } catch (error) {
      if (isAbsent(error)) return 'absent'
      throw error
    }
  }

  const retentionNow = (): Retention | undefined =>
    object_lock === undefined
      ? undefined
      : { mode: object_lock.mode, until: new Date(now().getTime() + object_lock.days * dayMs) }
  const upload = createUpload({ sdk, client, bucket, partBytes, has })
  const put: Objects['put'] = async (key, bytes, { retention = retentionNow() } = {}) =>
    explained(upload(keyOf(key), bytes, retention))

  return {
    put,
    async create() {
      const spool = createSpool(spoolFolder, partBytes)
      return {
        write: spool.write,
        commit: (key, options) => put(key, spool.read(), options).finally(spool.remove),
        abort: spool.remove,
      }
    },
    async open(key, range) {
      const Key = keyOf(key)
      const part = range === undefined ? {} : { Range: `bytes=${range.from}-${range.to - 1}` }
      try {
        const { Body } = await client.send(new sdk.GetObjectCommand({ Bucket: bucket, Key, ...part }))
        if (!(Body instanceof Readable)) throw new Error('the SDK answers without a stream')
        return Readable.from(reading(Body, bucket), { objectMode: false })
      } catch (error) {
        if (isAbsent(error)) return undefined
        throw toStorageProblem(error, bucket)
      }
    },
    has: async (key) => explained(has(keyOf(key))),
    remove: async (key) => explained(remove(keyOf(key))),
    async prove() {
      const bytes = [new TextEncoder().encode('Proofline proved here that a key is stored once.\n')]
      if ((await put(proofKey, bytes)) === 'existed') return
      if ((await put(proofKey, bytes)) === 'existed') return
      const detail = `artifacts.s3: s3://${bucket} stored a key twice: the server ignores If-None-Match, so nothing in it is write-once`
      throw new Problem('request_invalid', detail)
    },
    close: async () => client.destroy(),
  }
}

async function* reading(body: Readable, bucket: string): AsyncGenerator<Uint8Array> {
  try {
    yield* body as AsyncIterable<Uint8Array>
  } catch (error) {
    throw toStorageProblem(error, bucket)
  } finally {
    body.destroy()
  }
}
