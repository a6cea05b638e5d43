import { setTimeout as sleep } from 'node:timers/promises'
import type { Keeper, KeepingDeps } from './keeping.ts'
import { parseTrustedKey } from './log/trusted-key.ts'
import { createFolderShelf } from './publish/folder-shelf.ts'
import { type Published, publishLog } from './publish/publish-log.ts'
import type { PublishSettings } from './publish/settings.ts'
import type { Shelf } from './publish/shelf.ts'
import { Problem } from './record/problem.ts'
import type { LedgerName } from './record/record.ts'
import type { Finding } from './watch/alerts.ts'

/** Writes the logs out as static files, each from where its published checkpoint says; one that fails or is refused harms no other. */
export const publishing: Keeper = async (deps, work) => {
  const { shelf } = deps
  if (shelf === undefined) return async () => []
  const troubles = new Map<LedgerName, Finding>()
  work('publishing', async (ending) => {
    await Promise.all(deps.generations.every.map((ledger) => followLedger(deps, shelf, ledger, troubles, ending)))
  })
  return async () => [...troubles.values()]
}

/** The published copy as it is configured; undefined when it is not. */
export async function openShelf({ folder, s3 }: PublishSettings): Promise<Shelf | undefined> {
  if (folder !== undefined) return createFolderShelf(folder)
  if (s3 === undefined) return undefined
  const { createS3Shelf } = await import('./publish/s3-shelf.ts')
  return createS3Shelf(s3)
}

async function followLedger(
  { config, treeOf, signer, originOf, witnessed, log }: KeepingDeps,
  shelf: Shelf,
  ledger: LedgerName,
  troubles: Map<LedgerName, Finding>,
  signal: AbortSignal,
): Promise<void> {
  const tree = treeOf(ledger)
  if (tree === undefined) return
  let shown: string | undefined
  const round = async (): Promise<Published | undefined> => {
    const note = (await witnessed.newest(ledger))?.note
    if (note === shown && !troubles.has(ledger)) return undefined
    // Each time: a key may have been rotated, on any node.
    const keys = (await signer.keys(ledger)).map(parseTrustedKey) // asked each time: they may have been rotated
    const claim = await shelf.claim(ledger)
    try {
      const result = await publishLog({
        shelf,
        ledger,
        origin: originOf(ledger),
        keys,
        tree,
        newest: async () => note,
        signal,
      })
      if (result.kind === 'published') shown = note
      return result
    } finally {
      claim.release()
    }
  }
  while (!signal.aborted) {
    try {
      const result = await round()
      troubles.delete(ledger)
      if (result?.kind === 'published' && result.isNew)
        log.info('log.published', { ledger, size: result.size, to: shelf.name })
    } catch (error) {
      if (signal.aborted) return
      const finding = toFinding(ledger, shelf, error)
      if (troubles.get(ledger)?.detail !== finding.detail)
        log.error('publish.failed', { ledger, to: shelf.name, error })
      troubles.set(ledger, finding)
    }
    await sleep(config.publish.every_ms, undefined, { signal }).catch(() => {})
  }
}

/** Other bytes than the log's are evidence; anything else passes, or is an operator's. */
function toFinding(ledger: LedgerName, shelf: Shelf, error: unknown): Finding {
  const detail = error instanceof Error ? error.message : String(error)
  const isMismatch = error instanceof Problem && error.code === 'integrity'
  const subject = `${ledger} published in ${shelf.name}`
  return { code: isMismatch ? 'log_mismatch' : 'publication_late', subject, detail }
}
