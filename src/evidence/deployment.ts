import { Problem } from '../record/problem.ts'
import { type LedgerName, type RecordKind, ledgerKindOf } from '../record/record.ts'
import type { Asked } from './question.ts'
import { type PackSources, openStored } from './sources.ts'

const deployments = new Set<RecordKind>(['deployment'])

/**
 * The repository and commit that a deployment names, as of these sizes. Out of the records themselves: there are few of them, and a pack rests
 * on nothing derived.
 */
export async function resolveDeployment(
  { deployment, repository, commit, build, path }: Asked,
  heads: readonly { ledger: LedgerName; size: number }[],
  sources: PackSources,
): Promise<{ repository: string; commit: string } | undefined> {
  if (deployment === undefined) return undefined
  if ([commit, build, path].some((one) => one !== undefined))
    throw new Problem('request_invalid', 'a deployment names its commit: leave out commit, build and path')
  const found = new Map<string, { repository: string; commit: string }>()
  for (const { ledger, size } of heads) {
    if (ledgerKindOf(ledger) !== 'changes') continue
    for await (const stored of sources.records(ledger, 0, size, deployments)) {
      const { deployment: name, repository: of, commit: at } = openStored(stored).fields
      if (name !== deployment || (repository !== undefined && of !== repository)) continue
      if (typeof of === 'string' && typeof at === 'string') found.set(of, { repository: of, commit: at })
    }
  }
  const [first, second] = found.values()
  if (first === undefined) throw new Problem('not_found', `there is no deployment ${deployment} as of this`)
  if (second !== undefined)
    throw new Problem('request_invalid', `several repositories have a deployment ${deployment}: ${[...found.keys()].toSorted().join(', ')}; name one`) // oxfmt-ignore
  return first
}
