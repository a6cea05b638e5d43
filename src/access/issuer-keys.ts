import { type CryptoKey, type JWK, createLocalJWKSet, errors } from 'jose'

/**
 * The public keys of one issuer. They are asked for when they are old or a token names one that is not known, at most once in `cooldownMs`
 * whatever came of it: a flood of made-up key ids makes no flood of requests. Keys are kept while the issuer cannot be reached, and an empty
 * or broken set never replaces a good one. Whatever a refused set was, the next one that is good is taken.
 */
export interface IssuerKeys {
  find(header: { kid: string; alg: string }): Promise<FoundKey>
  /** Asks now where it may. Never rejects. */
  refresh(): Promise<void>
  /** Since when, in milliseconds, and why the issuer does not give its keys. */
  trouble(): { sinceMs: number; detail: string } | undefined
}

export type FoundKey =
  | { kind: 'found'; key: CryptoKey; jwk: JWK }
  /** The issuer was asked, and has no such key. */
  | { kind: 'unknown' }
  /** It is not known whether it has. */
  | { kind: 'unavailable'; detail: string }

export interface IssuerKeysOptions {
  /** Rejects with an Error that says why. */
  fetch: () => Promise<unknown>
  cooldownMs: number
  refreshMs: number
  keepMs: number
  nowMs: () => number
}

const maxKeys = 100

export function createIssuerKeys({ fetch, cooldownMs, refreshMs, keepMs, nowMs }: IssuerKeysOptions): IssuerKeys {
  let keys: readonly JWK[] | undefined
  let fetchedMs = -Infinity
  let askedMs = -Infinity
  let failing: { sinceMs: number; detail: string } | undefined
  let pending: Promise<void> | undefined

  const ask = async (): Promise<void> => {
    askedMs = nowMs()
    try {
      keys = readKeys(await fetch())
      fetchedMs = nowMs()
      failing = undefined
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error)
      failing = { sinceMs: failing?.sinceMs ?? nowMs(), detail }
    }
  }
  /** Joins a request that is under way; undefined when it is too early for another. */
  const mayAsk = (): Promise<void> | undefined => {
    if (pending === undefined && nowMs() - askedMs >= cooldownMs) pending = ask().finally(() => (pending = undefined))
    return pending
  }
  const select = async (header: { kid: string; alg: string }): Promise<FoundKey | undefined> => {
    if (keys === undefined || nowMs() - fetchedMs > keepMs) return undefined
    const named = keys.filter(({ kid }) => kid === header.kid)
    try {
      const key = await createLocalJWKSet({ keys: named })(header)
      const [jwk] = named
      return jwk === undefined ? undefined : { kind: 'found', key, jwk }
    } catch (error) {
      // None of that id, of another type than the algorithm wants, or several: which one it is nobody can say then.
      if (error instanceof errors.JOSEError) return undefined
      throw error
    }
  }

  return {
    async find(header) {
      if (nowMs() - fetchedMs > refreshMs) {
        const asked = mayAsk()
        if (keys === undefined) await asked
      }
      const known = await select(header)
      if (known !== undefined) return known
      await mayAsk()
      const found = await select(header)
      if (found !== undefined) return found
      if (failing !== undefined) return { kind: 'unavailable', detail: failing.detail }
      return keys === undefined ? { kind: 'unavailable', detail: 'it was not asked yet' } : { kind: 'unknown' }
    },
    async refresh() {
      // Also where it failed when it was asked about an unknown key: else that would be told for as long as the keys are fresh.
      if (failing !== undefined || nowMs() - fetchedMs >= refreshMs) await mayAsk()
    },
    trouble: () => failing,
  }
}

/** The keys of a set that can verify a signature. Throws when there is none. */
function readKeys(document: unknown): JWK[] {
  const list = typeof document === 'object' && document !== null && 'keys' in document ? document.keys : undefined
  if (!Array.isArray(list)) throw new Error('what it gave is no key set')
  const keys = list.slice(0, maxKeys).filter(isVerificationKey)
  if (keys.length === 0) throw new Error('its key set holds no key that could verify a signature')
  return keys
}

function isVerificationKey(value: unknown): value is JWK {
  if (typeof value !== 'object' || value === null) return false
  const { kty, kid, use } = value as Record<string, unknown> // an object
  // A symmetric key has no place in a public set: whoever reads it could sign.
  return (
    (kty === 'RSA' || kty === 'EC' || kty === 'OKP') &&
    typeof kid === 'string' &&
    kid !== '' &&
    (use === undefined || use === 'sig')
  )
}
