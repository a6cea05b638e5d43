import { openCheckpoint } from '../log/checkpoint.ts'
import type { OpenedCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { hashLeaf } from '../log/merkle.ts'
import { verifyInclusion } from '../log/merkle-proof.ts'
import { parseProof } from '../log/proof.ts'
import type { TrustedKey } from '../log/trusted-key.ts'
import { openRecord } from '../record/record.ts'
import type { LedgerName, OpenedRecord } from '../record/record.ts'
import { createDifferences, kindOfLogError } from './differences.ts'
import type { Difference } from './differences.ts'

/** What one record and its tlog-proof say, checked without any service. Without differences all of it is proved. */
export interface ReceiptFinding {
  record: OpenedRecord | undefined
  checkpoint: OpenedCheckpoint | undefined
  differences: Difference[]
}

export interface ReceiptTrust {
  ledger: LedgerName
  origin: string
  vkeys: readonly TrustedKey[]
}

/** Whether `recordBytes` stand in the log where the proof says, under a checkpoint that a key of `trust` signed. */
export async function verifyReceiptProof(
  recordBytes: Uint8Array,
  tlogProof: string,
  { ledger, origin, vkeys }: ReceiptTrust,
): Promise<ReceiptFinding> {
  const differences = createDifferences(100)
  let record: OpenedRecord | undefined
  let checkpoint: OpenedCheckpoint | undefined
  try {
    record = openRecord(recordBytes)
    if (record.ledger !== ledger)
      differences.add('malformed', record.seq, `a record of ${ledger}`, `a record of ${record.ledger}`)
  } catch (error) {
    differences.add('malformed', 0, `a record of ${ledger}`, error instanceof Error ? error.message : String(error))
  }
  const seq = record?.seq ?? 0
  try {
    const proof = parseProof(tlogProof)
    checkpoint = await openCheckpoint(proof.checkpoint, origin, vkeys)
    const { size, root } = checkpoint
    if (record !== undefined && proof.index !== record.seq) {
      differences.add(
        'proof-mismatch',
        record.seq,
        `a proof for index ${record.seq}`,
        `a proof for index ${proof.index}`,
      )
    }
    const leafHash = hashLeaf(recordBytes)
    if (!verifyInclusion({ index: proof.index, size, leafHash, proof: proof.hashes, root })) {
      differences.add(
        'proof-mismatch',
        seq,
        `a path from leaf ${proof.index} to the root of size ${size}`,
        'a path that does not lead there',
      )
    }
  } catch (error) {
    if (!(error instanceof LogError)) throw error
    differences.add(kindOfLogError(error.code), seq, `a proof signed by ${origin}`, error.message)
  }
  return { record, checkpoint, differences: differences.list() }
}
