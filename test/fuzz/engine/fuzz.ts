import { Worker } from 'node:worker_threads'
import { maxInputBytes } from './mutate.ts'
import type { Finding, Played } from './play.ts'
import type { Order, Shared } from './worker.ts'

/** Fuzzes the targets of one module in a thread of its own, with little memory, watched from outside. */
export interface Fuzzer {
  run(order: Order): Promise<Played | Finding>
  close(): Promise<void>
}

/** `stallMs`: one input may take that long on a machine with much else to do; what is slower is a finding. */
export function createFuzzer(module: URL, { stallMs = 30_000, maxHeapMb = 512 } = {}): Fuzzer {
  const head = new Int32Array(new SharedArrayBuffer(8))
  const memory = new Uint8Array(new SharedArrayBuffer(maxInputBytes))
  const whatRan = (): Uint8Array => memory.slice(0, Atomics.load(head, 1))
  let worker: Worker | undefined

  const start = (): Worker =>
    new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: { module: module.href, head, memory } satisfies Shared,
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    })
  const stop = async (): Promise<void> => {
    await worker?.terminate()
    worker = undefined
  }

  return {
    async run(order) {
      worker ??= start()
      const result = await answerOf(worker, order, stallMs, () => Atomics.load(head, 0))
      if (typeof result !== 'string' && !('what' in result)) return result
      await stop()
      return typeof result === 'string' ? { input: whatRan(), what: result } : result
    },
    close: stop,
  }
}

/** What the thread says, or what became of it. `rounds` counts up while it works. */
async function answerOf(
  worker: Worker,
  order: Order,
  stallMs: number,
  rounds: () => number,
): Promise<Played | Finding | string> {
  const { promise, resolve } = Promise.withResolvers<Played | Finding | string>()
  const onError = (error: Error): void => resolve(`the thread ended: ${error.stack ?? error.message}`)
  const onExit = (code: number): void => resolve(`the thread ended with ${code}`)
  worker.once('message', resolve).once('error', onError).once('exit', onExit)
  let [round, since] = [-1, performance.now()]
  const watch = setInterval(() => {
    if (rounds() !== round) [round, since] = [rounds(), performance.now()]
    else if (performance.now() - since > stallMs) resolve(`no answer after ${stallMs} ms`)
  }, 500)
  worker.postMessage(order)
  try {
    return await promise
  } finally {
    clearInterval(watch)
    worker.off('message', resolve).off('error', onError).off('exit', onExit)
  }
}
