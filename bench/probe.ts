import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

/**
 * Loaded into the service before its own code (`--import`): on SIGUSR2 it says on stderr how long its main thread, the one of HTTP, was
 * held since it was last asked. The service's own metric looks back over a minute, which is too coarse here.
 */
const resolutionMs = 2

if (isMainThread) {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs })
  delay.enable()
  process.on('SIGUSR2', () => {
    const { user, system } = process.threadCpuUsage()
    // The histogram holds the time between two ticks of a timer, so the timer's own interval comes off.
    const held = (ns: number): number => Math.max(0, ns / 1e6 - resolutionMs)
    process.stderr.write(
      `probe ${JSON.stringify({ maxMs: held(delay.max), p99Ms: held(delay.percentile(99)), threadSeconds: (user + system) / 1e6 })}\n`,
    )
    delay.reset()
  })
}
