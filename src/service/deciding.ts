import { createBuilds } from '../admission/builds.ts'
import type { Contracts } from '../admission/contracts.ts'
import type { RecordingRefusals } from '../admission/refusals.ts'
import type { RunsStore } from '../admission/runs-store.ts'
import type { SubjectDeps } from '../answers/subject.ts'
import type { Database } from '../database/database.ts'
import { createDeployments } from '../decisions/deployments.ts'
import { createDispositions } from '../decisions/dispositions.ts'
import { createGates } from '../decisions/gates.ts'
import { createOverrides } from '../decisions/overrides.ts'
import { listingOf, mountDecisions } from '../http/decisions.ts'
import type { Mount } from '../http/mount.ts'
import type { Book } from '../ledger/book.ts'
import type { Generations } from '../ledger/generations.ts'
import type { LedgerReader } from '../ledger/read.ts'

export interface DecidingDeps {
  db: Database
  reader: LedgerReader
  generations: Generations
  /** `<org>/changes` */
  changes: Book
  contracts: Contracts
  runs: RunsStore
  /** Of the reports that gates are compared with: both answer from the same. */
  subjects: SubjectDeps
  keep: (bytes: Uint8Array) => Promise<void>
  recordingRefusals: RecordingRefusals
}

/** Gates, overrides, deployments and dispositions of this service. */
export function mountDeciding(mount: Mount, deps: DecidingDeps): void {
  const { db, reader, generations, changes: book, contracts, runs, subjects, keep, recordingRefusals } = deps
  const { org } = generations
  const of = (kind: 'unit' | 'integration' | 'changes' | 'operations') => generations.chain(generations.now(kind))
  const history = [...of('unit'), ...of('integration'), ...of('changes')]
  const standing = { org, db, reader, chain: of('changes'), book, recordingRefusals }
  const builds = createBuilds(db, generations, book, reader)
  mountDecisions(mount, {
    decide: createGates({ ...standing, builds, subjects, ledgers: history, keep, tail: reader.tail }),
    override: createOverrides({ ...standing, findRecord: reader.findRecord }),
    deploy: createDeployments({
      ...standing,
      builds,
      contractOf: async (repository) => (await contracts.contractAt(repository)).effective,
    }),
    dispose: createDispositions({
      ...standing,
      ofRuns: [...of('unit').toReversed(), ...of('integration').toReversed()],
      runs,
      findRecord: reader.findRecord,
    }),
    list: listingOf(subjects, { history, operations: of('operations') }),
  })
}
