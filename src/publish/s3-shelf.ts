import { createHash } from 'node:crypto'
import type * as Sdk from '@aws-sdk/client-s3'
import { type S3Client, openS3Client } from '../objects/s3-client.ts'
import { isAbsent, s3Status, toStorageProblem } from '../objects/s3-errors.ts'
import type { S3Settings } from '../objects/settings.ts'
import { Problem } from '../record/problem.ts'
import { type Shelf, assertSame, assertStill } from './shelf.ts'

/** What a CDN may keep: tiles for ever; of the checkpoint only so much that many readers at once are one request. */
const lasting = 'public, max-age=31536000, immutable'
const fleeting = 'public, max-age=5'

/**
 * Objects of a bucket. A tile is stored by a put that fails when its key is taken; the checkpoint by one that fails when it is no longer
 * the object that was read, so of two publishers the slower one is refused. Bytes are stored as they are, without compression: other
 * versions of gzip make other bytes of the same tile.
 */
export async function createS3Shelf(settings: S3Settings, loadSdk?: () => Promise<typeof Sdk>): Promise<Shelf> {
  const { sdk, client }: S3Client = await openS3Client(settings, 'publish.s3', loadSdk)
  const { bucket, prefix } = settings
  const name = `s3://${bucket}/${prefix}`
  const explained = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw toStorageProblem(error, bucket, 'published log')
    })

  const read = async (path: string): Promise<{ bytes: Uint8Array; etag: string | undefined } | undefined> => {
    try {
      const { Body, ETag } = await client.send(new sdk.GetObjectCommand({ Bucket: bucket, Key: prefix + path }))
      if (Body === undefined) throw new Error('the SDK answers without a body')
      return { bytes: await Body.transformToByteArray(), etag: ETag }
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }

  /** Answers false when the condition was not met. */
  const put = async (path: string, bytes: Uint8Array, more: Partial<Sdk.PutObjectCommandInput>): Promise<boolean> => {
    const checksum = createHash('sha256').update(bytes).digest('base64')
    try {
      await client.send(
        new sdk.PutObjectCommand({
          Bucket: bucket,
          Key: prefix + path,
          Body: bytes,
          ChecksumAlgorithm: 'SHA256',
          ChecksumSHA256: checksum,
          ...more,
        }),
      )
      return true
    } catch (error) {
      // 409: another conditional write of this key is being finished. Whoever wins, the caller looks at what stands there.
      if (s3Status(error) === 412 || s3Status(error) === 409) return false
      throw error
    }
  }

  return {
    name,
    get: async (path) => (await explained(read(path)))?.bytes,
    putOnce: (path, bytes) =>
      explained(
        (async () => {
          // The conditional put first: nearly always nothing is there, and one request is cheaper than two.
          const headers = { ContentType: 'application/octet-stream', CacheControl: lasting }
          if (await put(path, bytes, { ...headers, IfNoneMatch: '*' })) return
          const found = await read(path)
          if (found === undefined)
            throw new Problem('unavailable', `${name}${path} is being written by another process`)
          assertSame(name, path, found.bytes, bytes)
        })(),
      ),
    settle: async () => {}, // what S3 answered is durable
    replace: (path, bytes, before) =>
      explained(
        (async () => {
          const found = await read(path)
          assertStill(name, path, found?.bytes, before)
          const condition = found === undefined ? { IfNoneMatch: '*' } : { IfMatch: found.etag }
          const headers = { ContentType: 'text/plain; charset=utf-8', CacheControl: fleeting }
          if (await put(path, bytes, { ...headers, ...condition })) return
          // A first try whose answer was lost has stored it, and its repeat met it.
          assertStill(name, path, (await read(path))?.bytes, bytes)
        })(),
      ),
    async dropPartials(path) {
      const folder = `${prefix}${path}.p/`
      try {
        const { Contents = [] } = await client.send(new sdk.ListObjectsV2Command({ Bucket: bucket, Prefix: folder }))
        const Objects = Contents.flatMap(({ Key }) => (Key === undefined ? [] : [{ Key }]))
        if (Objects.length > 0)
          await client.send(new sdk.DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }))
      } catch {
        // A credential that may not list or delete is fine: partial tiles cost room and nothing else.
      }
    },
    claim: async () => ({ release() {} }), // the condition on the checkpoint is the claim
    close: async () => client.destroy(),
  }
}
