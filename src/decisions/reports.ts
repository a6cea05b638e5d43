import { hash } from 'node:crypto'
import type { Principal } from '../access/principal.ts'
import { byOf } from '../admission/identity.ts'
import { reportRules } from '../answers/report.ts'
import type { Book } from '../ledger/book.ts'
import { packSegment } from '../ledger/segments.ts'
import { findSubmissions } from '../ledger/store.ts'
import { maxStatementBytes } from '../log/statement.ts'
import { changeKeys } from '../record/change-keys.ts'
import { type ReportFields, reportPayload } from '../record/changes.ts'
import { Problem } from '../record/problem.ts'
import { type Standing, type StandingDeps, readStanding } from './standing.ts'

/**
 * Issues a report: its bytes, as the question is answered with, are kept for ever, signed, and named by a record. Asked again as of the same
 * sizes the bytes are the same, so that a report is issued once, whoever asks first.
 */

export const reportPayloadType = 'application/vnd.proofline.report+json'

/** As it was asked: all of it goes on record but where the answer says it. */
export interface AskedReport {
  repository: string
  as_of?: string | undefined
}

export interface IssueDeps<Q extends AskedReport> extends StandingDeps {
  /** `<org>/changes` */
  book: Book
  /** What GET answers the question with; of a period with all of its deployments. */
  answer: (who: Principal, query: Q) => Promise<{ as_of: string }>
  signStatement: (payloadType: string, payload: Uint8Array) => Promise<string>
  /** Durable when it resolves, under the digest of the bytes. */
  keep: (bytes: Uint8Array) => Promise<void>
}

export interface Issued {
  created: boolean
  report: Standing<ReportFields>
}

export async function issueReport<Q extends AskedReport>(
  deps: IssueDeps<Q>,
  who: Principal,
  query: Q,
): Promise<Issued> {
  const answer = await deps.answer(who, query)
  const bytes = Buffer.from(JSON.stringify(answer))
  if (bytes.length > maxStatementBytes)
    throw new Problem('request_invalid', `the report has ${bytes.length} bytes, and at most ${maxStatementBytes} are signed: name some files`) // oxfmt-ignore
  const sha256 = hash('sha256', bytes, 'hex')
  const known = await findReport(deps, sha256)
  if (known !== undefined) return { created: false, report: known }
  const envelope = Buffer.from(await deps.signStatement(reportPayloadType, bytes))
  // Before the record that names them; a crash from here on leaves bytes that nothing names, and that nobody is shown.
  for (const one of [bytes, envelope]) await deps.keep(one)
  const { repository, as_of: _asOf, ...asked } = query
  const fields: ReportFields = {
    repository,
    query: asked,
    as_of: answer.as_of,
    rules: reportRules,
    sha256,
    bytes: bytes.length,
    envelope_sha256: hash('sha256', envelope, 'hex'),
    by: byOf(who),
  }
  const key = changeKeys.report(fields)
  const segments = [packSegment('report', [reportPayload(deps.book.ledger, fields)])]
  // Two that issue the same at once have one key: the first is the record, and the second is answered with it.
  const [recorded] = await deps.book.appender.submit([
    { key, digest: hash('sha256', key, 'buffer'), firstWins: true, conflict: 'internal', segments },
  ])
  if (recorded === undefined) throw new Error('the appender answered nothing')
  return { created: !recorded.repeated, report: await readStanding(deps, deps.book.ledger, recorded) }
}

/** By the digest of its bytes, in whatever generation it was issued. */
export async function findReport(deps: StandingDeps, sha256: string): Promise<Standing<ReportFields> | undefined> {
  for (const ledger of deps.chain) {
    const [found] = await findSubmissions(deps.db, ledger, [changeKeys.report({ sha256 })], [])
    if (found !== undefined) return readStanding<ReportFields>(deps, ledger, found)
  }
  return undefined
}
