import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** AWS Signature Version 4 as a server checks it, from the specification; independent of the SDK that signs. */

export interface Keys {
  accessKeyId: string
  secretAccessKey: string
}

export type Verdict = 'ok' | 'AccessDenied' | 'InvalidAccessKeyId' | 'SignatureDoesNotMatch' | 'RequestTimeTooSkewed'

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)

/** `body` is what arrived: its digest must be the one that was signed, unless it was signed as UNSIGNED-PAYLOAD. */
export function checkSignature(request: IncomingMessage, body: Uint8Array, keys: Keys, now: Date): Verdict {
  const { headers, method = '' } = request
  const found =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    )
  if (found === null) return 'AccessDenied'
  const [, id = '', day = '', region = '', signed = '', signature = ''] = found
  if (id !== keys.accessKeyId) return 'InvalidAccessKeyId'
  const stamp = String(headers['x-amz-date'] ?? '')
  const at = Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  if (!(Math.abs(at - now.getTime()) < 15 * 60_000)) return 'RequestTimeTooSkewed'
  const names = signed.split(';')
  if (
    !names.includes('host') ||
    Object.keys(headers).some((name) => name.startsWith('x-amz-') && !names.includes(name))
  )
    return 'AccessDenied'
  const payload = String(headers['x-amz-content-sha256'] ?? '')
  if (payload !== 'UNSIGNED-PAYLOAD' && payload !== sha256(body)) return 'SignatureDoesNotMatch'

  const url = new URL(request.url ?? '/', 'http://fake')
  const query = [...url.searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .toSorted()
    .join('&')
  const path = url.pathname
    .split('/')
    .map((part) => encode(decodeURIComponent(part)))
    .join('/')
  const lines = names.map((name) => `${name}:${[headers[name] ?? ''].flat().join(',').trim().replace(/ +/g, ' ')}\n`)
  const canonical = [method, path, query, lines.join(''), signed, payload].join('\n')
  const scope = `${day}/${region}/s3/aws4_request`
  const text = ['AWS4-HMAC-SHA256', stamp, scope, sha256(canonical)].join('\n')
  const key = ['s3', 'aws4_request'].reduce(hmac, hmac(hmac(`AWS4${keys.secretAccessKey}`, day), region))
  return timingSafeEqual(hmac(key, text), Buffer.from(signature, 'hex')) ? 'ok' : 'SignatureDoesNotMatch'
}
