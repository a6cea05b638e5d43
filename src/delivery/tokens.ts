import { hash } from 'node:crypto'
import type { Secret } from './secret.ts'
import type { Source } from './source.ts'

/** A HEC token and a short name for it that may be stored: 32 bits of its digest tell two tokens apart and give nothing away. */
export interface Token {
  secret: Secret
  fingerprint: string
}

/**
 * Tokens in rotation: two may be written, and each may be replaced in its file. Used is the one that worked last, at first the newer
 * one; a refused one makes way for the other.
 */
export interface Tokens {
  /** In the order in which they are to be tried, as their files are now. */
  inOrder(): Promise<readonly Token[]>
  /** The one that an attempt was sent with, although its file may have another one by now; acknowledgements belong to a token. */
  find(fingerprint: string): Promise<Token | undefined>
  worked(token: Token): void
  /** The files are read again before the next one is tried. */
  refused(): void
}

/** As many that were replaced are remembered; acknowledgements are asked for some minutes. */
const remembered = 8

export function createTokens(sources: readonly Source<Secret>[]): Tokens {
  const known = new Map<Secret, Token>()
  let working: string | undefined
  let offered = ''

  async function inOrder(): Promise<Token[]> {
    const secrets = await Promise.all(sources.map((source) => source.read()))
    const tokens = secrets.map(toToken)
    // A new token in a file is there to be used: what worked before it does not count any more.
    const offer = tokens.map(({ fingerprint }) => fingerprint).join()
    if (offer !== offered) working = undefined
    offered = offer
    return tokens
      .filter(({ fingerprint }, at) => tokens.findIndex((other) => other.fingerprint === fingerprint) === at)
      .toSorted((a, b) => Number(b.fingerprint === working) - Number(a.fingerprint === working))
  }

  function toToken(secret: Secret): Token {
    const token = known.get(secret) ?? { secret, fingerprint: hash('sha256', secret.reveal(), 'hex').slice(0, 8) }
    // Behind the others: the oldest is forgotten first.
    known.delete(secret)
    known.set(secret, token)
    const [oldest] = known.keys()
    if (known.size > remembered && oldest !== undefined) known.delete(oldest)
    return token
  }

  return {
    inOrder,
    async find(fingerprint) {
      await inOrder()
      return [...known.values()].find((token) => token.fingerprint === fingerprint)
    },
    worked({ fingerprint }) {
      working = fingerprint
    },
    refused() {
      for (const source of sources) source.expire()
    },
  }
}
