import { isIP } from 'node:net'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Certificate } from './certificate.ts'
import { dialDirect, printAddress } from './connect.ts'
import { ConnectError } from './connect-error.ts'
import type { Answer } from './destination.ts'
import { exchange } from './exchange.ts'
import { createPools, type Trust } from './pools.ts'
import { createResolver, type LookUp } from './resolve.ts'
import { fixed, type Source } from './source.ts'
import { dialThrough, type Proxy, targetOf } from './tunnel.ts'

/**
 * Requests to one destination. Each address of its name has connections of its own, and requests take turns. No redirect is followed. A
 * request goes to the next address only when provably nothing was sent. What was seen on the wire is told, not judged.
 */

export interface OutgoingSettings {
  url: string
  /** At once to one address. */
  connections: number
  compression: 'none' | 'gzip'
  /** Answers longer than this are cut off and count as not read. */
  maxAnswerBytes: number
  /** Without: what the system trusts, and no certificate of our own. */
  trust?: Source<Trust>
  proxy?: Proxy
  allowMetadataAddresses: boolean
  /** To connect, handshake included. */
  timeoutMs: number
  lookUp?: LookUp | undefined
}

export interface OutgoingRequest {
  method: 'GET' | 'POST' | 'PUT'
  /** Appended to the path of the destination's URL. */
  path: string
  headers: Readonly<Record<string, string>>
  body?: Buffer
  /** Monotonic milliseconds: no byte is begun after the first, the socket is destroyed at the second. */
  sendBeforeMs?: number
  deadlineMs?: number
  /** Instead of a deadline: from now on. */
  timeoutMs?: number
  /** Called at most once, with a larger body that is not read any more: it has left and was answered, or its compressed copy leaves. */
  left?: (body: Buffer) => void
  /** Only here: one that `addresses` or an answer named. */
  address?: string
  /** Of the answer's body; default utf8. `latin1` keeps bytes that are no text. */
  encoding?: 'utf8' | 'latin1'
}

export interface Outgoing {
  /** Rejects only when `signal` aborted before the first byte; afterwards an abort is a failure that wrote. */
  request(request: OutgoingRequest, signal: AbortSignal): Promise<Answer>
  /** Where the name leads to now; nothing when it does not resolve. */
  addresses(): Promise<readonly string[]>
  /** The newest that each address showed, refused ones too, and our own: of each subject the one that ends first. */
  certificates(): Certificate[]
  close(): Promise<void>
}

const compress = promisify(gzip)

/** `monotonicMs` is performance.now, replaced in tests by a clock that jumps as after a freeze. */
export function createOutgoing(
  settings: OutgoingSettings,
  monotonicMs: () => number = () => performance.now(),
): Outgoing {
  const { trust = fixed({ context: undefined, own: undefined }), proxy } = settings
  const url = new URL(settings.url)
  const prefix = url.pathname.replace(/\/$/, '')
  const target = targetOf(url)
  const resolver = createResolver(target.host, { ...settings, monotonicMs })
  const pools = createPools(target, { origin: url.origin, ...settings }, monotonicMs)
  let turn = 0
  let own: Certificate | undefined

  /** By turns, those that could not be reached a moment ago last. A proxy resolves the name itself: then there is one place, the name. */
  async function order(): Promise<string[]> {
    const ips = proxy !== undefined && isIP(target.host) === 0 ? [target.host] : await resolver.addresses()
    const all = ips.map((ip) => printAddress(ip, target.port))
    pools.keepOnly(all)
    const from = turn++ % all.length
    const turned = [...all.slice(from), ...all.slice(0, from)]
    return [
      ...turned.filter((address) => !pools.isAvoided(address)),
      ...turned.filter((address) => pools.isAvoided(address)),
    ]
  }

  async function placesFor(address: string | undefined): Promise<string[] | ConnectError> {
    if (address !== undefined) {
      if (resolver.allows(ipOf(address))) return [address]
      return new ConnectError('resolve', 'ADDRESS_REFUSED', `${address} is a link-local or metadata address`, address)
    }
    try {
      return await order()
    } catch (error) {
      if (error instanceof ConnectError) return error
      throw error
    }
  }

  async function request(wanted: OutgoingRequest, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted()
    const startedMs = monotonicMs()
    const { method, path, sendBeforeMs = Infinity, timeoutMs = 60_000, deadlineMs = startedMs + timeoutMs, encoding = 'utf8' } = wanted // oxfmt-ignore
    const headers: Record<string, string> = { ...wanted.headers }
    let { body, left } = wanted
    if (body !== undefined && settings.compression === 'gzip') {
      const plain = body
      body = await compress(plain, { level: 1 })
      left?.(plain)
      left = undefined
      headers['content-encoding'] = 'gzip'
    }
    if (body !== undefined) headers['content-length'] = String(body.length)
    const current = await trust.read()
    own = current.own
    const addresses = await placesFor(wanted.address)
    signal.throwIfAborted()
    if (addresses instanceof ConnectError) return unreached(addresses, monotonicMs() - startedMs)
    const { maxAnswerBytes } = settings
    const common = { origin: url.origin, path: prefix + path, method, headers, body, sendBeforeMs, deadlineMs, left, maxAnswerBytes, encoding, monotonicMs } // oxfmt-ignore
    const tried: string[] = []
    for (const [i, address] of addresses.entries()) {
      const ip = ipOf(address)
      const dial = proxy === undefined ? dialDirect(ip, target.port) : dialThrough(proxy, ip, target.port)
      const answer = await exchange({ ...common, pool: pools.at(address, dial, current), address }, signal)
      const isUnreached = answer.kind === 'failure' && !answer.wrote && answer.code !== 'TIMEOUT'
      if (!isUnreached || i === addresses.length - 1 || monotonicMs() > sendBeforeMs) {
        if (!isUnreached || tried.length === 0) return answer
        return { ...answer, message: `${answer.message}; before that ${tried.join(', ')}` }
      }
      tried.push(`${answer.address} (${answer.phase} ${answer.code})`)
    }
    throw new Error('a name leads to one address at least')
  }

  return {
    request,
    addresses: () => order().catch(() => []),
    certificates() {
      const bySubject = new Map<string, Certificate>()
      for (const one of [...pools.certificates(), own].filter((known) => known !== undefined)) {
        const other = bySubject.get(one.subject)
        if (other === undefined || one.expiresAt < other.expiresAt) bySubject.set(one.subject, one)
      }
      return [...bySubject.values()]
    },
    close: () => pools.close(),
  }
}

/** Of `ip:port` or `[ip]:port`. */
const ipOf = (address: string): string => address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')

function unreached({ phase, code, message, address }: ConnectError, elapsedMs: number): Answer {
  return { kind: 'failure', phase, wrote: false, code, message, address, elapsedMs }
}
