import { printRef, speaksOfRef } from '../access/bound.ts'
import { type Principal, may } from '../access/principal.ts'
import type { Builds } from '../admission/builds.ts'
import { Problem } from '../record/problem.ts'

/** What a gate or a deployment is about, as it was asked for, and who may say so. */

export interface Named {
  repository: string
  commit?: string | undefined
  build?: string | undefined
  ref?: string | undefined
}

export interface Resolved {
  repository: string
  commit: string
  ref: string | undefined
  build: string | undefined
  build_seq: number | undefined
}

/** CI of the repository, or an operator. Throws Problem('forbidden'). */
export function demandDecider(who: Principal, org: string, repository: string): void {
  if (may(who, 'push', { org, repository }) || may(who, 'operate', { org, repository })) return
  throw new Problem('forbidden', `this credential may not decide about ${repository}`)
}

/** A build that nothing named yet is put on record with the commit that is named; it has one commit, whoever names it. */
export async function resolveNamed(builds: Builds, who: Principal, named: Named): Promise<Resolved> {
  demandCommit(who, named.commit) // before anything is put on record about it
  demandRef(who, named.ref)
  const subject = await resolve(builds, named)
  demandCommit(who, subject.commit)
  return subject
}

/** A token of a CI job speaks of the commit that the job is of, whatever it is that it says. Throws Problem('identity_mismatch'). */
function demandCommit({ bound }: Principal, commit: string | undefined): void {
  if (bound?.commit === undefined || commit === undefined || commit === bound.commit) return
  throw new Problem('identity_mismatch', `the credential is of commit ${bound.commit}, not ${commit}`)
}

/** Nor does a job of a pull request speak for a branch: the record of a build that it makes would say so for ever. */
function demandRef({ bound }: Principal, ref: string | undefined): void {
  if (bound?.ref === undefined || ref === undefined || speaksOfRef(ref, bound.ref)) return
  throw new Problem('identity_mismatch', `the credential is of ${printRef(bound.ref)}, not of ${ref}`)
}

async function resolve(builds: Builds, { repository, commit, build, ref }: Named): Promise<Resolved> {
  if (build === undefined) {
    if (commit === undefined) throw new Problem('request_invalid', 'say which commit or build is meant')
    return { repository, commit, ref, build, build_seq: undefined }
  }
  const known = await builds.find(repository, build)
  if (known !== undefined && commit !== undefined && known.commit !== commit)
    throw new Problem('request_invalid', `the build ${build} is of commit ${known.commit}, not of ${commit}`)
  const of = known?.commit ?? commit
  if (of === undefined)
    throw new Problem('not_found', `nothing named the build ${build} of ${repository} yet: say its commit too`)
  const named = { repository, build, commit: of, ref: known?.ref ?? ref }
  return { ...named, build_seq: known?.build_seq ?? (await builds.numberOf(named)) }
}
