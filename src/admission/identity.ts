import { type Asserted, findMismatch } from '../access/bound.ts'
import type { Principal } from '../access/principal.ts'
import { Problem } from '../record/problem.ts'
import type { By } from '../record/run.ts'

/** Who asks, as records say it, and whether what is asserted is what their credential vouches for. */

export function byOf({ method, id, identity }: Principal): By {
  if (identity === undefined) return { method, subject: id }
  const { issuer, subject, actorId, weak } = identity
  return { method, issuer, subject, actor_id: actorId, ...(weak.length === 0 ? {} : { weak: [...weak] }) }
}

/** Who brought a part, with the job: jobs of one run are told apart by it. Undefined where the credential is not of one run. */
export function jobOf(who: Principal): By | undefined {
  const job = who.identity?.verified?.['job']
  if (who.bound === undefined) return undefined
  return typeof job === 'string' ? { ...byOf(who), job } : byOf(who)
}

/** Throws Problem `identity_mismatch`: the credential is of another run, commit, ref or stage. */
export function demandBound({ bound }: Principal, said: Asserted): void {
  const mismatch = bound === undefined ? undefined : findMismatch(bound, said)
  if (mismatch !== undefined) throw new Problem('identity_mismatch', mismatch)
}
