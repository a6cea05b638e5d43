import { createReportAnswers } from '../answers/reports.ts'
import type { SubjectDeps } from '../answers/subject.ts'
import { type IssuedDeps, findIssued } from '../decisions/issued.ts'
import { issueReport } from '../decisions/reports.ts'
import type { Mount } from '../http/mount.ts'
import { type IssueQuery, answerOf, mountReports } from '../http/reports.ts'
import type { Book } from '../ledger/book.ts'
import type { Generations } from '../ledger/generations.ts'
import type { LedgerReader } from '../ledger/read.ts'
import type { Signer } from '../signing/signer.ts'

export interface ReportingDeps {
  reader: LedgerReader
  generations: Generations
  /** `<org>/changes` */
  changes: Book
  subjects: SubjectDeps
  signer: Pick<Signer, 'signStatement'>
  keep: (bytes: Uint8Array) => Promise<void>
  openArtifact: IssuedDeps['openArtifact']
}

/** Coverage reports of this service: answered, issued, and given back by their digests. */
export function mountReporting(mount: Mount, deps: ReportingDeps): void {
  const { reader, generations, changes: book, subjects, signer, keep, openArtifact } = deps
  const answers = createReportAnswers(subjects)
  const standing = { db: subjects.db, reader, chain: generations.chain(book.ledger) }
  mountReports(mount, {
    answers,
    generations,
    issue: (who, query) =>
      issueReport(
        {
          ...standing,
          book,
          keep,
          signStatement: signer.signStatement,
          answer: (asker, asked: IssueQuery) => answerOf({ answers, generations }, asker, asked, Infinity),
        },
        who,
        query,
      ),
    find: (sha256) => findIssued({ ...standing, subjects, openArtifact: (digest) => openArtifact(digest) }, sha256),
  })
}
