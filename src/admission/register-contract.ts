import { hash } from 'node:crypto'
import { type Principal, may } from '../access/principal.ts'
import { type ContractChange, compareContracts, printChanges } from '../contract/compare.ts'
import { contractDigest, parseContract } from '../contract/contract.ts'
import { effectiveContract, isTracked } from '../contract/effective.ts'
import type { Contract } from '../contract/form.ts'
import type { Book } from '../ledger/book.ts'
import { packSegment } from '../ledger/segments.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, maxPayloadBytes } from '../record/record.ts'
import { printPayload } from '../record/run.ts'
import { contractKey } from './contract-versions.ts'
import { type ContractFields, type Contracts, type RegisteredContract, orgDefault } from './contracts.ts'
import { jsonBytes } from './fit-list.ts'
import type { RecordingRefusals } from './refusals.ts'
import { byOf, demandBound } from './identity.ts'
import type { Offered } from './submissions.ts'

/**
 * Puts a contract on record: version n+1 names version n, so of two that were made from the same one only the first gets in. Write-once:
 * a version never changes, the newest one stands.
 */

export interface ContractOffer {
  repository: string
  text: string
  /** The version that this one was made from; 0 for none. */
  parent: number
  ref?: string | undefined
  commit?: string | undefined
}

export interface RegisterDeps {
  org: string
  contracts: Contracts
  /** `<org>/changes` */
  book: Book
  keep: (bytes: Uint8Array) => Promise<void>
  recordingRefusals: RecordingRefusals
}

/** `created` is false when that version, or the one that stands, is this very contract. Throws a Problem, which is on record then. */
export type RegisterContract = (
  who: Principal,
  offer: ContractOffer,
) => Promise<{ created: boolean; registered: RegisteredContract }>

export function createRegistrar(deps: RegisterDeps): RegisterContract {
  return (who, offer) => {
    const offered: Offered = {
      ledger: deps.book.ledger,
      repository: offer.repository,
      commit: offer.commit,
      sha256: hash('sha256', offer.text, 'hex'),
      bytes: Buffer.byteLength(offer.text),
      by: byOf(who),
    }
    return deps.recordingRefusals(offered, () => register(who, offer, offered, deps))
  }
}

async function register(
  who: Principal,
  offer: ContractOffer,
  offered: Offered,
  { org, contracts, book, keep }: RegisterDeps,
): ReturnType<RegisterContract> {
  const { repository, text, parent } = offer
  demand(who, org, repository)
  demandBound(who, { commit: offer.commit, ref: offer.ref })
  const contract = parseContract(text)
  const digest = contractDigest(contract)
  offered.sha256 = digest
  delete offered.bytes
  const refuse = (own: RegisteredContract | undefined): Problem => {
    if (own !== undefined) offered.first = { sha256: own.contract, seq: own.seq }
    return conflict(offer, digest, contract, own)
  }
  const stands = await contracts.contractAt(repository)
  if (stands.own?.contract === digest) return { created: false, registered: stands.own }
  const version = stands.own?.contract_version ?? 0
  checkOffer(who, offer, contract, stands.own?.parsed, stands.org?.parsed)
  if (parent > version) throw refuse(stands.own)
  const before = parent === 0 ? undefined : await contracts.find(repository, parent)
  const { payload, isWhole } = contractPayload(book.ledger, offer, contract, before?.contract, who)
  // Before the record that names it; without the record nobody asks for it.
  if (!isWhole) await keep(Buffer.from(text))
  try {
    const [recorded] = await book.appender.submit([
      {
        key: contractKey(repository, parent + 1),
        digest: Buffer.from(digest, 'hex'),
        conflict: 'contract_conflict',
        segments: [packSegment('contract', [payload])],
      },
    ])
    const registered = await contracts.find(repository, parent + 1)
    if (recorded === undefined || registered === undefined) throw new Error(`${repository}: a contract is not there`)
    return { created: !recorded.repeated, registered }
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'contract_conflict') throw error
    // The one that was first is committed; it is shown when it is published too, in a moment.
    const seq = await contracts.committedSeq(repository, parent + 1)
    if (seq !== undefined) await book.publisher.covering(seq + 1)
    throw refuse((await contracts.contractAt(repository)).own)
  }
}

function demand(who: Principal, org: string, repository: string): void {
  const mayRegister =
    repository === orgDefault
      ? may(who, 'operate', { org })
      : may(who, 'push', { org, repository }) || may(who, 'operate', { org, repository })
  if (!mayRegister) throw new Problem('forbidden', `this credential may not register a contract for ${repository}`)
}

/** What of it is known here: that it is for this repository, and that it comes from a branch that the contract itself protects. */
function checkOffer(
  who: Principal,
  { repository, ref, commit }: ContractOffer,
  contract: Contract,
  own: Contract | undefined,
  org: Contract | undefined,
): void {
  if (contract.repository !== undefined && contract.repository !== repository)
    throw new Problem('contract_invalid', `this contract is for ${contract.repository}, not for ${repository}`)
  if (repository === orgDefault) return
  const offered = effectiveContract(contract, org)
  if (offered?.refs === undefined)
    throw new Problem('contract_invalid', 'refs: neither this contract nor the default of the org tracks a branch')
  if (may(who, 'operate', { repository })) return
  if (ref === undefined || commit === undefined)
    throw new Problem('request_invalid', 'say which ref and commit the contract comes from')
  // By the one that stands: else whoever may push to any branch could let that branch in.
  const guard = own === undefined ? offered : (effectiveContract(own, org) ?? offered)
  if (!isTracked(guard, ref))
    throw new Problem('ref_not_tracked', `${ref} is not tracked: ${(guard.refs ?? []).join(', ')}`)
}

/** The payload; `isWhole` is false when there is no room for the text, which is then to be kept under its digest. */
export function contractPayload(
  ledger: LedgerName,
  { repository, text, parent, ref, commit }: ContractOffer,
  contract: Contract,
  parentDigest: string | undefined,
  who: Principal,
): { payload: Uint8Array; isWhole: boolean } {
  const fields: ContractFields = {
    repository,
    contract_version: parent + 1,
    contract: contractDigest(contract),
    parent: parentDigest ?? null,
    mode: contract.mode,
    ref,
    commit,
    by: byOf(who),
    text_sha256: hash('sha256', text, 'hex'),
  }
  const isWhole = jsonBytes({ ...fields, text }) + jsonBytes(ledger) + 80 <= maxPayloadBytes // schema and kind
  return { payload: printPayload('contract', ledger, isWhole ? { ...fields, text } : fields), isWhole }
}

const maxShown = 20

function conflict(
  { repository, parent }: ContractOffer,
  digest: string,
  contract: Contract,
  stands: RegisteredContract | undefined,
): Problem {
  const changes: ContractChange[] = compareContracts(stands?.parsed, contract)
  const found =
    stands === undefined
      ? `${repository} has no contract yet, so none can follow version ${parent}`
      : `version ${stands.contract_version} of the contract of ${repository} stands (${stands.recorded_at}, commit ${stands.commit ?? 'unknown'}), and this one was made from version ${parent}`
  const shown = printChanges(changes.slice(0, maxShown)).trimEnd().split('\n').join('; ')
  const more = changes.length > maxShown ? `; and ${changes.length - maxShown} more` : ''
  return new Problem('contract_conflict', `${found}. It differs: ${shown}${more}`, {
    extra: {
      ...(stands === undefined
        ? {}
        : { standing: { contract_version: stands.contract_version, contract: stands.contract } }),
      offered_sha256: digest,
      difference: changes.slice(0, maxShown),
    },
  })
}
