import { readEnvironment } from '../producer/ci.ts'
import type { Progress, UploadOptions } from '../producer/upload.ts'
import { printBar, type Terminal } from './terminal.ts'

/** How requests of this command are repeated, and what is shown meanwhile. */
export function uploading(options: { retryFor?: number }, terminal: Terminal, signal: AbortSignal): UploadOptions {
  const onProgress = (step: Progress): void => {
    if (step.kind === 'sending') terminal.progress(printBar(step.part, step.bytes, step.of))
    else if (step.kind === 'recording') terminal.progress(`${step.part}: sent, being recorded`)
    else if (step.kind === 'comparing') terminal.progress(`comparing with ${step.from.slice(0, 12)}`)
    else if (step.kind === 'fetching')
      terminal.say(
        `fetching ${step.commits.map((commit) => commit.slice(0, 12)).join(' and ')} from ${step.remote} for line maps (--no-fetch forbids it)`,
      )
    else terminal.say(`waiting ${(step.delayMs / 1000).toFixed(1)} s: ${step.reason}`)
  }
  return { signal, retryForMs: (options.retryFor ?? defaultRetryS()) * 1000, firstDelayMs: 500, onProgress }
}

/** A configured service may be restarting; one on this machine that does not answer was probably never started. */
const defaultRetryS = (): number => (readEnvironment().env['PROOFLINE_URL'] === undefined ? 5 : 60)
