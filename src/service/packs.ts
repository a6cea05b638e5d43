import type { Database } from '../database/database.ts'
import { type OpenPack, createPacks } from '../evidence/pack.ts'
import type { PackSources, Stamp } from '../evidence/sources.ts'
import { createFileSource } from './file-source.ts'
import { readKinds } from '../ledger/read-kinds.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { checkpointAt } from '../ledger/checkpoint-store.ts'
import { findSubmissions } from '../ledger/store.ts'
import { timestampsFor } from '../ledger/timestamp-store.ts'
import type { Tree } from '../ledger/tree.ts'
import type { Witnessed } from '../ledger/witnessed.ts'
import { needsQuorum, printPolicy } from '../log/policy.ts'
import { parseTrustedKey } from '../log/trusted-key.ts'
import { printVkey } from '../log/vkey.ts'
import type { Artifacts } from '../objects/objects.ts'
import type { LedgerName } from '../record/record.ts'
import type { Signer } from '../signing/signer.ts'

export interface PackDeps {
  org: string
  db: Database
  reader: LedgerReader
  ledgers: readonly LedgerName[]
  treeOf: (ledger: LedgerName) => Tree | undefined
  originOf: (ledger: LedgerName) => string
  openArtifact: Artifacts['open']
  signer: Pick<Signer, 'signStatement' | 'keys'>
  witnessed: Witnessed
}

/** Evidence packs of this service. */
export const openPacks = (deps: PackDeps): OpenPack => createPacks(createSources(deps))

function createSources(deps: PackDeps): PackSources {
  const { org, db, reader, ledgers, treeOf, originOf, openArtifact, signer, witnessed } = deps
  return {
    org,
    ledgers,
    originOf,
    checkpoints: {
      isWitnessed: witnessed.policy !== undefined && needsQuorum(witnessed.policy),
      newest: witnessed.newest,
      atOrAfter: witnessed.atOrAfter,
    },
    records: (ledger, from, until, kinds) => readKinds({ db, reader }, ledger, from, until, kinds),
    seqAt: reader.seqAt,
    files: createFileSource(db, reader),
    async nodes(ledger, wanted) {
      const tree = treeOf(ledger)
      if (tree === undefined) throw new Error(`${ledger} has no tree here`)
      return tree.nodes(wanted)
    },
    async partSeqs(ledger, run) {
      const rows = await findSubmissions(db, ledger, [], [run])
      return rows.filter(({ key }) => key.startsWith(`part:${run}/`)).map(({ firstSeq }) => firstSeq)
    },
    openArtifact: (sha256) => openArtifact(sha256),
    signStatement: signer.signStatement,
    async policy() {
      if (witnessed.policy !== undefined) return printPolicy(witnessed.policy)
      // Also those that were retired: they signed what the pack may reach back to. A policy has no place for the sizes of a key.
      const keys = (await Promise.all(ledgers.map((ledger) => signer.keys(ledger)))).flat().map(parseTrustedKey)
      return `${keys.map((key) => `log ${printVkey(key)}\n`).join('')}quorum none\n`
    },
    async timestamps(ledger, end, size) {
      const stamps: Stamp[] = []
      for (const { size: at, token } of await timestampsFor(db, ledger, end, size)) {
        const checkpoint = await checkpointAt(db, ledger, at)
        if (checkpoint !== undefined) stamps.push({ ...checkpoint, token })
      }
      return stamps
    },
  }
}
