import { promisify } from 'node:util'
import { constants, gzip, zstdCompress } from 'node:zlib'

/** Compresses answers for who asks for it; in the thread pool, so nothing waits for it. */

const gzipBytes = promisify(gzip)
const zstdBytes = promisify(zstdCompress)
/** Less is not worth the header. */
const minBytes = 1_024

export type AnswerEncoding = 'identity' | 'gzip' | 'zstd'

/** The best encoding that an Accept-Encoding header allows; identity where it names none that we write. */
export function chooseEncoding(header: string | undefined): AnswerEncoding {
  const allowed = new Map<string, number>()
  for (const item of (header ?? '').toLowerCase().split(',')) {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim())
    const quality = parameters.find((parameter) => parameter.startsWith('q='))
    // RFC 9110, 8.4.1.3: x-gzip is the same.
    allowed.set(name === 'x-gzip' ? 'gzip' : name, quality === undefined ? 1 : Number(quality.slice(2)))
  }
  const quality = (name: string): number => allowed.get(name) ?? allowed.get('*') ?? 0
  const zstd = allowed.get('zstd') ?? 0 // a bare * is sent by clients that know only gzip
  if (zstd > 0 && zstd >= quality('gzip')) return 'zstd'
  return quality('gzip') > 0 ? 'gzip' : 'identity'
}

/** The body with the headers that say what was done to it. */
export async function encodeAnswer(
  body: Buffer,
  encoding: AnswerEncoding,
): Promise<{ body: Buffer; headers: Record<string, string> }> {
  if (encoding === 'identity' || body.length < minBytes) return { body, headers: {} }
  const compressed =
    encoding === 'gzip'
      ? await gzipBytes(body, { level: 4 })
      : await zstdBytes(body, { params: { [constants.ZSTD_c_compressionLevel]: 3 } })
  return { body: compressed, headers: { 'content-encoding': encoding } }
}
