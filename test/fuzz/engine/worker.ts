import { parentPort, workerData } from 'node:worker_threads'
import { minimise } from './minimise.ts'
import { play } from './play.ts'
import type { FuzzTarget } from './target.ts'

/** Runs targets for `fuzz.ts`, which watches: an input that never comes back, or takes all memory, ends this thread and nothing else. */

export interface Order {
  name: string
  seed: number
  rounds: number
  seconds: number
}

/** What the thread and whoever watches it see both. */
export interface Shared {
  module: string
  /** Rounds begun; length of the input. */
  head: Int32Array
  memory: Uint8Array
}

const { module, head, memory } = workerData as Shared
const { targets } = (await import(module)) as { targets: readonly FuzzTarget[] }

parentPort?.on('message', ({ name, ...order }: Order) => {
  void run(name, order)
})

async function run(name: string, order: Omit<Order, 'name'>): Promise<void> {
  const target = targets.find((one) => one.name === name)
  if (target === undefined) throw new Error(`there is no target ${name}`)
  const onInput = (input: Uint8Array): void => {
    memory.set(input.subarray(0, memory.length))
    Atomics.store(head, 1, Math.min(input.length, memory.length))
    Atomics.add(head, 0, 1)
  }
  const played = await play(target, { ...order, onInput })
  if ('what' in played && !played.what.startsWith('good input')) {
    const input = await minimise(target, played.input, played.what, onInput)
    parentPort?.postMessage({ ...played, input })
  } else parentPort?.postMessage(played)
}
