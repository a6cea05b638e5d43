import { type Archiving, createArchiving, keepArchive } from './archiving.ts'
import type { Config } from '../config.ts'
import type { Database } from '../database/database.ts'
import { runWorker } from '../database/worker.ts'
import { keepHistory } from './histories.ts'
import { keepKeys } from './key-keeping.ts'
import { comparing } from './comparing.ts'
import type { Deliveries } from './deliveries.ts'
import { watchDeployments } from './deployment-watch.ts'
import type { Heads } from './heads.ts'
import type { Book } from '../ledger/book.ts'
import type { KeyCare } from '../ledger/key-care.ts'
import type { Generations } from '../ledger/generations.ts'
import type { LedgerReader } from '../ledger/read.ts'
import type { Tree } from '../ledger/tree.ts'
import type { Witnessed } from '../ledger/witnessed.ts'
import type { Objects } from '../objects/objects.ts'
import type { LedgerName } from '../record/record.ts'
import type { Shelf } from '../publish/shelf.ts'
import { publishing } from './publishing.ts'
import { scrubbing } from './scrubbing.ts'
import type { OpenSigner } from './signer.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { openAlerts } from '../watch/alert-store.ts'
import type { Finding } from '../watch/alerts.ts'
import { toldByKeepers, withCode } from '../watch/sources.ts'
import { keepTimestamps } from './timestamping.ts'
import type { RecordCommand } from '../watch/commands.ts'
import { type AskedWitness, keepWitnesses } from './witnessing.ts'

/** What follows the ledgers so that others can check them: each a worker of its own, in one process at a time. */
export interface Keeping {
  archiving: Archiving
  /** What is wrong with it now, for the alerts. */
  findings(): Promise<Finding[]>
  /** After the signal aborted: resolves when every worker ended. */
  ended(): Promise<void>
}

export interface KeepingDeps {
  config: Config
  db: Database
  reader: LedgerReader
  /** What is recorded in. */
  ledgers: readonly LedgerName[]
  /** Those too that were closed with a loss: they are read, archived and looked after like the others. */
  generations: Generations
  treeOf: (ledger: LedgerName) => Tree | undefined
  books: ReadonlyMap<LedgerName, Book>
  operations: Book
  signer: OpenSigner
  keys: KeyCare
  objects: Objects
  recordCommand: RecordCommand
  /** `<public host>/<org>/<ledger>` */
  originOf: (ledger: LedgerName) => string
  /** Which checkpoints are shown to others. */
  witnessed: Witnessed
  /** The published copy, where there is one. */
  shelf: Shelf | undefined
  witnesses: readonly AskedWitness[]
  heads: Heads
  /** Of the issuers that identities come from. */
  findIssuers: () => Finding[]
  destinations: Deliveries['destinations']
  log: Logger
  metrics: Metrics
  signal: AbortSignal
}

/** One part of it: may start workers by `work`, and answers what it finds wrong. */
export type Keeper = (
  deps: KeepingDeps,
  work: (name: string, run: (ending: AbortSignal) => Promise<void>) => void,
) => Promise<() => Promise<Finding[]>>

/** One line for each part, in a file of its own beside this one. */
const keepers: readonly Keeper[] = [
  publishing,
  comparing,
  keepKeys,
  keepWitnesses,
  keepHistory,
  watchDeployments,
  scrubbing,
  keepTimestamps,
  async ({ findIssuers }) =>
    async () =>
      findIssuers(),
]

export async function startKeeping(deps: KeepingDeps): Promise<Keeping> {
  const { db, log, metrics, signal } = deps
  const workers: Promise<void>[] = []
  const work = (name: string, run: (ending: AbortSignal) => Promise<void>): void =>
    void workers.push(runWorker(name, run, { org: deps.config.org, db, log, metrics, signal }))
  const finders: (() => Promise<Finding[]>)[] = []
  const archiving = createArchiving(deps)
  const open = async (): Promise<Finding[]> =>
    (await openAlerts(db, deps.operations.ledger)).filter(withCode(...toldByKeepers))
  for (const keeper of [...keepers, keepArchive(archiving)])
    finders.push(patiently(await keeper(deps, work), open, log))
  return {
    archiving,
    findings: async () => (await Promise.all(finders.map((find) => find()))).flat(),
    async ended() {
      await Promise.all(workers)
    },
  }
}

/**
 * Not to know what one part finds is no reason to close its alerts, nor to find nothing else: what it found last stands, and before it found
 * anything here, in a process that took over, what is open.
 */
export function patiently(
  find: () => Promise<Finding[]>,
  open: () => Promise<Finding[]>,
  log: Pick<Logger, 'error'>,
): () => Promise<Finding[]> {
  let known: Finding[] | undefined
  return async () => {
    try {
      known = await find()
    } catch (error) {
      log.error('findings.unread', { error })
    }
    return known ?? (await open())
  }
}
