import { ledgerKindOf } from '../record/record.ts'
import { type CutEnds, cutEnds, insertCut } from './attempts.ts'
import {
  addressOf,
  currentBinding,
  describeMove,
  generationOfLane,
  insertBinding,
  judgeBinding,
  readHere,
} from './bindings.ts'
import { sleep } from './gate.ts'
import type { DeliveryDeps, Lane } from './lane.ts'
import { LostRace } from './lost-race.ts'
import { monthOf } from './plan-cut.ts'

/** How a lane begins: at which SIEM, and at which record. Both are written once and hold whatever the configuration says later. */

/**
 * Waits until the lane may send to the SIEM that its settings lead to; false when the signal aborted before. While it is bound to another one
 * nothing is sent and nothing is looked up there: another SIEM would answer that nothing is there. `blocked` hears why, once.
 */
export async function awaitBinding(
  deps: DeliveryDeps,
  lane: Lane,
  blocked: (detail: string) => Promise<void>,
  signal: AbortSignal,
): Promise<boolean> {
  const { db, settings, name, now, log, monotonicMs = () => performance.now() } = deps
  let asked: { cluster: string | undefined; atMs: number } | undefined
  const askCluster = async (): Promise<string | undefined> => {
    if (asked === undefined || monotonicMs() - asked.atMs >= settings.probe_ms.min)
      asked = { cluster: await clusterOf(deps, signal), atMs: monotonicMs() }
    return asked.cluster
  }
  for (let told = false; ;) {
    const bound = await currentBinding(db, lane)
    const here = await readHere(addressOf(settings.url), bound, askCluster)
    if (signal.aborted) return false
    const verdict = judgeBinding(bound, here)
    if (verdict === 'same') return true
    if (verdict === 'unbound' || verdict === 'unnamed') {
      const reason = verdict === 'unbound' ? 'the lane began' : 'the cluster told its name'
      const row = { ...here, reason, byWhom: 'configuration', at: now().getTime() * 1000 }
      // A crash behind it leaves a lane that is bound and has not begun: it begins at the same SIEM.
      if (await insertBinding(db, lane, row, verdict)) log.info('destination.bound', { ...lane, ...here })
      continue
    }
    if (!told && bound !== undefined) await blocked(describeMove(name, bound, here))
    told = true
    await sleep(Math.min(settings.position_every_ms, 1_000), undefined, signal).catch(() => undefined)
    if (signal.aborted) return false
  }
}

/**
 * Looks from time to time whether the cluster that a lane sends to is still the one that it is bound to: a name can lead to another one
 * while we run, and another one says of everything that it is not there.
 */
export function createBindingWatch(deps: DeliveryDeps, lane: Lane, signal: AbortSignal): () => Promise<void> {
  const { db, settings, monotonicMs = () => performance.now() } = deps
  let lookedMs = monotonicMs()
  return async () => {
    if (monotonicMs() - lookedMs < settings.probe_ms.min) return
    lookedMs = monotonicMs()
    const cluster = await clusterOf(deps, signal)
    if (cluster === undefined) return
    const verdict = judgeBinding(await currentBinding(db, lane), { address: addressOf(settings.url), cluster })
    if (verdict !== 'same') throw new LostRace(`cluster ${cluster} answers`) // and starting over says what that means
  }
}

const clusterOf = ({ destination }: DeliveryDeps, signal: AbortSignal): Promise<string | undefined> =>
  destination.cluster(signal).catch((error: unknown) => {
    if (signal.aborted) return undefined
    throw error
  })

/** Finds where the lane's cuts end; a lane that is new begins where its settings say, and that is written for ever. */
export async function begin(deps: DeliveryDeps, lane: Lane): Promise<void> {
  const found: CutEnds | undefined = await cutEnds(deps.db, lane)
  if (found !== undefined) return
  const wanted = await startOf(deps, lane)
  // What has expired cannot be sent: a lane begins behind it, and says so.
  const next = Math.max(wanted, await deps.reader.earliest(lane.ledger))
  if (next > wanted) deps.log.warn('destination.begins_later', { ...lane, wanted, next, expired: next - wanted })
  const month = monthOf(deps.now().getTime() * 1000)
  if (!(await insertCut(deps.db, lane, { month, base: -1, next }, [])))
    throw new LostRace('the lane was begun by another worker')
}

async function startOf({ db, reader, settings: { start } }: DeliveryDeps, lane: Lane): Promise<number> {
  const { ledger } = lane
  const { goesOn, isClosed } = await generationOfLane(db, lane)
  // Whoever followed the ledger to its end gets all that comes after it, wherever it began once.
  if (goesOn || start === 'beginning') return 0
  if (start === 'now') return (await reader.published(ledger))?.size ?? 0
  if (typeof start === 'string') return reader.seqAt(ledger, Date.parse(start) * 1000)
  // A number is a seq of what is recorded in; of what was closed before it nothing is wanted then.
  return isClosed ? ((await reader.published(ledger))?.size ?? 0) : (start[ledgerKindOf(ledger)] ?? 0)
}
