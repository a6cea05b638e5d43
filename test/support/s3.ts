import { planted } from './secrets.ts'
import { createHash, randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { listen } from './http-fake.ts'
import { type Keys, checkSignature } from './sigv4.ts'

/**
 * An S3 of our own: one bucket, path style. A real HTTP server that checks signatures and checksums, keeps to `If-None-Match: *` on put
 * and completion (unless told not to), to the least size of a part, and to Object Lock's demands.
 */

export type S3Failure =
  | 'drop-before-storing'
  | 'drop-after-storing'
  | 'slow-down' // 503
  | 'internal' // 500
  | 'denied'
  | 'full' // 507
  | 'conflict' // 409, as when another conditional write is being finished
  | 'cut' // half of the object, then gone
  | 'hang' // no answer

export interface FakeObject {
  bytes: Buffer
  mode: string | undefined
  until: string | undefined
  type?: string | undefined
  cacheControl?: string | undefined
}

export interface FakeS3 {
  url: string
  bucket: string
  keys: Keys
  objects: Map<string, FakeObject>
  /** Uploads in parts that were begun and neither completed nor aborted. */
  uploads: Map<string, unknown>
  /** `PUT key`, `POST key?uploads`, ... as they came. */
  log: string[]
  /** The next requests that `matching` accepts fail like this. */
  fail(mode: S3Failure, matching?: RegExp, times?: number): void
  /** Nothing fails any more that was to fail. */
  settle(): void
  close(): Promise<void>
}

export interface FakeS3Options {
  /** Object Lock on the bucket. */
  lock?: boolean
  /** As servers do that never heard of conditional writes. */
  ignoresConditions?: boolean
  minPartBytes?: number
}

interface Upload {
  key: string
  parts: Map<number, { bytes: Buffer; etag: string; sha256: string }>
  lock: Pick<FakeObject, 'mode' | 'until'>
}

const refusals: Partial<Record<S3Failure, [number, string]>> = {
  'slow-down': [503, 'SlowDown'],
  internal: [500, 'InternalError'],
  denied: [403, 'AccessDenied'],
  full: [507, 'InsufficientStorage'],
  conflict: [409, 'ConditionalRequestConflict'],
}

/** Thrown inside, answered as S3's error document. */
class Refused extends Error {
  readonly status: number
  constructor(status: number, code: string) {
    super(code)
    this.status = status
  }
}

const base64 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('base64')

export async function startFakeS3(options: FakeS3Options = {}): Promise<FakeS3> {
  const { lock = false, ignoresConditions = false, minPartBytes = 5 * 1_048_576 } = options
  const bucket = 'proofline-artifacts'
  const keys = { accessKeyId: 'AKIDFAKE', secretAccessKey: planted('s3-secret') }
  const objects = new Map<string, FakeObject>()
  const uploads = new Map<string, Upload>()
  const log: string[] = []
  const planned: { mode: S3Failure; matching: RegExp }[] = []

  const lockOf = ({ headers }: IncomingMessage): Upload['lock'] => {
    const mode = headers['x-amz-object-lock-mode']?.toString()
    const until = headers['x-amz-object-lock-retain-until-date']?.toString()
    if ((mode ?? until) !== undefined && !lock) throw new Refused(400, 'InvalidRequest')
    if (mode !== undefined && !/^(GOVERNANCE|COMPLIANCE)$/.test(mode)) throw new Refused(400, 'MalformedXML')
    if (until !== undefined && !(Date.parse(until) > Date.now())) throw new Refused(400, 'InvalidArgument')
    return { mode, until: until === undefined ? undefined : new Date(until).toISOString() }
  }

  const checkSum = ({ headers }: IncomingMessage, body: Buffer, required: boolean): void => {
    const announced = headers['x-amz-checksum-sha256']
    if (announced === undefined && required) throw new Refused(400, 'InvalidRequest')
    if (announced !== undefined && announced !== base64(body)) throw new Refused(400, 'BadDigest')
  }

  const store = ({ headers }: IncomingMessage, key: string, object: FakeObject): void => {
    if (headers['if-none-match'] === '*' && objects.has(key) && !ignoresConditions)
      throw new Refused(412, 'PreconditionFailed')
    const [wanted, held] = [headers['if-match'], objects.get(key)]
    if (wanted !== undefined && !ignoresConditions) {
      if (held === undefined) throw new Refused(404, 'NoSuchKey')
      if (wanted !== `"${base64(held.bytes)}"`) throw new Refused(412, 'PreconditionFailed')
    }
    objects.set(key, { ...object, type: headers['content-type'], cacheControl: headers['cache-control'] })
  }

  const complete = (request: IncomingMessage, id: string, key: string, body: string): void => {
    const upload = uploads.get(id)
    if (upload?.key !== key) throw new Refused(404, 'NoSuchUpload')
    const named = [...body.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => {
      const text = (name: string): string => new RegExp(`<${name}>(.*?)</${name}>`).exec(part)?.[1] ?? ''
      return {
        number: Number(text('PartNumber')),
        etag: text('ETag').replaceAll('&quot;', '"'),
        sha256: text('ChecksumSHA256'),
      }
    })
    const parts = named.map(({ number, etag, sha256 }, i) => {
      const part = upload.parts.get(number)
      if (part === undefined || part.etag !== etag || part.sha256 !== sha256) throw new Refused(400, 'InvalidPart')
      if (i > 0 && number <= (named[i - 1]?.number ?? 0)) throw new Refused(400, 'InvalidPartOrder')
      if (i < named.length - 1 && part.bytes.length < minPartBytes) throw new Refused(400, 'EntityTooSmall')
      return part.bytes
    })
    if (parts.length === 0) throw new Refused(400, 'MalformedXML')
    store(request, key, { bytes: Buffer.concat(parts), ...upload.lock })
    uploads.delete(id)
  }

  /** What the request does, and its answer's body; throws Refused. */
  const act = (
    request: IncomingMessage,
    key: string,
    query: URLSearchParams,
    body: Buffer,
  ): [string | Buffer, object] => {
    const { method } = request
    const id = query.get('uploadId')
    if (key === '' && method === 'HEAD') return ['', {}]
    if (key === '' && query.get('list-type') === '2') {
      const names = [...objects.keys()].filter((name) => name.startsWith(query.get('prefix') ?? ''))
      const contents = names.map((name) => `<Contents><Key>${name}</Key></Contents>`).join('')
      return [`<ListBucketResult><IsTruncated>false</IsTruncated>${contents}</ListBucketResult>`, {}]
    }
    if (key === '' && method === 'POST' && query.has('delete')) {
      for (const [, name = ''] of body.toString().matchAll(/<Key>(.*?)<\/Key>/g)) objects.delete(name)
      return ['<DeleteResult></DeleteResult>', {}]
    }
    if (method === 'GET' || method === 'HEAD') {
      const object = objects.get(key)
      if (object === undefined) throw new Refused(404, 'NoSuchKey')
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
      const part = from === undefined ? object.bytes : object.bytes.subarray(Number(from), Number(to) + 1)
      const lock = object.until === undefined ? {} : { 'x-amz-object-lock-retain-until-date': object.until }
      return [part, { ...lock, etag: `"${base64(object.bytes)}"` }]
    }
    if (method === 'POST' && query.has('uploads')) {
      const begun = randomUUID()
      uploads.set(begun, { key, parts: new Map(), lock: lockOf(request) })
      return [`<InitiateMultipartUploadResult><UploadId>${begun}</UploadId></InitiateMultipartUploadResult>`, {}]
    }
    if (method === 'PUT' && id !== null) {
      const upload = uploads.get(id)
      if (upload === undefined) throw new Refused(404, 'NoSuchUpload')
      checkSum(request, body, true)
      const etag = `"${createHash('md5').update(body).digest('hex')}"`
      upload.parts.set(Number(query.get('partNumber')), { bytes: body, etag, sha256: base64(body) })
      return ['', { etag, 'x-amz-checksum-sha256': base64(body) }]
    }
    if (method === 'POST' && id !== null) {
      complete(request, id, key, body.toString())
      return [`<CompleteMultipartUploadResult><Key>${key}</Key></CompleteMultipartUploadResult>`, {}]
    }
    if (method === 'DELETE' && id !== null) {
      if (!uploads.delete(id)) throw new Refused(404, 'NoSuchUpload')
      return ['', {}]
    }
    if (method === 'DELETE') {
      const until = objects.get(key)?.until
      if (until !== undefined && Date.parse(until) > Date.now()) throw new Refused(403, 'AccessDenied')
      objects.delete(key)
      return ['', {}]
    }
    if (method !== 'PUT') throw new Refused(405, 'MethodNotAllowed')
    const held = lockOf(request)
    checkSum(request, body, held.mode !== undefined)
    store(request, key, { bytes: body, ...held })
    return ['', { etag: '"1"' }]
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://fake')
    const key = decodeURIComponent(url.pathname.slice(bucket.length + 2))
    const line = `${request.method} ${key}${url.search}`
    log.push(line)
    const body = await buffer(request)
    const at = planned.findIndex(({ matching }) => matching.test(line))
    const mode = at < 0 ? undefined : planned.splice(at, 1)[0]?.mode
    const answer = (status: number, text: string | Buffer, headers: object = {}): void => {
      response.writeHead(status, { 'content-length': text.length, ...headers })
      response.end(request.method === 'HEAD' ? undefined : text)
    }
    try {
      if (mode === 'hang') return
      if (mode === 'drop-before-storing') return void request.socket.destroy()
      const refusal = mode === undefined ? undefined : refusals[mode]
      if (refusal !== undefined) throw new Refused(...refusal)
      const verdict = checkSignature(request, body, keys, new Date())
      if (verdict !== 'ok') throw new Refused(403, verdict)
      if (url.pathname.split('/')[1] !== bucket) throw new Refused(404, 'NoSuchBucket')
      const [text, headers] = act(request, key, url.searchParams, body)
      if (mode === 'drop-after-storing') return void request.socket.destroy()
      if (mode !== 'cut') return answer(request.method === 'DELETE' ? 204 : 200, text, headers)
      response.writeHead(200, { 'content-length': text.length })
      response.write(text.slice(0, text.length >> 1), () => setTimeout(() => request.socket.destroy(), 20))
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      answer(
        error.status,
        `<?xml version="1.0"?><Error><Code>${error.message}</Code><Message>as told</Message></Error>`,
      )
    }
  }

  const listening = await listen(handle)
  return {
    url: listening.url, bucket, keys, objects, uploads, log,
    fail: (mode, matching = /./, times = 1) => void planned.push(...Array(times).fill({ mode, matching })),
    settle: () => void (planned.length = 0), close: listening.close,
  } // oxfmt-ignore
}
