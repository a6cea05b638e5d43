import { Readable } from 'node:stream'
import type { Principal, Scope } from '../../src/access/principal.ts'
import { createConflicts } from '../../src/admission/conflicts.ts'
import { type Contracts, createContracts } from '../../src/admission/contracts.ts'
import { type RegisterContract, createRegistrar } from '../../src/admission/register-contract.ts'
import { createRefusals } from '../../src/admission/refusals.ts'
import { silentLogger } from '../../src/telemetry/logger.ts'
import type { Database } from '../../src/database/database.ts'
import { hash } from 'node:crypto'
import type { TestNode } from '../support/ledger.ts'

export interface ContractService {
  contracts: Contracts
  register: RegisterContract
  /** Texts that went to the artifact store, by digest. */
  kept: Map<string, Uint8Array>
}

/** What a service has to register and read contracts, over a node of the ledger `main/changes`. */
export function openContracts(db: Database, { book, reader }: TestNode): ContractService {
  const kept = new Map<string, Uint8Array>()
  const contracts = createContracts({
    db,
    reader,
    ledger: 'main/changes',
    async openArtifact(sha256) {
      const bytes = kept.get(sha256)
      return bytes === undefined ? undefined : Readable.from([Buffer.from(bytes)])
    },
  })
  const conflicts = createConflicts(db, reader)
  const recordingRefusals = createRefusals({ bookOf: () => book, conflicts, log: silentLogger })
  const keep = async (bytes: Uint8Array): Promise<void> => void kept.set(hash('sha256', bytes, 'hex'), bytes)
  return { contracts, kept, register: createRegistrar({ org: 'main', contracts, book, keep, recordingRefusals }) }
}

export function aPrincipal(scopes: readonly Scope[], repositories?: string[]): Principal {
  const base = { org: 'main', id: `token:${scopes.join('+')}`, method: 'token', scopes: new Set(scopes) } as const
  return repositories === undefined ? base : { ...base, repositories }
}
