/** How whoever pushes was verified, and what is weak about it: closed lists, known to whoever verifies, records, or judges by it. */

/** Strongest first. */
export const identityMethods = ['oidc', 'statement', 'token'] as const
export type IdentityMethod = (typeof identityMethods)[number]

/** A code never changes its meaning; docs/identity.md has them. */
export const weaknesses = {
  static_secret: 'a secret that lives for months, for whoever holds it',
  any_repository: 'a token that is bound to no repository',
  run_unverified: 'nobody but the client says which run it was',
  commit_unverified: 'nobody but the client says which commit was tested',
  ref_unverified: 'nobody but the client says on which branch that was',
  self_hosted: 'the job ran on a machine that its owner, not the CI system, answers for',
} as const
export type Weakness = keyof typeof weaknesses

export const weaknessCodes = Object.keys(weaknesses) as Weakness[] // of the closed table above

/** What a method lacks by itself; a record names only what is weak beside that. */
const implied: Readonly<Record<string, readonly Weakness[]>> = {
  token: ['static_secret', 'run_unverified', 'commit_unverified', 'ref_unverified'],
  statement: ['run_unverified', 'commit_unverified', 'ref_unverified'],
}

/** Everything that is weak about how somebody was verified, in the order of the table. */
export function weaknessesOf({
  method,
  weak = [],
}: {
  method: string
  weak?: readonly string[] | undefined
}): Weakness[] {
  const found = new Set<string>([...(implied[method] ?? []), ...weak])
  return weaknessCodes.filter((code) => found.has(code))
}
