/**
 * Of which run a credential may speak. A token of a CI job proves one job at one commit: whoever takes it out of a log can then push what that
 * job could have pushed, to its own run, and nothing else. Pure and total.
 */

export interface Bound {
  /** Names of runs, without suite and test type; one `*` stands for one piece that the issuer does not tell. */
  runs: readonly string[]
  /** Undefined: the issuer does not tell. */
  repositoryId?: string | undefined
  commit?: string | undefined
  ref?: BoundRef | undefined
  stages?: readonly string[] | undefined
  testTypes?: readonly string[] | undefined
  /** Of a signed statement: the one request that it is for. */
  request?: { target: string; sha256: string } | undefined
}

/** The ref that is verified; `below` are prefixes that may be claimed instead, none of which is a branch. */
export interface BoundRef {
  exact?: string | undefined
  below: readonly string[]
}

/** What is asserted of a run. */
export interface Asserted {
  /** Undefined where it is about no run: a contract. */
  run?: string | undefined
  repository_id?: string | undefined
  commit?: string | undefined
  ref?: string | undefined
  stage?: string | undefined
  test_type?: string | undefined
}

/** What of it the credential does not vouch for, as a sentence; undefined when all of it is covered. */
export function findMismatch(bound: Bound, said: Asserted): string | undefined {
  const { run, repository_id, commit, ref, stage, test_type } = said
  if (run !== undefined && !bound.runs.some((name) => isOfRun(run, name)))
    return `${run} is not the run that this credential is of: its name begins with ${bound.runs.join(' or ')}`
  if (bound.repositoryId !== undefined && repository_id !== undefined && repository_id !== bound.repositoryId)
    return `the credential is of repository id ${bound.repositoryId}, not ${repository_id}`
  if (bound.commit !== undefined && commit !== bound.commit)
    return `the credential is of commit ${bound.commit}, not ${commit ?? 'of none'}`
  if (bound.ref !== undefined && !speaksOfRef(ref, bound.ref))
    return `the credential is of ${printRef(bound.ref)}, not of ${ref ?? 'no ref'}`
  if (run !== undefined && bound.stages !== undefined && (stage === undefined || !bound.stages.includes(stage)))
    return `this identity may speak of stage ${bound.stages.join(' or ')}, not of ${stage ?? 'none'}`
  if (bound.testTypes !== undefined && test_type !== undefined && !bound.testTypes.includes(test_type))
    return `this identity may push ${bound.testTypes.join(' or ')} coverage, not ${test_type}`
  return undefined
}

/** Whether a run id, `<name>.<suite>.<test type>`, has that name. A piece for `*` has no dot, so it never reaches into the suite. */
export function isOfRun(run: string, name: string): boolean {
  const [before = '', after] = name.split('*')
  if (after === undefined) return run === before || run.startsWith(`${before}.`)
  if (!run.startsWith(before)) return false
  const rest = run.slice(before.length)
  const piece = /^[A-Za-z0-9-]+/.exec(rest)?.[0]
  return piece !== undefined && rest.startsWith(`${after}.`, piece.length)
}

export function speaksOfRef(ref: string | undefined, { exact, below }: BoundRef): boolean {
  if (ref === undefined) return false
  return ref === exact || below.some((prefix) => ref.startsWith(prefix) && ref.length > prefix.length)
}

export const printRef = ({ exact, below }: BoundRef): string =>
  [...(exact === undefined ? [] : [exact]), ...below.map((prefix) => `${prefix}*`)].join(' or ')
