import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type * as Sdk from '@aws-sdk/client-s3'
import type { Retention, Stored } from './objects.ts'
import { s3Code, s3Status } from './s3-errors.ts'

/**
 * Puts bytes under a key that was never used, or finds it used: `If-None-Match: *` on the one request that makes the object appear, a
 * SHA-256 on every request that carries bytes. Memory: three parts. A failure leaves no object; parts that went up are given back.
 */
export type Upload = (
  key: string,
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  retention?: Retention,
) => Promise<Stored>

export interface UploadDeps {
  sdk: typeof Sdk
  client: Sdk.S3Client
  bucket: string
  partBytes: number
  has: (key: string) => Promise<boolean>
}

const inFlight = 2
/** S3 answers 409 while another conditional write of the same key is being finished: it is asked again, after growing pauses. */
const conflictPausesMs = [100, 300, 1_000, 3_000]

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64')

export function createUpload({ sdk, client, bucket, partBytes, has }: UploadDeps): Upload {
  const put = async (Key: string, Body: Uint8Array, lock: object): Promise<Stored> => {
    const checksum = { ChecksumAlgorithm: 'SHA256', ChecksumSHA256: digestOf(Body) } as const
    for (const pauseMs of [...conflictPausesMs, undefined]) {
      try {
        await client.send(
          new sdk.PutObjectCommand({ Bucket: bucket, Key, Body, IfNoneMatch: '*', ...checksum, ...lock }),
        )
        return 'stored'
      } catch (error) {
        if (s3Status(error) === 412) return 'existed'
        if (s3Status(error) !== 409 || pauseMs === undefined) throw error
        await sleep(pauseMs)
      }
    }
    throw new Error('unreachable: the last pause is undefined')
  }

  const putParts = async (Key: string, parts: AsyncIterable<Uint8Array>, lock: object): Promise<Stored> => {
    const begun = await client.send(
      new sdk.CreateMultipartUploadCommand({ Bucket: bucket, Key, ChecksumAlgorithm: 'SHA256', ...lock }),
    )
    const upload = { Bucket: bucket, Key, UploadId: begun.UploadId }
    const abort = async (): Promise<void> => {
      await client.send(new sdk.AbortMultipartUploadCommand(upload))
    }
    const send = async (PartNumber: number, Body: Uint8Array): Promise<Sdk.CompletedPart> => {
      const ChecksumSHA256 = digestOf(Body)
      const { ETag } = await client.send(new sdk.UploadPartCommand({ ...upload, PartNumber, Body, ChecksumSHA256 }))
      return { PartNumber, ETag, ChecksumSHA256 }
    }
    const sent: Promise<Sdk.CompletedPart>[] = []
    try {
      for await (const part of parts) {
        const sending = send(sent.length + 1, part)
        sending.catch(() => {}) // met where it is awaited
        sent.push(sending)
        await sent[sent.length - inFlight]
      }
      const Parts = await Promise.all(sent)
      await client.send(
        new sdk.CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts }, IfNoneMatch: '*' }),
      )
      return 'stored'
    } catch (error) {
      // A first try whose answer was lost has completed it, and the repeat finds no upload any more.
      if (s3Code(error) === 'NoSuchUpload' && (await has(Key))) return 'stored'
      await Promise.allSettled(sent)
      // What cannot be given back now is removed by the bucket's own rule for unfinished uploads (docs/operating.md).
      await abort().catch(() => {})
      if (s3Status(error) === 412) return 'existed'
      if (s3Status(error) === 409 && (await appears(Key))) return 'existed'
      throw error
    }
  }

  /** Whether the write that was in our way finishes. */
  const appears = async (key: string): Promise<boolean> => {
    for (const pauseMs of conflictPausesMs) {
      if (await has(key)) return true
      await sleep(pauseMs)
    }
    return has(key)
  }

  return async (key, bytes, retention) => {
    const parts = partsOf(bytes, partBytes)
    const first = (await parts.next()).value ?? new Uint8Array(0)
    const lock =
      retention === undefined
        ? {}
        : {
            ObjectLockMode: retention.mode.toUpperCase() as Sdk.ObjectLockMode,
            ObjectLockRetainUntilDate: retention.until,
          } // the SDK's word
    if (first.length < partBytes) return put(key, first, lock)
    if (await has(key)) return 'existed' // before many bytes go up for nothing; the completion decides all the same
    return putParts(key, prepended(first, parts), lock)
  }
}

async function* prepended(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first
  yield* rest
}

/** Pieces of exactly `size` bytes, the last one shorter. */
async function* partsOf(
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array, undefined> {
  let gathered: Uint8Array[] = []
  let length = 0
  for await (let chunk of bytes) {
    while (length + chunk.length >= size) {
      gathered.push(chunk.subarray(0, size - length))
      chunk = chunk.subarray(size - length)
      yield Buffer.concat(gathered, size)
      gathered = []
      length = 0
    }
    // Copied: whoever wrote it may use its memory again.
    gathered.push(Uint8Array.from(chunk))
    length += chunk.length
  }
  if (length > 0) yield Buffer.concat(gathered, length)
  return undefined
}
