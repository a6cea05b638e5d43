import { lookup } from 'node:dns/promises'
import type { Agent, RequestOptions } from 'node:http'
import { isIP, type LookupFunction } from 'node:net'
import { isMetadataAddress } from './addresses.ts'

/** Keeps node's own HTTP from metadata addresses. What delivers has the same in its resolver, beside turns and memory of addresses. */

/** A name or an address that may not be connected to. Nothing was sent. */
export class AddressRefused extends Error {
  readonly code = 'ADDRESS_REFUSED'
  constructor(host: string, address: string) {
    super(`${host === address ? host : `${host} is ${address}, which`} is a link-local or metadata address`)
  }
}

/** Every address of `host`, a name or an address itself, that may be connected to. Rejects with AddressRefused when none is left. */
export async function allowedAddresses(host: string, family: number | 'IPv4' | 'IPv6' = 0) {
  const found = await lookup(host, { all: true, family })
  const allowed = found.filter(({ address }) => !isMetadataAddress(address))
  if (allowed.length === 0 && found[0] !== undefined) throw new AddressRefused(host, found[0].address)
  return allowed
}

/** What is asked here is what is connected to: no second answer of the DNS, which could be another one, comes in between. */
const guardedLookup: LookupFunction = (host, { all, family }, done) => {
  allowedAddresses(host, family).then(
    (allowed) => (all === true ? done(null, allowed) : done(null, allowed[0]?.address ?? '', allowed[0]?.family)),
    (error: NodeJS.ErrnoException) => done(error, ''),
  )
}

/** From now on the agent connects to no metadata address, whether a name leads there or it is written as a number. */
export function guard<A extends Agent>(agent: A): A {
  const createConnection = agent.createConnection.bind(agent)
  agent.createConnection = (options: RequestOptions, done) => {
    const host = (options.host ?? '').replace(/^\[(.*)\]$/, '$1')
    // A socket asks for names only.
    if (isIP(host) === 0 || !isMetadataAddress(host))
      return createConnection({ ...options, lookup: guardedLookup }, done)
    done?.(new AddressRefused(host, host), undefined as never) // the types want a stream beside an error too
    return null
  }
  return agent
}
