import { hash } from 'node:crypto'
import { type Principal, may } from '../access/principal.ts'
import type { RecordingRefusals } from '../admission/refusals.ts'
import { byOf } from '../admission/identity.ts'
import type { Offered } from '../admission/submissions.ts'
import type { Book } from '../ledger/book.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { packSegment } from '../ledger/segments.ts'
import { changeKeys } from '../record/change-keys.ts'
import { type GateFields, type OverrideFields, overridePayload } from '../record/changes.ts'
import { Problem } from '../record/problem.ts'
import { ledgerKindOf, orgOf } from '../record/record.ts'
import { type Standing, type StandingDeps, readStanding } from './standing.ts'

/** Lets go on what a gate did not let pass: a record beside the decision, which stays what it was. */

export interface OverrideOffer {
  /** Id of the decision. */
  gate: string
  reason: string
  ticket: string
}

export interface OverridesDeps extends StandingDeps {
  org: string
  /** `<org>/changes` */
  book: Book
  findRecord: LedgerReader['findRecord']
  recordingRefusals: RecordingRefusals
}

export type OverrideGate = (
  who: Principal,
  offer: OverrideOffer,
) => Promise<{ created: boolean; override: Standing<OverrideFields> }>

export function createOverrides(deps: OverridesDeps): OverrideGate {
  return (who, offer) => {
    const offered: Offered = { ledger: deps.book.ledger, by: byOf(who) }
    return deps.recordingRefusals(offered, () => override(deps, who, offer, offered))
  }
}

async function override(
  deps: OverridesDeps,
  who: Principal,
  { gate, reason, ticket }: OverrideOffer,
  offered: Offered,
): ReturnType<OverrideGate> {
  const { book } = deps
  const { repository, commit, ref, build, build_seq, verdict, enforced } = await findGate(deps, who, gate)
  offered.repository = repository
  offered.commit = commit
  if (verdict === 'pass') throw new Problem('request_invalid', `the gate ${gate} passed: there is nothing to override`)
  const by = byOf(who)
  const fields: OverrideFields = { repository, commit, ref, build, build_seq, verdict: 'overridden', overrides: gate, overridden: verdict, enforced, reason, ticket, by } // oxfmt-ignore
  const key = changeKeys.override(fields)
  const [recorded] = await book.appender.submit([
    { key, digest: hash('sha256', key, 'buffer'), firstWins: true, conflict: 'internal', segments: [packSegment('gate', [overridePayload(book.ledger, fields)])] },
  ]) // oxfmt-ignore
  if (recorded === undefined) throw new Error('the appender answered nothing')
  return { created: !recorded.repeated, override: await readStanding(deps, book.ledger, recorded) }
}

/** A decision of this org that this credential may override; an override is none. */
async function findGate({ org, findRecord }: OverridesDeps, who: Principal, id: string): Promise<GateFields> {
  const record = await findRecord(id)
  const isOurs = record?.kind === 'gate' && ledgerKindOf(record.ledger) === 'changes' && orgOf(record.ledger) === org // oxfmt-ignore
  const unknown = new Problem('not_found', `there is no gate ${id}`)
  if (record === undefined || !isOurs) throw unknown
  const fields = JSON.parse(Buffer.from(record.bytes).toString()) as GateFields | OverrideFields // gatePayload, overridePayload
  if (!may(who, 'operate', { org, repository: fields.repository })) throw unknown
  if (fields.verdict === 'overridden') throw new Problem('request_invalid', `${id} is an override of ${fields.overrides}`) // oxfmt-ignore
  return fields
}
