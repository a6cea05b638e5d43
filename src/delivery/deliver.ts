import type { StoredRecord } from '../ledger/read.ts'
import { ensureMonth, insertCut } from './attempts.ts'
import { createBatchLimit } from './batch-limit.ts'
import { awaitBinding, begin, createBindingWatch } from './begin.ts'
import { createConductor, type Ticket } from './conduct.ts'
import { createGate, type GateState, sleep } from './gate.ts'
import type { DeliveryDeps, Lane } from './lane.ts'
import { LostRace } from './lost-race.ts'
import { readLane } from './lane-state.ts'
import { foundAttempt, freshAttempt, type OpenAttempt, progressOf, timely } from './open-attempt.ts'
import { openTry, type Try } from './open-try.ts'
import { latestWords, unfinishedOrders } from './order-store.ts'
import { currentPause } from './pauses.ts'
import { insertPosition, insertStanding, latestStanding } from './places.ts'
import { monthOf, planCut } from './plan-cut.ts'
import { createRedelivery } from './redeliver.ts'
import { createRoom } from './room.ts'
import { createSlots } from './slots.ts'
import { createTail } from './tail.ts'
import { createTasks } from './tasks.ts'

/**
 * Follows one ledger to one destination from its own position. Cuts are made in order and written with their attempts before a byte is
 * sent; what became of an attempt is written before anything follows from it. A crash at any point leaves rows that say what is known,
 * and the start reads exactly those. Two workers at once do no harm: each step has one row, and who finds it taken starts over.
 */

/** Runs until the signal aborts. Rejects on errors of the database and on bugs: the worker that runs it starts it again. */
export async function runDelivery(deps: DeliveryDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await follow(deps, signal)
    } catch (error) {
      if (!(error instanceof LostRace)) throw error
      deps.log.info('delivery.yielded', { destination: deps.name, ledger: deps.ledger, reason: error.message })
      await sleep(50 + Math.random() * deps.settings.window_ms, undefined, signal).catch(() => undefined)
    }
  }
}

async function follow(deps: DeliveryDeps, outer: AbortSignal): Promise<void> {
  const { settings, db, log, metrics, now, ledger } = deps
  const limit = createBatchLimit(settings.batch.bytes)
  const destination = limit.watch(deps.destination)
  const { monotonicMs = () => performance.now() } = deps
  const lane: Lane = { ledger, destination: deps.name }
  const micros = (): number => now().getTime() * 1000
  const run = new AbortController()
  const signal = AbortSignal.any([outer, run.signal])
  /** Outlives the other a little, so that requests on their way can still be answered and their outcomes stored. */
  const wire = new AbortController()
  let failure: { error: unknown } | undefined
  const tasks = createTasks((error) => {
    failure ??= { error }
    run.abort(error)
  })

  /** A person's word hides whatever else is the matter, as in the list of destinations. */
  let paused = false
  const tell = (state: GateState['state']): void => metrics.state(deps.name, ledger, paused ? 'paused' : state)
  const blocked = (detail: string) => stand({ state: 'blocked', reason: 'settings', detail })
  if (!(await awaitBinding(deps, lane, blocked, signal))) return
  await ensureMonth(db, monthOf(micros()))
  await begin(deps, lane)
  const found = await readLane(db, lane)
  if (found === undefined) throw new Error(`${deps.name} has not begun ${ledger}`)
  const longest = (settings.send_before_ms + settings.request_timeout_ms) * 1000
  const open = new Set<OpenAttempt>(found.open.map((row) => foundAttempt(timely(row, micros(), longest))))
  const ensured = new Set<string>()
  let { next, lastMonth: month } = found.ends
  const { words } = found

  const [quickestMs = 1_000] = settings.retry_delays_ms
  const gate = createGate({
    failingMs: { min: quickestMs, max: settings.retry_delays_ms.at(-1) ?? quickestMs },
    blockedMs: settings.probe_ms,
    monotonicMs,
    onChange: (state) => tasks.add(stand(state)),
  })
  const slots = createSlots(settings.concurrency, monotonicMs)
  const lookSlots = createSlots(
    settings.type === 'splunk' ? (settings.search?.concurrency ?? settings.concurrency) : settings.concurrency,
    monotonicMs,
  )
  const conductor = createConductor({
    ...deps,
    destination,
    lane,
    open,
    gate,
    slots,
    lookSlots,
    monotonicMs,
    spawn: tasks.add,
    signal,
    wire: wire.signal,
  })

  async function stand({
    state,
    reason = 'none',
    detail = '',
  }: {
    state: GateState['state']
    reason?: string
    detail?: string
  }): Promise<void> {
    tell(state)
    const event = state === 'blocked' ? 'blocked' : reason === 'weaker_proof' ? 'weakened' : 'resumed'
    log.warn(`destination.${event}`, {
      destination: deps.name,
      ledger,
      reason,
      detail,
    })
    await insertStanding(db, lane, { at: micros(), state, reason, detail })
  }

  let kept = { text: '', atMs: -Infinity }
  async function keepPosition(force: boolean): Promise<void> {
    const progress = progressOf(open, next, month)
    metrics.progress(deps.name, ledger, { ...progress, next, open: open.size })
    const { sentTo, provedTo, openFrom, openMonth } = progress
    const text = `${sentTo} ${provedTo} ${openFrom}`
    if (text === kept.text || (!force && monotonicMs() - kept.atMs < settings.position_every_ms)) return
    kept = { text, atMs: monotonicMs() }
    await insertPosition(db, lane, { at: micros(), sentTo, provedTo, openFrom, openMonth })
  }

  /** Writes a cut with its attempts, then lets each go. Nothing is sent of what is not written. Returns the end of the cut. */
  async function cut(records: readonly StoredRecord[], end: number): Promise<number> {
    const plan = planCut({ ledger, first: next, next: end, records: [...records] }, settings.select, (record) =>
      destination.target(record),
    )
    if (plan === undefined) return next
    if (!ensured.has(plan.month)) {
      await ensureMonth(db, plan.month)
      ensured.add(plan.month)
    }
    const ticket = await conductor.admit()
    const tries = plan.groups.map((group) =>
      openTry({ ...deps, monotonicMs }, { month: plan.month, try: 1, mark: 0, redelivery: undefined }, group),
    )
    const rows = tries.map(({ row }) => row)
    if (!(await insertCut(db, lane, plan, rows)))
      throw new LostRace(`the cut at ${plan.base} was made by another worker`)
    next = plan.next
    month = plan.month
    await launch(tries, ticket)
    return next
  }

  /** Lets attempts go that are written. */
  async function launch(tries: readonly Try[], ticket: Ticket): Promise<void> {
    if (tries.length === 0) {
      ticket.pass({ kind: 'unused' })
      ticket.release()
    }
    const attempts = tries.map(({ row, rendered }) => freshAttempt(row, rendered))
    for (const attempt of attempts) open.add(attempt)
    for (const [i, attempt] of attempts.entries()) {
      // Each waits for its turn here, so that no more than a cut is ever waiting; when stopping, `conduct` writes that it was not sent.
      const own = i === 0 ? ticket : await conductor.admit().catch(() => undefined)
      tasks.add(conductor.conduct(attempt, own))
    }
  }

  const room = createRoom(open, settings.max_open_attempts, () => redelivery.isBusy())
  const { admit } = conductor
  const redelivery = createRedelivery({ ...deps, destination, maxBytes: limit.bytes, lane, orders: found.orders, open, monotonicMs, room: room.ofOrders, admit, launch }) // oxfmt-ignore

  /** Words may be given at any node, so they are read; what a pause says holds from the next send on. */
  async function heed(): Promise<void> {
    const { orders, settlements } = await latestWords(db, lane)
    if (settlements !== words.settlements) throw new LostRace('a settlement was made by hand')
    if (orders !== words.orders) {
      const given = (await unfinishedOrders(db, lane)).filter(({ n }) => n > words.orders)
      // What another worker has begun to carry out, or what lies behind the end of our cuts, is more than we know.
      if (
        given.length !== orders - words.orders ||
        given.some((order) => order.next !== order.first || order.end > next)
      )
        throw new LostRace('an order was taken on elsewhere')
      words.orders = orders
      redelivery.add(given)
    }
    await redelivery.finish()
    const pause = await currentPause(db, lane)
    if ((pause !== undefined) === paused) return
    paused = pause !== undefined
    gate.hold(paused)
    tell(gate.state().state)
    log.warn(paused ? 'destination.paused' : 'destination.resumed', { ...lane, reason: pause?.reason ?? '' })
  }

  const watchBinding = createBindingWatch(deps, lane, signal)
  await heed()
  const beat = setInterval(
    () => tasks.add(Promise.all([keepPosition(false), heed(), watchBinding()]).then(() => undefined)),
    Math.min(settings.position_every_ms, 1_000),
  )
  try {
    const standing = await latestStanding(db, lane)
    if (standing?.state === 'blocked' || standing?.reason === 'weaker_proof')
      await stand({ state: 'running', detail: 'started again' })
    else tell('running')
    for (const attempt of open) tasks.add(conductor.conduct(attempt))
    log.info('delivery.started', { destination: deps.name, ledger, next, open: open.size })
    tasks.add(
      redelivery.run(signal).catch((error: unknown) => {
        if (!signal.aborted) throw error
      }),
    )
    const tail = createTail({
      ...deps,
      maxBytes: limit.bytes,
      monotonicMs,
      room: room.ofTail,
      idle: () => keepPosition(false),
    })
    await tail.follow(next, cut, signal)
  } catch (error) {
    if (!signal.aborted) failure ??= { error }
  } finally {
    run.abort()
    clearInterval(beat)
    // What another worker or a person did is no failure of ours: requests on their way may be answered, and are not in doubt then.
    const isMild = failure === undefined || failure.error instanceof LostRace
    const stop = (): void => wire.abort(new Error('the sender is stopping'))
    const drain = setTimeout(stop, isMild ? settings.send_before_ms + settings.request_timeout_ms : 0)
    let hurry: NodeJS.Timeout | undefined
    const onStop = (): void => void (hurry = setTimeout(stop, settings.drain_ms))
    if (outer.aborted) onStop()
    else outer.addEventListener('abort', onStop, { once: true })
    await tasks.settled()
    outer.removeEventListener('abort', onStop)
    clearTimeout(hurry)
    clearTimeout(drain)
  }
  if (failure !== undefined) throw failure.error
  await keepPosition(true)
  log.info('delivery.stopped', { destination: deps.name, ledger, next, open: open.size })
}
