import { setTimeout as sleep } from 'node:timers/promises'
import type { Keeper, KeepingDeps } from './keeping.ts'
import { scrubStretch } from '../ledger/scrub.ts'
import { findWriteOnceFaults } from '../ledger/write-once.ts'
import { beginPass, endPass, keepFound, listScrubs, moveScrub, openScrub } from '../ledger/scrub-store.ts'
import { parseTrustedKey } from '../log/trusted-key.ts'
import type { LedgerName } from '../record/record.ts'
import type { Finding } from '../watch/alerts.ts'

/**
 * Reads all that is stored again, ledger by ledger, at a bounded rate, and starts over: a changed byte is found within a pass, and not when
 * somebody asks for it. Records that fail are not served meanwhile either, since readers check what they read; this finds what nobody reads.
 */
export const scrubbing: Keeper = async (deps, work) => {
  const { generations, config, log } = deps
  work('scrub', async (ending) => {
    while (!ending.aborted) {
      for (const ledger of generations.every) {
        try {
          await scrubPass(deps, ledger, ending)
        } catch (error) {
          if (ending.aborted) return
          log.warn('scrub.failed', { ledger, error: String(error) }) // the archive or the artifacts cannot be reached: the same stretch again
        }
      }
      await sleep(Math.min(config.scrub.every_ms, 60_000), undefined, { signal: ending }).catch(() => {})
    }
  })
  return async () => [...(await fenceFindings(deps)), ...(await storedFindings(deps))]
}

/** The first look is made with the first window of the alerts, at the start: a fence that somebody took down does not wait for a pass. */
async function fenceFindings({ db }: KeepingDeps): Promise<Finding[]> {
  const bySubject = Map.groupBy(await findWriteOnceFaults(db), ({ subject }) => subject)
  return [...bySubject].map(([subject, found]) => {
    const detail = `evidence is not write-once as it was built: ${found.map(({ what }) => what).join('; ')}`
    return { code: 'log_mismatch', subject: `write-once ${subject}`, detail }
  })
}

async function storedFindings({ db, generations }: KeepingDeps): Promise<Finding[]> {
  return (await listScrubs(db, generations.every)).flatMap(({ ledger, found }): Finding[] => {
    if (found === null) return []
    const { kind, seq, expected, count } = found
    const more = count > 1 ? ` (and ${count - 1} more)` : ''
    const detail = `first bad seq ${seq}: ${kind}: expected ${expected}, found ${found.found}${more}`
    return [{ code: 'log_mismatch', subject: `stored ${ledger}`, detail }]
  })
}

/** From where the last process was to the end of the ledger; returns at once while the next pass is not due. */
async function scrubPass(deps: KeepingDeps, ledger: LedgerName, signal: AbortSignal): Promise<void> {
  const { db, signer, config, log, metrics } = deps
  let row = await openScrub(db, ledger)
  if (row.passedAt !== null) metrics.scrubbed(ledger, row.passedAt / 1_000)
  if (row.passedAt !== null && row.passedAt >= row.startedAt) {
    if (row.clock < row.startedAt + config.scrub.every_ms * 1_000) return
    await beginPass(db, ledger)
    row = await openScrub(db, ledger)
  }
  // Each time: a key may have been rotated, on any node.
  const vkeys = (await signer.keys(ledger)).map(parseTrustedKey)
  const scrub = { ...deps, ledger, origin: deps.originOf(ledger), vkeys, signal }
  for (let position = row.position; !signal.aborted;) {
    const began = performance.now()
    const { next, isLast, differences, differenceCount, records, bytes } = await scrubStretch(scrub, position)
    const [first] = differences
    if (first !== undefined) {
      log.error('scrub.differs', { ledger, ...first, count: differenceCount })
      await keepFound(db, ledger, { ...first, count: differenceCount })
    }
    if (next === undefined) return
    position = next
    await moveScrub(db, ledger, position)
    if (isLast) {
      await endPass(db, ledger, position)
      const { passedAt, clock } = await openScrub(db, ledger)
      metrics.scrubbed(ledger, (passedAt ?? clock) / 1_000)
      return
    }
    const pauseMs = ((records + bytes / 1_024) / config.scrub.records_per_s) * 1_000 - (performance.now() - began)
    if (pauseMs > 0) await sleep(pauseMs, undefined, { signal }).catch(() => {})
  }
}
