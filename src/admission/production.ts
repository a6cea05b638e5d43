import { createHash } from 'node:crypto'
import { productionFilter, productionLine } from '../contract/effective.ts'
import type { Contract } from '../contract/form.ts'
import { createPause } from '../ledger/pause.ts'
import type { LedgerName } from '../record/record.ts'

/**
 * Whether two runs of a suite measured the same production files, as one digest. With a contract that names them: over path and blob of
 * every production file of the commit, also of those that no report mentions, so that a file that drops out of the reports shows.
 * Without one: over the digests that the parts have of the files they measured.
 */

export interface Commit {
  ledger: LedgerName
  repository: string
  commit: string
}

export interface Production {
  /** Undefined when the contract does not name them, or when the commit has no inventory. */
  digestOf(commit: Commit, contract: Contract): Promise<string | undefined>
}

const maxKept = 200

/** The digest of a commit by one contract never changes, so what was computed once is kept: sealing asks twice. */
export function createProduction(
  inventoryOf: (ledger: LedgerName, repository: string, commit: string) => Promise<Uint8Array[] | undefined>,
): Production {
  const kept = new Map<string, string>()
  return {
    async digestOf({ ledger, repository, commit }, contract) {
      const isProduction = productionFilter(contract)
      if (isProduction === undefined) return undefined
      const key = JSON.stringify([ledger, repository, commit, contract.production])
      const known = kept.get(key)
      if (known !== undefined) return known
      const payloads = await inventoryOf(ledger, repository, commit)
      if (payloads === undefined) return undefined
      const digest = await digestOfFiles(payloads, isProduction)
      if (kept.size >= maxKept) kept.delete(kept.keys().next().value ?? key)
      kept.set(key, digest)
      return digest
    },
  }
}

/** Inventories are in path order, so the digest needs no sorting. */
async function digestOfFiles(
  payloads: readonly Uint8Array[],
  isProduction: (path: string) => boolean,
): Promise<string> {
  const digest = createHash('sha256')
  const pause = createPause()
  for (const payload of payloads) {
    const { files } = JSON.parse(Buffer.from(payload).toString()) as { files: [string, string][] } // written by inventoryPayloads
    let text = ''
    for (const [path, blob] of files) {
      if (isProduction(path)) text += productionLine(path, blob)
      if (pause.isDue()) await pause.take()
    }
    digest.update(text)
  }
  return digest.digest('hex')
}

/** Of all parts together, in whatever order they came; undefined when one does not know the blobs of its files. */
export function digestOfParts(parts: readonly { files_digest?: string | undefined }[]): string | undefined {
  const digests = parts.flatMap(({ files_digest }) => files_digest ?? [])
  if (digests.length === 0 || digests.length < parts.length) return undefined
  return createHash('sha256')
    .update([...new Set(digests)].toSorted().join('\n'))
    .digest('hex')
}
