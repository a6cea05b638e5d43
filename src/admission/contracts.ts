import type { Readable } from 'node:stream'
import { parseContract } from '../contract/contract.ts'
import { effectiveContract } from '../contract/effective.ts'
import type { Contract } from '../contract/form.ts'
import type { Queryable } from '../database/database.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, printTime } from '../record/record.ts'
import type { By } from '../record/run.ts'
import { type VersionRow, findVersions, findVersionsByDigest } from './contract-versions.ts'
import { fieldsOf } from './receipts.ts'

/** Reads registered contracts back. Records are immutable, so what was read once is kept. */

/** The repository that the org's default is registered for. */
export const orgDefault = '*'

export interface RegisteredContract {
  repository: string
  contract_version: number
  /** Digest of the contract: of its canonical form, not of its text. */
  contract: string
  /** Digest of the version before; null for the first. */
  parent: string | null
  ref?: string | undefined
  commit?: string | undefined
  by: By
  id: string
  seq: number
  recorded_at: string
  /** As it was registered. */
  text: string
  parsed: Contract
}

export interface StandingContract {
  own: RegisteredContract | undefined
  org: RegisteredContract | undefined
  /** What holds; undefined where there is neither. */
  effective: Contract | undefined
}

export interface Contracts {
  /** What stands for a repository: by what is published, or by the first `size` records of the ledger `changes`. */
  contractAt(repository: string, size?: number): Promise<StandingContract>
  /** Newest first. */
  list(repository: string, page: { before?: number | undefined; limit: number }): Promise<RegisteredContract[]>
  /** One published version; undefined when there is none. */
  find(repository: string, version: number): Promise<RegisteredContract | undefined>
  /** Seq of a version that is committed, published or not. */
  committedSeq(repository: string, version: number): Promise<number | undefined>
  /** Published ones with this digest, newest first. */
  withDigest(sha256: string): Promise<RegisteredContract[]>
}

export interface ContractsDeps {
  db: Queryable
  reader: LedgerReader
  /** `<org>/changes` */
  ledger: LedgerName
  openArtifact: (sha256: string) => Promise<Readable | undefined>
}

const maxKept = 1_000

export function createContracts({ db, reader, ledger, openArtifact }: ContractsDeps): Contracts {
  const kept = new Map<number, RegisteredContract>()

  const read = async ({ firstSeq }: VersionRow): Promise<RegisteredContract> => {
    const known = kept.get(firstSeq)
    if (known !== undefined) return known
    const found = await readOne(firstSeq)
    if (kept.size >= maxKept) kept.delete(kept.keys().next().value ?? firstSeq)
    kept.set(firstSeq, found)
    return found
  }

  const readOne = async (seq: number): Promise<RegisteredContract> => {
    const record = (await reader.readBatch(ledger, seq, { maxRecords: 1 })).records[0]
    if (record === undefined) throw new Problem('unavailable', `the contract at ${ledger} ${seq} is not published yet`)
    const fields = fieldsOf(record) as unknown as ContractFields // written by contractPayload with exactly these members
    const text = fields.text ?? (await readText(fields.text_sha256))
    const { repository, contract_version, contract, parent, ref, commit, by } = fields
    return {
      repository,
      contract_version,
      contract,
      parent,
      ref,
      commit,
      by,
      id: record.id,
      seq,
      recorded_at: printTime(record.recordedAt),
      text,
      parsed: parseContract(text),
    }
  }

  const readText = async (sha256: string): Promise<string> => {
    const body = await openArtifact(sha256)
    if (body === undefined) throw new Problem('integrity', `the text of a contract, ${sha256}, is gone`)
    const chunks: Buffer[] = []
    for await (const chunk of body) chunks.push(chunk as Buffer) // a stream of bytes
    return Buffer.concat(chunks).toString('utf8')
  }

  return {
    async contractAt(repository, size) {
      const rows = await findVersions(db, ledger, [repository, orgDefault], { size, limit: 1 })
      const of = (name: string): Promise<RegisteredContract> | undefined => {
        const row = rows.find((one) => one.repository === name)
        return row === undefined ? undefined : read(row)
      }
      const [own, org] = [await of(repository), repository === orgDefault ? undefined : await of(orgDefault)]
      return { own, org, effective: effectiveContract(own?.parsed, org?.parsed) }
    },
    list: async (repository, page) => Promise.all((await findVersions(db, ledger, [repository], page)).map(read)),
    async find(repository, version) {
      const [row] = await findVersions(db, ledger, [repository], { before: version + 1, limit: 1 })
      return row?.version === version ? read(row) : undefined
    },
    async committedSeq(repository, version) {
      const page = { size: Number.MAX_SAFE_INTEGER, before: version + 1, limit: 1 }
      const [row] = await findVersions(db, ledger, [repository], page)
      return row?.version === version ? row.firstSeq : undefined
    },
    withDigest: async (sha256) =>
      Promise.all((await findVersionsByDigest(db, ledger, Buffer.from(sha256, 'hex'))).map(read)),
  }
}

/** Members of a `contract` record, in their order. */
export interface ContractFields {
  repository: string
  contract_version: number
  contract: string
  parent: string | null
  mode?: string | undefined
  ref?: string | undefined
  commit?: string | undefined
  by: By
  text_sha256: string
  /** Absent when there is no room for it: the artifact of that digest has it. */
  text?: string | undefined
}
