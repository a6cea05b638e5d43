import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import { Client } from 'undici'
import { type Dial, dialDirect, open, printAddress, type Target } from './connect.ts'
import { ConnectError, messageOf } from './connect-error.ts'
import type { Resolver } from './resolve.ts'
import type { Secret } from './secret.ts'
import type { Source } from './source.ts'

export interface Proxy {
  url: URL
  credential: Source<{ username: string; password: Secret }> | undefined
  /** For a proxy that is reached by https. */
  context: Source<SecureContext | undefined>
  resolver: Resolver
}

export function targetOf(url: URL): Target {
  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return { host, port: Number(url.port || (secure ? 443 : 80)), secure }
}

/**
 * A tunnel through a proxy by CONNECT, for https and http alike: the proxy sees a name and a port, the request goes end to end. Each is
 * a connection of its own. The name is resolved by the proxy. Errors are of phase connect (or resolve, tls) with the proxy's address.
 */
export function dialThrough(proxy: Proxy, host: string, port: number): Dial {
  return async (endMs) => {
    const leftMs = (): number => Math.max(1, Math.round(endMs - performance.now()))
    let address = proxy.url.host
    const client = new Client(proxy.url.origin, {
      connect(_, callback) {
        reach(proxy, endMs).then(
          (reached) => {
            address = reached.address
            callback(null, reached.socket)
          },
          (error: unknown) => callback(error instanceof Error ? error : new Error(messageOf(error)), null),
        )
      },
      headersTimeout: leftMs(),
    })
    try {
      const credential = await proxy.credential?.read()
      const place = printAddress(host, port)
      const { statusCode, socket } = await client.connect({
        path: place,
        headers: {
          host: place,
          ...(credential === undefined ? {} : { 'proxy-authorization': basic(credential) }),
        },
        signal: AbortSignal.timeout(leftMs()),
      })
      if (statusCode >= 200 && statusCode < 300) return socket as Socket // the connection itself, which undici types as a Duplex
      socket.on('error', () => undefined).destroy()
      if (statusCode === 407) proxy.credential?.expire()
      const said = `the proxy answers HTTP ${statusCode} to CONNECT ${place}`
      throw new ConnectError('connect', `PROXY_${statusCode}`, said, address)
    } catch (error) {
      if (!(error instanceof ConnectError)) {
        // No code of undici's own: by those it takes a failed connection for one to be tried again, without an end.
        const code = performance.now() >= endMs ? 'ETIMEDOUT' : 'PROXY_CLOSED'
        throw new ConnectError('connect', code, `proxy: ${messageOf(error)}`, address)
      }
      if (error.code.startsWith('PROXY_')) throw error
      throw new ConnectError(error.phase, error.code, `proxy: ${error.message}`, error.address, error.certificate)
    } finally {
      // The tunnel has left the client and stays.
      void client.destroy()
    }
  }
}

/** Connects to one of the proxy's own addresses. */
async function reach(proxy: Proxy, endMs: number): Promise<{ socket: Socket; address: string }> {
  const target = targetOf(proxy.url)
  const context = await proxy.context.read()
  let last: ConnectError | undefined
  for (const ip of await proxy.resolver.addresses()) {
    const address = printAddress(ip, target.port)
    try {
      const socket = await open(dialDirect(ip, target.port), target, address, context, endMs - performance.now())
      return { socket, address }
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error
      last = error
    }
  }
  throw last ?? new ConnectError('resolve', 'ENOTFOUND', `${target.host} has no address`, target.host)
}

const basic = ({ username, password }: { username: string; password: Secret }): string =>
  `Basic ${Buffer.from(`${username}:${password.reveal()}`).toString('base64')}`
