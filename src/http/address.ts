import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'

/** Addresses of callers: who is counted as one, who is a proxy, who is on this machine. */

/** `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`; never everybody. */
export function isAddressRange(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0) return false
  return bits === undefined || (/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}

/** Whether an address is of these ranges, each of which is one. IPv4 within IPv6 (`::ffff:10.0.0.7`) is IPv4. */
export function createMatcher(ranges: readonly string[]): (address: string | undefined) => boolean {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', bits] = range.split('/')
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return (address = '') => {
    const plain = toPlain(address)
    const version = isIP(plain)
    return version !== 0 && list.check(plain, version === 4 ? 'ipv4' : 'ipv6')
  }
}

const toPlain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*/s, '')

/** Some proxies write the port behind the address, another one for each connection: `10.0.0.7:4711`, `[fd00::1]:4711`. */
const withoutPort = (address: string): string =>
  /^\[([^\]]*)\](?::\d{1,5})?$/.exec(address)?.[1] ?? /^([^:]*):\d{1,5}$/.exec(address)?.[1] ?? address

/**
 * Who is counted together: an address of IPv4, the /64 of IPv6, of which everybody who has one address has all. A socket that was gone before
 * its request was looked at has no address any more (node says undefined, whatever the type of `request.ip`): those are one, and hear nothing.
 */
export function countedAs(address = ''): string {
  const plain = toPlain(withoutPort(address))
  if (isIP(plain) !== 6) return plain
  const [head = '', tail] = plain.split('::')
  const given = head.split(':').filter((group) => group !== '')
  const behind = tail?.split(':').filter((group) => group !== '') ?? []
  const zeros = Array.from({ length: Math.max(0, 8 - given.length - behind.length) }, () => '0')
  return `${[...given, ...zeros, ...behind]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

/**
 * Whether the caller is a program on this machine that means this service. A proxy on this machine makes everybody look so: by its headers,
 * or by being named in `http.trusted_proxies`. A page in a browser on this machine can have its own name lead here: by its Host.
 */
export function isFromHere(
  { headers, socket }: IncomingMessage,
  isProxy: (address: string | undefined) => boolean,
): boolean {
  const { remoteAddress = '' } = socket
  if (!/^(?:127\.|::1$)/.test(toPlain(remoteAddress)) || isProxy(remoteAddress)) return false
  if (forwarding.some((name) => headers[name] !== undefined)) return false
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i.test(headers.host ?? '')
}

const forwarding = [
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'forwarded',
  'via',
] as const

export const isLoopback = (host: string): boolean => /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/.test(host)
