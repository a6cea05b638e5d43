import { printTrustedKey } from '../log/trusted-key.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import { printVkey } from '../log/vkey.ts'
import type { VerifierKey } from '../log/vkey.ts'
import type { LedgerName } from '../record/record.ts'

/**
 * Which keys sign, for which sizes: pure. A rotation is two steps. `addKey`: from the size that was signed last on, checkpoints carry the
 * signatures of the old and the new key. `retireKey`: from `until` on, only that of the new one. What was signed before stays as it is.
 * For statements, which have no size, the sizes are those of the ledger operations at that time.
 */
export type KeyPlan = readonly TrustedKey[]

/** Whose keys: a ledger's, or the org's for statements. */
export type KeyOwner = LedgerName | 'statement'

export type PlanStep = { kind: 'changed' | 'same'; plan: KeyPlan } | { kind: 'refused'; reason: string }

/** The newest key: the one that goes on. */
export function newestOf(plan: KeyPlan): TrustedKey {
  const newest = plan.at(-1)
  if (newest === undefined) throw new Error('a plan has a key')
  return newest
}

export interface Addition {
  /** The key that it follows. The same again, after an answer that was lost, changes nothing. */
  replaces: string
  /** The size that was signed last: the first that both sign. */
  from: number
  /** Retires the old key with the same step: for one that was stolen. */
  atOnce: boolean
}

/** Whether the plan takes another key; `with_` makes it. */
export function mayAdd(plan: KeyPlan, { replaces }: Pick<Addition, 'replaces'>): PlanStep {
  const newest = newestOf(plan)
  const before = plan.at(-2)
  if (before !== undefined && printVkey(before) === replaces) return { kind: 'same', plan }
  if (printVkey(newest) !== replaces) return refused(`the key is ${printVkey(newest)} by now, not ${replaces}`)
  if (before !== undefined && before.until === undefined)
    return refused(`${printVkey(before)} signs beside it since the last rotation: retire that one first`)
  return { kind: 'changed', plan }
}

export function addKey(plan: KeyPlan, key: VerifierKey, { from, atOnce }: Addition): KeyPlan {
  const added: TrustedKey = { name: key.name, id: key.id, type: key.type, publicKey: key.publicKey, from }
  if (!atOnce) return [...plan, added]
  return [...plan.slice(0, -1), { ...newestOf(plan), until: from + 1 }, added]
}

/** `until` is larger than the size signed last: a size that both signed must stay one that both signed. */
export function retireKey(plan: KeyPlan, vkey: string, until: number, signed: number): PlanStep {
  const at = plan.findIndex((key) => printVkey(key) === vkey)
  const key = plan[at]
  if (key === undefined) return refused(`there is no key ${vkey}`)
  if (key.until !== undefined) return { kind: 'same', plan }
  if (at === plan.length - 1)
    return refused(`${vkey} is the newest key: rotate first, it cannot be retired without one that goes on`)
  if (until <= signed) return refused(`size ${signed} is signed already: the key can be retired from ${signed + 1} on`)
  return { kind: 'changed', plan: plan.map((one) => (one === key ? { ...one, until } : one)) }
}

/** Those that sign a tree of this size. */
export const signersAt = (plan: KeyPlan, size: number): TrustedKey[] =>
  plan.filter(({ from = 0, until = Infinity }, i) => (i === 0 || from <= size) && size < until)

/** Those that never sign again once `signed` is the last size: their secrets may go. */
export const spentAt = (plan: KeyPlan, signed: number): TrustedKey[] =>
  plan.filter(({ until = Infinity }) => until <= signed)

/** As the file for verifiers has it. */
export const printPlan = (plan: KeyPlan): string => plan.map((key) => `${printTrustedKey(key)}\n`).join('')

const refused = (reason: string): PlanStep => ({ kind: 'refused', reason })
