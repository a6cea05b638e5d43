import type { Weakness } from '../record/identity.ts'
import type { Micros } from '../record/record.ts'
import type { Bound } from './bound.ts'

/** Who is asking, and the one table of what they may. */

export const scopes = ['push', 'feed', 'audit', 'operate'] as const
export type Scope = (typeof scopes)[number]

export interface Principal {
  org: string
  /** Names the credential in records and logs; never a secret. */
  id: string
  method: 'token' | 'oidc' | 'statement' | 'login' | 'anonymous'
  scopes: ReadonlySet<Scope>
  /** Absent: every repository of the org. An entry that ends in `/*` stands for all below it. */
  repositories?: readonly string[]
  /** What records say of it; without, method and id are all that is known. */
  identity?: Identity
  /** Of which run alone it may speak; absent: of any within its repositories. */
  bound?: Bound
  /** When the credential ends, where that is known. */
  expiresAt?: Micros
}

/** What was verified. No names, no e-mail addresses. */
export interface Identity {
  issuer?: string
  subject: string
  actorId?: string
  weak: readonly Weakness[]
  /** What else the verified claims say, for the record of the run: ids and digests, never the credential. */
  verified?: Readonly<Record<string, string | readonly string[]>>
  /** The issuer's public key, canonical (RFC 7638): kept as an artifact under the digest that `verified.key` is. */
  key?: Uint8Array
}

/** Callers of the few routes that ask for no credential. */
export const anonymous: Principal = { org: '', id: 'anonymous', method: 'anonymous', scopes: new Set() }

export interface Subject {
  /** The org that owns what is asked for. */
  org?: string
  /** The repository it is about; absent when it is about several, or none. */
  repository?: string
}

/**
 * Whether `who` holds `scope` over `subject`. Nobody reaches into another org. A credential bound to repositories may do only what names
 * one of them: an answer over all repositories would show it the others.
 */
export function may(who: Principal, scope: Scope, subject: Subject): boolean {
  if (!who.scopes.has(scope)) return false
  if (subject.org !== undefined && subject.org !== who.org) return false
  if (who.repositories === undefined) return true
  const { repository } = subject
  return repository !== undefined && who.repositories.some((bound) => covers(bound, repository))
}

/** Why nothing could ever be bound to this; undefined for a name, or one that ends in `/*`. */
export function whyNoRepository(pattern: string): string | undefined {
  const name = pattern.replace(/\/\*$/, '')
  if (name === '') return 'a repository needs a name'
  if (name.includes('://'))
    return `${pattern} is an address: name the repository as records do, github.com/acme/payments`
  if (/[\s*]|\/$/.test(name))
    return `${pattern} is no name of a repository: github.com/acme/payments, or github.com/acme/*`
  return undefined
}

/** `pattern` is a name, or ends in `/*` and stands for all below. */
export function covers(pattern: string, name: string): boolean {
  return pattern.endsWith('/*')
    ? name.startsWith(pattern.slice(0, -1)) && name.length >= pattern.length
    : pattern === name
}
