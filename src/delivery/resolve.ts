import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { isMetadataAddress } from '../network/addresses.ts'
import { codeOf, ConnectError, messageOf } from './connect-error.ts'

export interface Resolver {
  /** Every address of the name that may be connected to. Rejects with ConnectError: nothing was sent. */
  addresses(): Promise<readonly string[]>
  /** Whether an address that somebody remembered may be connected to. */
  allows(address: string): boolean
}

/** Resolved anew at most this often: names of load balancers change by the minute. */
const keptMs = 30_000

/** All addresses of a name, as the system knows them. */
export type LookUp = (host: string) => Promise<readonly string[]>

export interface ResolveSettings {
  allowMetadataAddresses: boolean
  monotonicMs?: (() => number) | undefined
  /** Replaced in tests. */
  lookUp?: LookUp | undefined
}

export function createResolver(host: string, settings: ResolveSettings): Resolver {
  const { monotonicMs = () => performance.now(), lookUp = askSystem } = settings
  const allows = (address: string): boolean => settings.allowMetadataAddresses || !isMetadataAddress(address)
  let known: { at: number; all: Promise<readonly string[]> } | undefined

  async function resolve(): Promise<readonly string[]> {
    const all = isIP(host) === 0 ? [...new Set(await lookUp(host))] : [host]
    const allowed = all.filter(allows)
    if (allowed.length > 0) return allowed
    const [address] = all
    if (address === undefined) throw new ConnectError('resolve', 'ENOTFOUND', `${host} has no address`, host)
    const message = `${host} is ${address}, a link-local or metadata address`
    throw new ConnectError('resolve', 'ADDRESS_REFUSED', message, address)
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

async function askSystem(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address)
  } catch (error) {
    throw new ConnectError('resolve', codeOf(error), messageOf(error), host)
  }
}
