import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { isMetadataAddress } from './addresses.ts'
import { codeOf, ConnectError, messageOf } from './connect-error.ts'

export interface Resolver {
  /** Every address of the name that may be connected to. Rejects with ConnectError: nothing was sent. */
  addresses(): Promise<readonly string[]>
  /** Whether an address that somebody remembered may be connected to. */
  allows(address: string): boolean
}

/** Resolved anew at most this often: names of load balancers change by the minute. */
const keptMs = 30_000

export function createResolver(
  host: string,
  allowMetadata: boolean,
  monotonicMs: () => number = () => performance.now(),
): Resolver {
  const allows = (address: string): boolean => allowMetadata || !isMetadataAddress(address)
  let known: { at: number; all: Promise<readonly string[]> } | undefined

  async function resolve(): Promise<readonly string[]> {
    const all = isIP(host) === 0 ? await lookUp(host) : [host]
    const allowed = all.filter(allows)
    if (allowed.length > 0) return allowed
    const [address = host] = all
    const message = `${host} is ${address}, a link-local or metadata address`
    throw new ConnectError('resolve', all.length === 0 ? 'ENOTFOUND' : 'ADDRESS_REFUSED', message, address)
  }

  return {
    allows,
    addresses() {
      if (known !== undefined && monotonicMs() - known.at < keptMs) return known.all
      const entry = { at: monotonicMs(), all: resolve() }
      known = entry
      // A failure is not kept: the next request asks again.
      entry.all.catch(() => {
        if (known === entry) known = undefined
      })
      return entry.all
    },
  }
}

async function lookUp(host: string): Promise<string[]> {
  try {
    const found = await lookup(host, { all: true })
    return [...new Set(found.map(({ address }) => address))]
  } catch (error) {
    throw new ConnectError('resolve', codeOf(error), messageOf(error), host)
  }
}
