import { createHash } from 'node:crypto'
import type { Principal } from '../../src/access/principal.ts'
import { createBuilds } from '../../src/admission/builds.ts'
import { createInventories } from '../../src/answers/inventories.ts'
import { createRunEvidences } from '../../src/answers/run-evidence.ts'
import type { SubjectDeps } from '../../src/answers/subject.ts'
import type { Database } from '../../src/database/database.ts'
import { type RecordDeployment, createDeployments } from '../../src/decisions/deployments.ts'
import { type DecideGate, createGates } from '../../src/decisions/gates.ts'
import { type OverrideGate, createOverrides } from '../../src/decisions/overrides.ts'
import { runDecisions } from '../../src/history/decisions.ts'
import { createHistories } from '../../src/history/ledger-history.ts'
import { createGenerations } from '../../src/ledger/generations.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { type ContractService, aPrincipal, openContracts } from '../admission/contract-service.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'

export const ledgers: LedgerName[] = ['main/unit', 'main/integration', 'main/changes']

/** What a service has to decide, over real ledgers, without HTTP. */
export interface GateService {
  /** In the order of the ledgers. */
  nodes: TestNode[]
  subjects: SubjectDeps
  contracts: ContractService
  decide: DecideGate
  override: OverrideGate
  deploy: RecordDeployment
  /** An operator. */
  who: Principal
  close(): Promise<void>
}

export async function openGates(db: Database): Promise<GateService> {
  await ensurePartitions(db)
  const signer = await createMemorySigner()
  const [unit, integration, changes] = await Promise.all([
    openNode(db, signer, 'a', 'main/unit'),
    openNode(db, signer, 'a', 'main/integration'),
    openNode(db, signer, 'a', 'main/changes'),
  ])
  const { book, reader } = changes
  const contracts = openContracts(db, changes)
  const { contractAt } = contracts.contracts
  const subjects: SubjectDeps = {
    db,
    reader,
    histories: createHistories(db),
    evidences: createRunEvidences({ db, reader, readList: async () => undefined }),
    inventories: createInventories(reader),
    contractAt,
  }
  const common = {
    org: 'main',
    db,
    reader,
    chain: [book.ledger],
    book,
    builds: createBuilds(db, createGenerations('main', []), book, reader),
    recordingRefusals: <T>(_: unknown, work: () => Promise<T>) => work(),
  }
  const keep = async (bytes: Uint8Array): Promise<void> =>
    void contracts.kept.set(createHash('sha256').update(bytes).digest('hex'), bytes)
  const going = new AbortController()
  const followed = runDecisions({ db, reader }, book.ledger, going.signal)
  return {
    nodes: [unit, integration, changes],
    subjects,
    contracts,
    decide: createGates({ ...common, subjects, ledgers, keep, tail: reader.tail }),
    override: createOverrides({ ...common, findRecord: reader.findRecord }),
    deploy: createDeployments({
      ...common,
      contractOf: async (repository) => (await contractAt(repository)).effective,
    }),
    who: aPrincipal(['operate']),
    async close() {
      going.abort()
      await followed
      for (const node of [unit, integration, changes]) await node.book.close()
    },
  }
}
