import { setTimeout as sleep } from 'node:timers/promises'
import type { Keeper, KeepingDeps } from './keeping.ts'
import { parseTrustedKey } from '../log/trusted-key.ts'
import { createFolderShelf } from '../publish/folder-shelf.ts'
import { type Published, publishLog } from '../publish/publish-log.ts'
import type { PublishSettings } from '../publish/settings.ts'
import type { Shelf } from '../publish/shelf.ts'
import { Problem } from '../record/problem.ts'
import type { LedgerName } from '../record/record.ts'
import type { Finding } from '../watch/alerts.ts'
import { createTroubles, listTroubles } from '../watch/troubles.ts'

/** Writes the logs out as static files, each from where its published checkpoint says; one that fails or is refused harms no other. */
export const publishing: Keeper = async (deps, work) => {
  const { shelf, db, operations } = deps
  if (shelf === undefined) return async () => []
  work('publishing', async (ending) => {
    const troubles = createTroubles(db, operations.ledger, 'publishing')
    const found = new Map<LedgerName, Finding>()
    const tell: Tell = async (ledger, finding) => {
      if (finding === undefined) found.delete(ledger)
      else found.set(ledger, finding)
      await troubles.keep([...found.values()])
    }
    await Promise.all(deps.generations.every.map((ledger) => followLedger(deps, shelf, ledger, tell, ending)))
  })
  return () => listTroubles(db, operations.ledger, 'publishing')
}

/** What is wrong with one ledger's copy now; undefined: nothing. */
type Tell = (ledger: LedgerName, finding: Finding | undefined) => Promise<void>

/** The published copy as it is configured; undefined when it is not. */
export async function openShelf({ folder, s3 }: PublishSettings): Promise<Shelf | undefined> {
  if (folder !== undefined) return createFolderShelf(folder)
  if (s3 === undefined) return undefined
  const { createS3Shelf } = await import('../publish/s3-shelf.ts')
  return createS3Shelf(s3)
}

async function followLedger(
  { config, treeOf, signer, originOf, witnessed, log }: KeepingDeps,
  shelf: Shelf,
  ledger: LedgerName,
  tell: Tell,
  signal: AbortSignal,
): Promise<void> {
  const tree = treeOf(ledger)
  if (tree === undefined) return
  let shown: string | undefined
  let trouble: string | undefined
  const round = async (): Promise<Published | undefined> => {
    const note = (await witnessed.newest(ledger))?.note
    if (note === shown && trouble === undefined) return undefined
    // Each time: a key may have been rotated, on any node.
    const keys = (await signer.keys(ledger)).map(parseTrustedKey)
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
  const look = async (): Promise<Finding | undefined> => {
    try {
      const result = await round()
      if (result?.kind === 'published' && result.isNew)
        log.info('log.published', { ledger, size: result.size, to: shelf.name })
      return result?.kind === 'ahead' ? aheadFinding(ledger, shelf, result.size) : undefined
    } catch (error) {
      if (signal.aborted) return undefined
      const finding = toFinding(ledger, shelf, error)
      if (trouble !== finding.detail) log.error('publish.failed', { ledger, to: shelf.name, error })
      return finding
    }
  }
  while (!signal.aborted) {
    const finding = await look()
    if (signal.aborted) return
    trouble = finding?.detail
    await tell(ledger, finding)
    await sleep(config.publish.every_ms, undefined, { signal }).catch(() => {})
  }
}

/** An older database is told as rollback_detected beside this; a policy for witnesses that came later catches up, or its witnesses do not. */
function aheadFinding(ledger: LedgerName, shelf: Shelf, size: number): Finding {
  const detail = `the copy has ${size} records, more than may be published now: the database is older, or the quorum of log.policy has not cosigned so many`
  return { code: 'publication_late', subject: `${ledger} published in ${shelf.name}`, detail }
}

/** Other bytes than the log's are evidence; anything else passes, or is an operator's. */
function toFinding(ledger: LedgerName, shelf: Shelf, error: unknown): Finding {
  const detail = error instanceof Error ? error.message : String(error)
  const isMismatch = error instanceof Problem && error.code === 'integrity'
  const subject = `${ledger} published in ${shelf.name}`
  return { code: isMismatch ? 'log_mismatch' : 'publication_late', subject, detail }
}
