import type { Bound } from './bound.ts'
import type { Claims, JobFacts } from './claims.ts'
import type { TrustRule } from './identity-settings.ts'
import { covers } from './principal.ts'

/** Whether a rule of the trust policy takes a job, and as what. Pure and total: nothing here looks at anything but its arguments. */

export type Trusted =
  | { kind: 'trusted'; repository: string; rule: TrustRule; bound: Bound }
  | { kind: 'refused'; reason: string }

/** The first rule that takes it. Refused: why the nearest rule does not, which is the one whose ids are those of the job. */
export function matchTrust(rules: readonly TrustRule[], claims: Claims, facts: JobFacts): Trusted {
  if (facts.refused !== undefined) return refused(facts.refused)
  if (facts.runs.length === 0) return refused('its claims do not say which run it is of')
  let nearest: string | undefined
  for (const rule of rules) {
    if (!isOfIds(rule, facts)) continue
    const found = applyRule(rule, claims, facts)
    if (found.kind === 'trusted') return found
    nearest ??= found.reason
  }
  const { repositoryId = 'none', ownerId = 'none' } = facts
  return refused(nearest ?? `no rule takes repository id ${repositoryId} of owner id ${ownerId}`)
}

/** A name may have passed to somebody else since the rule was written; an id is nobody else's. */
function isOfIds({ repository_id, owner_id }: TrustRule, { repositoryId, ownerId }: JobFacts): boolean {
  return (
    (repository_id === undefined || repository_id === repositoryId) && (owner_id === undefined || owner_id === ownerId)
  )
}

function applyRule(rule: TrustRule, claims: Claims, facts: JobFacts): Trusted {
  const repository = facts.repository ?? (rule.repositories?.length === 1 ? rule.repositories[0] : undefined)
  if (repository === undefined) return refused('its claims name no repository')
  // The job may push for what is named: with a star at its end that would be all below.
  if (repository.includes('*')) return refused('what its claims name is no name of a repository')
  if (rule.repositories !== undefined && !rule.repositories.some((one) => covers(one, repository)))
    return refused(`${repository} is none of its repositories`)
  const { ref } = facts
  if (rule.refs !== undefined) {
    const named = ref?.exact ?? ref?.below.map((prefix) => `${prefix}*`)[0]
    if (named === undefined || !rule.refs.some((one) => covers(one, named)))
      return refused(`${named ?? 'no ref'} is none of its refs`)
  }
  // What runs there is started by others, on what they made: only where somebody says that it is wanted.
  if (facts.event !== undefined && startedByOthers.has(facts.event) && rule.events?.includes(facts.event) !== true)
    return refused(`the event ${facts.event} runs on what others made: name it in events to take it`)
  const lists = [
    ['events', rule.events, facts.event],
    ['workflows', rule.workflows, facts.workflow],
    ['environments', rule.environments, facts.environment],
  ] as const
  for (const [what, allowed, value] of lists)
    if (allowed !== undefined && (value === undefined || !allowed.includes(value)))
      return refused(`${value ?? 'none'} is none of its ${what}`)
  if (rule.runners === 'hosted' && facts.isSelfHosted) return refused('it takes no self-hosted runners')
  const off = Object.entries(rule.claims).find(
    ([name, wanted]) => !isClaim(Object.hasOwn(claims, name) ? claims[name] : undefined, wanted),
  )
  if (off !== undefined) return refused(`the claim ${off[0]} is not what it asks for`)
  return { kind: 'trusted', repository, rule, bound: boundOf(rule, facts) }
}

const startedByOthers: ReadonlySet<string> = new Set(['pull_request_target', 'workflow_run', 'issue_comment'])

function boundOf(rule: TrustRule, { runs, repositoryId, commit, ref }: JobFacts): Bound {
  return {
    runs,
    repositoryId,
    commit: rule.commit === 'exact' ? commit : undefined,
    ref,
    stages: rule.stages,
    testTypes: rule.test_types,
  }
}

/** Text for text, number and truth by how they are written; whatever else a claim is, it is not that. */
function isClaim(value: unknown, wanted: string | readonly string[]): boolean {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return false
  return typeof wanted === 'string' ? String(value) === wanted : wanted.includes(String(value))
}

const refused = (reason: string): Trusted => ({ kind: 'refused', reason })
