import { printVkey } from '../log/vkey.ts'
import type { SigningKey } from '../log/vkey.ts'
import { addKey, mayAdd, newestOf, retireKey, signersAt, spentAt } from './key-plan.ts'
import type { KeyOwner, KeyPlan, PlanStep } from './key-plan.ts'
import type { Keyring, Keys } from './keys.ts'

/** The keys of every owner as they are now, and how one follows another. Calls for one owner come one after the other. */
export interface Rings {
  /** Makes the first key where there is none. */
  ring(of: KeyOwner): Promise<Keyring>
  /** Those that sign a tree of this size. Throws when one of them is not there. */
  signersFor(of: KeyOwner, size: number): Promise<SigningKey[]>
  /**
   * `prove` makes the new key sign what such a key signs, before anything rests on it. A crash before the plan is replaced leaves a secret
   * that never signs; after it, the rotation.
   */
  rotate(
    of: KeyOwner,
    request: RotateRequest,
    signed: number,
    prove: (key: SigningKey) => Promise<unknown>,
  ): Promise<PlanStep>
  retire(of: KeyOwner, request: RetireRequest, signed: number): Promise<PlanStep>
  /** Destroys the secrets of keys that sign nothing beyond `signed`. What cannot be destroyed now is, at a later call. */
  sweep(of: KeyOwner, signed: number): Promise<void>
}

export interface RotateRequest {
  /** The key that is to be followed; the same request again answers the same. */
  replaces: string
  /** Retires it in the same step. */
  atOnce: boolean
  /** The new key, where it lies outside. */
  vkey?: string | undefined
}

export interface RetireRequest {
  vkey: string
  /** The first size that it does not sign; default: the next one. */
  until?: number | undefined
}

export function createRings(keys: Keys, assertNew: (of: KeyOwner) => void): Rings {
  const loaded = new Map<KeyOwner, Promise<Keyring>>()

  const load = async (of: KeyOwner): Promise<Keyring> => {
    const found = await keys.open(of)
    if (found !== undefined) return found
    assertNew(of)
    return keys.make(of)
  }
  const ring = (of: KeyOwner): Promise<Keyring> => {
    const found = loaded.get(of) ?? load(of)
    loaded.set(of, found)
    found.catch(() => loaded.delete(of)) // tried again at the next call
    return found
  }
  const change = async (of: KeyOwner, plan: KeyPlan): Promise<Keyring> => {
    // Whatever happens on the way, the file says which plan stands.
    loaded.delete(of)
    await keys.change(of, plan)
    return ring(of)
  }

  return {
    ring,
    async signersFor(of, size) {
      const { plan, signing } = await ring(of)
      return signersAt(plan, size).map((key) => {
        const secret = signing.get(printVkey(key))
        if (secret === undefined) throw new Error(`the secret of ${printVkey(key)} is gone`)
        return secret
      })
    },
    async rotate(of, { replaces, atOnce, vkey }, signed, prove) {
      const { plan } = await ring(of)
      const step = mayAdd(plan, { replaces })
      if (step.kind !== 'changed') return step
      const key = await keys.prepare(of, vkey)
      await prove(key)
      const changed = await change(of, addKey(plan, key, { replaces, from: signed, atOnce }))
      return { kind: 'changed', plan: changed.plan }
    },
    async retire(of, { vkey, until }, signed) {
      const { plan } = await ring(of)
      const step = retireKey(plan, vkey, until ?? signed + 1, signed)
      return step.kind === 'changed' ? { kind: 'changed', plan: (await change(of, step.plan)).plan } : step
    },
    async sweep(of, signed) {
      const { plan, signing } = await ring(of)
      const spent = spentAt(plan, signed).filter((key) => key !== newestOf(plan) && signing.has(printVkey(key)))
      if (spent.length === 0) return
      for (const key of spent) await keys.forget(of, key)
      loaded.delete(of)
    },
  }
}
