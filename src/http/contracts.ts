import { type Principal, may, scopes } from '../access/principal.ts'
import { type Contracts, type RegisteredContract, orgDefault } from '../admission/contracts.ts'
import type { RegisterContract } from '../admission/register-contract.ts'
import {
  type ContractAnswer,
  type ContractMeta,
  diffContracts,
  getContract,
  listContracts,
  putContract,
} from '../api/contracts.ts'
import { compareContracts, printChanges } from '../contract/compare.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import type { Mount } from './mount.ts'

export interface ContractDeps {
  org: string
  /** `<org>/changes` */
  ledger: LedgerName
  contracts: Contracts
  register: RegisterContract
}

export function mountContracts(mount: Mount, { org, ledger, contracts, register }: ContractDeps): void {
  mount(putContract, async ({ who, body }) => {
    const { created, registered } = await register(who, body)
    return { status: created ? 201 : 200, body: toAnswer(ledger, registered) }
  })

  mount(listContracts, async ({ who, query: { repository, before, limit } }) => {
    demandVisible(who, org, repository)
    const [stands, versions] = await Promise.all([
      contracts.contractAt(repository),
      contracts.list(repository, { before, limit: limit + 1 }),
    ])
    return {
      body: {
        repository,
        standing: stands.own === undefined ? null : toAnswer(ledger, stands.own),
        org_default: stands.org === undefined ? null : toAnswer(ledger, stands.org),
        effective: stands.effective ?? null,
        versions: versions.slice(0, limit).map((one) => toMeta(ledger, one)),
        has_more: versions.length > limit,
      },
    }
  })

  /** What is not there and what this caller may not see look the same. */
  const visible = async (who: Principal, sha256: string): Promise<RegisteredContract> => {
    const found = (await contracts.withDigest(sha256)).find(({ repository }) => isVisible(who, org, repository))
    if (found === undefined) throw new Problem('not_found', `there is no contract ${sha256}`)
    return found
  }

  mount(getContract, async ({ who, params }) => ({ body: toAnswer(ledger, await visible(who, params.sha256)) }))

  mount(diffContracts, async ({ who, params, query }) => {
    const [from, to] = [await visible(who, params.sha256), await visible(who, query.to)]
    const changes = compareContracts(from.parsed, to.parsed)
    return { body: { from: from.contract, to: to.contract, changes, text: printChanges(changes) } }
  })
}

/** The default of the org holds for every repository of it, so whoever is of the org may read it. */
function isVisible(who: Principal, org: string, repository: string): boolean {
  if (repository === orgDefault) return who.org === org
  return scopes.some((scope) => may(who, scope, { org, repository }))
}

function demandVisible(who: Principal, org: string, repository: string): void {
  if (!isVisible(who, org, repository))
    throw new Problem('forbidden', `this credential may not see the contract of ${repository}`)
}

function toMeta(ledger: LedgerName, { text: _text, parsed: _parsed, ...meta }: RegisteredContract): ContractMeta {
  return { ...meta, ledger }
}

function toAnswer(ledger: LedgerName, registered: RegisteredContract): ContractAnswer {
  return { ...toMeta(ledger, registered), text: registered.text }
}
