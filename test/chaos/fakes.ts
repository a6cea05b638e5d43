import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { FakeInput, FakeOrder, FakeReport, FakeStarted } from './fake-child.ts'

export interface ChaosFake extends FakeStarted {
  misbehave(share: number, seed: number): Promise<void>
  behave(): Promise<void>
  report(): Promise<FakeReport>
  stop(): Promise<void>
}

/**
 * A fake in a process of its own, whose memory is bounded: what it keeps of a record is its fields and its bytes compressed, about 1 KB. `heapMb`
 * is for as many records as will come.
 */
export async function forkFake(input: FakeInput, heapMb = 768): Promise<ChaosFake> {
  const file = fileURLToPath(new URL('./fake-child.ts', import.meta.url))
  const child = fork(file, [JSON.stringify(input)], { execArgv: [`--max-old-space-size=${heapMb}`] })
  const started = await answerOf<FakeStarted>(child)
  const give = async <T>(order: FakeOrder): Promise<T> => {
    child.send(order)
    return answerOf<T>(child)
  }
  return {
    ...started,
    misbehave: (share, seed) => give({ order: 'misbehave', share, seed }),
    behave: () => give({ order: 'behave' }),
    report: () => give({ order: 'report' }),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}

async function answerOf<T>(child: ChildProcess): Promise<T> {
  const ended = new AbortController()
  const gone = once(child, 'exit', { signal: ended.signal }).then(([code]) => {
    throw new Error(`a fake ended with ${String(code)}`)
  })
  gone.catch(() => undefined)
  try {
    const [message] = (await Promise.race([once(child, 'message', { signal: ended.signal }), gone])) as [T]
    return message
  } finally {
    ended.abort()
  }
}
