import type { SecureContext } from 'node:tls'
import { type Dispatcher, Pool } from 'undici'
import { type Certificate, shownBy, toCertificate } from './certificate.ts'
import { type Dial, open, type Target } from './connect.ts'
import { ConnectError, messageOf } from './connect-error.ts'

/** What is trusted and shown, read again when its files change; `own` is the client certificate. */
export interface Trust {
  context: SecureContext | undefined
  own: Certificate | undefined
}

/** Connections to each address of one destination, kept apart, so that an answer is known to come from where it came from. */
export interface Pools {
  at(address: string, dial: Dial, trust: Trust): Dispatcher
  /** It could not be reached, a moment ago. */
  isAvoided(address: string): boolean
  /** Lets go of what is not among these any more and has not been used for a while. */
  keepOnly(addresses: readonly string[]): void
  /** The newest certificate that each address showed, refused ones too. */
  certificates(): Certificate[]
  close(): Promise<void>
}

interface Place {
  pool: Pool
  trust: Trust
  usedMs: number
  shown: Certificate | undefined
  failedMs: number
}

const avoidedMs = 30_000
/** Acknowledgements may still be asked at an address that the name leads to no more. */
const forgottenMs = 900_000

export function createPools(
  target: Target,
  settings: { origin: string; connections: number; timeoutMs: number },
  monotonicMs: () => number,
): Pools {
  const places = new Map<string, Place>()

  function makePool(place: () => Place, address: string, dial: Dial, trust: Trust): Pool {
    return new Pool(settings.origin, {
      connections: settings.connections,
      pipelining: 1,
      allowH2: false, // is not offered, so it need not be found out
      connect(_, callback) {
        open(dial, target, address, trust.context, settings.timeoutMs).then(
          (socket) => {
            const shown = shownBy(socket)
            if (shown !== undefined) place().shown = toCertificate(shown)
            place().failedMs = -Infinity
            callback(null, socket)
          },
          (error: unknown) => {
            if (error instanceof ConnectError) place().shown = error.certificate ?? place().shown
            place().failedMs = monotonicMs()
            callback(error instanceof Error ? error : new Error(messageOf(error)), null)
          },
        )
      },
      headersTimeout: 0, // one deadline for the whole exchange, kept there
      bodyTimeout: 0,
      keepAliveTimeout: 4_000, // shorter than any server's, so that a request seldom meets a closed connection
      keepAliveMaxTimeout: 30_000,
    })
  }

  return {
    at(address, dial, trust) {
      const known = places.get(address)
      if (known?.trust === trust) {
        known.usedMs = monotonicMs()
        return known.pool
      }
      // What is on its way ends over the old connections; idle ones close now, and the next one is made with the new certificates.
      void known?.pool.close()
      const pool = makePool(() => place, address, dial, trust)
      const place: Place = { pool, trust, usedMs: monotonicMs(), shown: known?.shown, failedMs: -Infinity }
      places.set(address, place)
      return pool
    },
    isAvoided: (address) => monotonicMs() - (places.get(address)?.failedMs ?? -Infinity) < avoidedMs,
    keepOnly(addresses) {
      for (const [address, { pool, usedMs }] of places) {
        if (addresses.includes(address) || monotonicMs() - usedMs < forgottenMs) continue
        places.delete(address)
        void pool.close()
      }
    },
    certificates: () => [...places.values()].flatMap(({ shown }) => shown ?? []),
    async close() {
      await Promise.all([...places.values()].map(({ pool }) => pool.destroy()))
    },
  }
}
