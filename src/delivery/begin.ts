import { ledgerKindOf } from '../record/record.ts'
import { type CutEnds, cutEnds, insertCut } from './attempts.ts'
import { addressOf, currentBinding, describeMove, insertBinding } from './bindings.ts'
import { sleep } from './gate.ts'
import type { DeliveryDeps, Lane } from './lane.ts'
import { LostRace } from './lost-race.ts'
import { monthOf } from './plan-cut.ts'

/** How a lane begins: at which SIEM, and at which record. Both are written once and hold whatever the configuration says later. */

/**
 * Waits until the lane may send to the address of its settings; false when the signal aborted before. While it is bound to another one
 * nothing is sent and nothing is looked up there: another SIEM would answer that nothing is there. `blocked` hears why, once.
 */
export async function awaitBinding(
  { db, settings, name, now, log }: DeliveryDeps,
  lane: Lane,
  blocked: (detail: string) => Promise<void>,
  signal: AbortSignal,
): Promise<boolean> {
  const address = addressOf(settings.url)
  for (let told = false; ; told = true) {
    const bound = await currentBinding(db, lane)
    if (bound === address) return true
    if (bound === undefined) {
      const row = { address, reason: 'the lane began', byWhom: 'configuration', at: now().getTime() * 1000 }
      // A crash behind it leaves a lane that is bound and has not begun: it begins at the same SIEM.
      if (await insertBinding(db, lane, row, 'unbound')) log.info('destination.bound', { ...lane, address })
      continue
    }
    if (!told) await blocked(describeMove(name, bound, address))
    await sleep(Math.min(settings.position_every_ms, 1_000), undefined, signal).catch(() => undefined)
    if (signal.aborted) return false
  }
}

/** Finds where the lane's cuts end; a lane that is new begins where its settings say, and that is written for ever. */
export async function begin(deps: DeliveryDeps, lane: Lane): Promise<void> {
  const found: CutEnds | undefined = await cutEnds(deps.db, lane)
  if (found !== undefined) return
  const next = await startOf(deps, lane)
  const month = monthOf(deps.now().getTime() * 1000)
  if (!(await insertCut(deps.db, lane, { month, base: -1, next }, [])))
    throw new LostRace('the lane was begun by another worker')
}

async function startOf({ reader, settings: { start } }: DeliveryDeps, { ledger }: Lane): Promise<number> {
  if (start === 'beginning') return 0
  if (start === 'now') return (await reader.published(ledger))?.size ?? 0
  if (typeof start === 'string') return reader.seqAt(ledger, Date.parse(start) * 1000)
  return start[ledgerKindOf(ledger)] ?? 0
}
