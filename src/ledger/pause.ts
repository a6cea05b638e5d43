import { setImmediate as breathe } from 'node:timers/promises'

/**
 * For loops on the thread that is HTTP's too and whose steps may take nothing or milliseconds each, as somebody's globs do: counted in time,
 * not in steps.
 */
export interface Pause {
  isDue(): boolean
  take(): Promise<void>
}

const busyMs = 10

export function createPause(): Pause {
  let began = performance.now()
  return {
    isDue: () => performance.now() - began >= busyMs,
    async take() {
      await breathe()
      began = performance.now()
    },
  }
}
