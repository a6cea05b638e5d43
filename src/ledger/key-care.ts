import type { Database } from '../database/database.ts'
import { type TrustedKey, parseTrustedKey } from '../log/trusted-key.ts'
import { printVkey } from '../log/vkey.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type Micros, orgOf } from '../record/record.ts'
import type { KeyOwner } from '../signing/key-plan.ts'
import type { RotationAnswer, Signer } from '../signing/signer.ts'
import type { Book } from './book.ts'
import { checkpointOfBoth, statementOfBoth } from './key-evidence.ts'
import {
  checkKeyRecords,
  type KeyEvidence,
  type KeyFacts,
  type KeySubject,
  readKeyRecords,
  recordKeys,
} from './key-records.ts'
import type { LedgerReader } from './read.ts'

/** The signer's keys and what is on record of them, held together: checked before anything is recorded, put on record after each step. */
export interface KeyCare {
  /** Throws Problem('signer_not_current'). */
  check(): Promise<void>
  /** What a crash left out, and at the first start all. `book` is the ledger operations; later steps go there too. */
  record(book: Book): Promise<void>
  list(): Promise<KeptKey[]>
  /** Throws Problem('key_conflict') when the signer refuses. Safe to repeat. */
  rotate(of: KeyOwner, request: { replaces: string; atOnce: boolean; vkey?: string | undefined }): Promise<KeyChange>
  retire(of: KeyOwner, request: { vkey: string; until?: number | undefined }): Promise<KeyChange>
}

export interface KeptKey {
  of: KeySubject
  key: TrustedKey
  /** Undefined when its record is yet to come. */
  recordedAt: Micros | undefined
  state: 'signing' | 'beside' | 'retired'
}

export interface KeyChange {
  changed: boolean
  keys: KeptKey[]
}

export interface KeyCareDeps {
  db: Database
  reader: LedgerReader
  signer: Signer
  ledgers: readonly LedgerName[]
  /** Name of the ledger operations of this org. */
  operations: LedgerName
  /** Its earlier generations, which were closed with a loss: what they say of keys still holds. */
  earlier?: readonly LedgerName[]
  originOf: (ledger: LedgerName) => string
  /** `<public host>/<org>/statement` */
  statementName: string
}

export function createKeyCare({
  db,
  reader,
  signer,
  ledgers,
  operations,
  earlier = [],
  originOf,
  statementName,
}: KeyCareDeps): KeyCare {
  let kept: Book | undefined
  const owners: readonly KeyOwner[] = [...ledgers, 'statement']
  const subjectOf = (of: KeyOwner): KeySubject => (of === 'statement' ? `${orgOf(operations)}/statement` : of)

  const factsOf = async (of: KeyOwner): Promise<KeyFacts> => ({
    of: subjectOf(of),
    origin: of === 'statement' ? statementName : originOf(of),
    guard: await signer.guardId(),
    keys: await signer.keys(of),
  })

  const recordOne = async (book: Book, of: KeyOwner, statement?: KeyEvidence): Promise<void> => {
    const known = await readKeyRecords(db, reader, operations, subjectOf(of))
    await recordKeys(book, await factsOf(of), known, async (at) =>
      of === 'statement' ? (statement ?? statementOfBoth(signer)) : checkpointOfBoth(db, signer, of, at),
    )
  }

  const listOf = async (of: KeyOwner): Promise<KeptKey[]> => {
    const records = await readKeyRecords(db, reader, operations, subjectOf(of))
    const keys = (await signer.keys(of)).map(parseTrustedKey)
    return keys.map((key, i) => ({
      of: subjectOf(of),
      key,
      recordedAt: records.find(({ vkey }) => vkey === printVkey(key))?.recordedAt,
      state: key.until !== undefined ? 'retired' : i === keys.length - 1 ? 'signing' : 'beside',
    }))
  }

  const changed = async (answer: RotationAnswer, of: KeyOwner, statement?: KeyEvidence): Promise<KeyChange> => {
    if (answer.kind === 'refused') throw new Problem('key_conflict', answer.reason)
    if (kept === undefined) throw new Error('the ledger operations is not open for keys')
    await recordOne(kept, of, statement)
    return { changed: answer.kind === 'changed', keys: await listOf(of) }
  }
  const sizeNow = async (): Promise<number> => (await reader.published(operations))?.size ?? 0

  const retire: KeyCare['retire'] = async (of, request) => {
    // Before the old key is gone: afterwards nothing can be signed by both.
    const statement = of === 'statement' ? await statementOfBoth(signer) : undefined
    return changed(await signer.retire(of, { ...request, at: await sizeNow() }), of, statement)
  }
  const rotate: KeyCare['rotate'] = async (of, request) => {
    if (of === 'statement' && request.atOnce) {
      // Step by step, so that there is something that both signed. A crash between leaves the old key beside the new one; asked again, it goes on.
      await rotate(of, { ...request, atOnce: false })
      return retire(of, { vkey: request.replaces })
    }
    // A crash after the signer's step leaves its record to the next start.
    return changed(await signer.rotate(of, { ...request, at: await sizeNow() }), of)
  }

  return {
    async check() {
      for (const of of owners)
        for (const ledger of [...earlier, operations]) await checkKeyRecords(db, reader, ledger, await factsOf(of))
    },
    async record(book) {
      kept = book
      for (const of of owners) await recordOne(book, of)
    },
    list: async () => (await Promise.all(owners.map(listOf))).flat(),
    rotate,
    retire,
  }
}
