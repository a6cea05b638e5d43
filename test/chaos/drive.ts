import { setTimeout as sleep } from 'node:timers/promises'
import { pushRun, type RunningService, startServe } from '../support/service.ts'
import { frozenMs } from './destinations.ts'

/** A service that is killed and frozen over and over, and clients that push into whatever lives. */

export interface Tormented {
  service(): RunningService | undefined
  /** Kills it `times` times at moments that follow from `random`, every third time after a freeze that outlasts every deadline. */
  torment(times: number, random: () => number, progress: (share: number) => void): Promise<void>
  stop(): Promise<void>
}

export async function startTormented(
  start: () => ReturnType<typeof startServe>,
  lifeMs: { min: number; max: number },
): Promise<Tormented> {
  let service: RunningService | undefined = await start()
  return {
    service: () => service,
    async torment(times, random, progress) {
      for (let round = 0; round < times; round++) {
        progress((round + 1) / times)
        await sleep(lifeMs.min + random() * (lifeMs.max - lifeMs.min))
        if (round % 3 === 2) {
          service?.signal('SIGSTOP')
          await sleep(frozenMs + random() * 1_000)
          service?.signal('SIGCONT')
          await sleep(random() * 1_000)
        }
        service?.signal('SIGKILL')
        await service?.ended
        service = undefined
        service = await start()
      }
    },
    async stop() {
      service?.signal('SIGTERM')
      await service?.ended
      service = undefined
    },
  }
}

export interface Pushing {
  /** Up to this share of all pushes may be begun. */
  release(share: number): void
  done: Promise<void>
}

/** Pushes `pushes` runs of `files` files each by a few clients; each repeats a push until it is answered, over however many lives. */
export function push(target: () => RunningService | undefined, pushes: number, files: number): Pushing {
  let released = 0
  let next = 0
  const client = async (): Promise<void> => {
    while (next < pushes) {
      if (next >= released) {
        await sleep(20)
        continue
      }
      const run = `local.chaos-${next++}.api.unit`
      for (;;) {
        const service = target()
        const answer = service === undefined ? undefined : await pushRun(service, run, report(run, files)).catch(() => undefined) // oxfmt-ignore
        if (answer !== undefined && answer.status < 300) break
        if (answer !== undefined && answer.status < 500) throw new Error(`${run}: ${JSON.stringify(answer)}`)
        await sleep(50)
      }
    }
  }
  const done = Promise.all([client(), client(), client()]).then(() => undefined)
  done.catch(() => undefined)
  return { release: (share) => void (released = Math.ceil(pushes * share)), done }
}

/** One record a file. */
function report(run: string, files: number): string {
  let text = 'TN:\n'
  for (let file = 0; file < files; file++) text += `SF:src/${run}/file${file}.ts\nDA:1,1\nDA:2,0\nend_of_record\n`
  return text
}
