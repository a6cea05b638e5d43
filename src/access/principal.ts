/** Who is asking, and the one table of what they may. */

export const scopes = ['push', 'feed', 'audit', 'operate'] as const
export type Scope = (typeof scopes)[number]

export interface Principal {
  org: string
  /** Names the credential in records and logs; never a secret. */
  id: string
  method: 'token' | 'anonymous'
  scopes: ReadonlySet<Scope>
  /** Absent: every repository of the org. An entry that ends in `/*` stands for all below it. */
  repositories?: readonly string[]
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

function covers(bound: string, repository: string): boolean {
  return bound.endsWith('/*')
    ? repository.startsWith(bound.slice(0, -1)) && repository.length >= bound.length
    : bound === repository
}
