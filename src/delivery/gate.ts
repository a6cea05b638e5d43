import type { BlockReason } from './destination.ts'

/**
 * Lets sends through to one destination, or holds them back while it takes nothing. After a failure one send at a time is let through,
 * after growing pauses; its result opens the gate or makes the pause longer. A definite POST is trusted more than any health answer.
 */

export type GateReport =
  | { kind: 'ok'; weaker?: string } // weaker: taken, but the proof that was asked for will not come
  | { kind: 'failing'; retryAfterMs?: number }
  | { kind: 'blocked'; reason: BlockReason; detail: string }
  | { kind: 'unused' } // nothing was sent after all

export interface GateState {
  state: 'running' | 'blocked'
  /** `weaker_proof` while it runs: others prove in its place. */
  reason?: BlockReason | 'weaker_proof'
  detail?: string
}

/** Tells how the send went; each is called once. */
export type Pass = (report: GateReport) => void

export interface Gate {
  /** Resolves when a send may start; rejects when `signal` aborts. */
  enter(signal: AbortSignal): Promise<Pass>
  state(): GateState
  /** An operator's word: while held nothing goes through, not even a probe. What is on its way is not called back. */
  hold(held: boolean): void
}

export interface GateSettings {
  failingMs: { min: number; max: number }
  blockedMs: { min: number; max: number }
  monotonicMs: () => number
  onChange: (state: GateState) => void
}

/** So long a yes with full proof does not take it back: behind a load balancer every second one may be weaker. */
const weakerMs = 60_000

export function createGate(settings: GateSettings): Gate {
  const { monotonicMs } = settings
  let current: GateState = { state: 'running' }
  let failures = 0
  let probeAtMs = 0
  let probing = false
  let weakerUntilMs = -Infinity
  let isHeld = false
  let wake = Promise.withResolvers<void>()

  function change(next: GateState): void {
    const changed = next.state !== current.state || next.reason !== current.reason
    current = next
    if (changed) settings.onChange(next)
  }

  function report(told: GateReport, probe: boolean): void {
    if (probe) probing = false
    if (told.kind === 'unused') {
      // Whoever waits may try in its place.
    } else if (told.kind === 'ok') {
      failures = 0
      if (told.weaker !== undefined) {
        weakerUntilMs = monotonicMs() + weakerMs
        change({ state: 'running', reason: 'weaker_proof', detail: told.weaker })
      } else if (current.state === 'blocked' || monotonicMs() >= weakerUntilMs) change({ state: 'running' })
    } else {
      // Requests that were on their way together fail together: one failure.
      if (probe || failures === 0) failures++
      const { min, max } = told.kind === 'blocked' ? settings.blockedMs : settings.failingMs
      const pauseMs = Math.min(max, min * 2 ** Math.min(failures - 1, 30))
      const asked = told.kind === 'failing' ? (told.retryAfterMs ?? 0) : 0
      probeAtMs = monotonicMs() + Math.max(pauseMs, asked)
      if (told.kind === 'blocked') change({ state: 'blocked', reason: told.reason, detail: told.detail })
    }
    wakeAll()
  }

  function wakeAll(): void {
    wake.resolve()
    wake = Promise.withResolvers<void>()
  }

  return {
    async enter(signal) {
      for (;;) {
        signal.throwIfAborted()
        if (isHeld) {
          await sleep(60_000, wake.promise, signal)
          continue
        }
        if (failures === 0) return (told) => report(told, false)
        const waitMs = probeAtMs - monotonicMs()
        if (waitMs <= 0 && !probing) {
          probing = true
          return (told) => report(told, true)
        }
        await sleep(probing ? 60_000 : waitMs, wake.promise, signal)
      }
    },
    state: () => current,
    hold(held) {
      isHeld = held
      wakeAll()
    },
  }
}

/** Resolves after `ms` or when `woken` does; rejects when `signal` aborts. */
export async function sleep(ms: number, woken: Promise<unknown> | undefined, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  let timer: NodeJS.Timeout | undefined
  let onAbort: (() => void) | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      // A clock read twice may have passed the moment meanwhile: that is no wait at all.
      timer = setTimeout(resolve, Math.min(Math.max(ms, 0), 2_147_483_647))
      onAbort = () => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
      signal.addEventListener('abort', onAbort, { once: true })
      woken?.then(() => resolve(), reject)
    })
  } finally {
    clearTimeout(timer)
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
  }
}
