import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { availableParallelism } from 'node:os'
import type { Logger } from '../telemetry/logger.ts'
import type { Job } from './messages.ts'

/**
 * Parse workers. A job has a worker to itself from its first byte to its last slice; a job that finds all of them busy waits. There is
 * always one more than the large bodies that two cores can keep going, so that a small push does not wait behind a big one. One repository
 * never has all of them, nor has one credential, which may push for several: whoever may push may also send a byte now and then, and would
 * stop everybody for as long as an upload may take.
 */
export interface ParsePool {
  /**
   * Gives a worker the job; the port speaks messages.ts. Call `free` when the job is over, whatever its end. `credential` is whose body it
   * is; absent for what the service itself goes on with.
   */
  start(job: Job, credential?: string): Promise<{ port: MessagePort; free: () => void }>
  /** Starts two workers ahead: one loads for some 200 ms, which the first upload would wait for. */
  warm(): void
  close(): Promise<void>
}

export function createParsePool(log: Logger, size: number = Math.max(4, availableParallelism() + 2)): ParsePool {
  const idle: Worker[] = []
  const most = Math.max(1, size - 1)
  /** Jobs that have a worker, by repository and by credential. */
  const busy = new Map<string, number>()
  const all = new Set<Worker>()
  const waiting: { holders: string[]; taker: (worker: Worker) => void }[] = []
  let closed = false

  const forget = (worker: Worker): void => {
    all.delete(worker)
    const at = idle.indexOf(worker)
    if (at >= 0) idle.splice(at, 1)
  }

  const spawn = (): Worker => {
    const worker = new Worker(
      new URL(import.meta.url.endsWith('.ts') ? './parse-worker.ts' : './parse-worker.js', import.meta.url),
      // A diagnostic report has the environment of every thread in it, and that may hold passwords (commands/crash.ts).
      { execArgv: ['--report-exclude-env'] },
    )
    worker.unref()
    all.add(worker)
    // A worker that dies closes its job's port, which fails the job; the next job gets a fresh one.
    worker.on('error', (error) => {
      log.error('parse_worker.died', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
      forget(worker)
    })
    worker.on('exit', () => {
      forget(worker)
      if (!closed) serve()
    })
    return worker
  }

  /** In the order they came; those of a repository or credential that has all it may have are passed over. */
  const serve = (): void => {
    while (idle.length > 0 || all.size < size) {
      const at = waiting.findIndex(({ holders }) => holders.every((holder) => (busy.get(holder) ?? 0) < most))
      const [next] = at < 0 ? [] : waiting.splice(at, 1)
      if (next === undefined) return
      for (const holder of next.holders) busy.set(holder, (busy.get(holder) ?? 0) + 1)
      next.taker(idle.pop() ?? spawn())
    }
  }

  const take = (holders: string[]): Promise<Worker> =>
    new Promise((taker) => {
      waiting.push({ holders, taker })
      serve()
    })

  const leave = (holder: string): void => {
    const left = (busy.get(holder) ?? 1) - 1
    if (left === 0) busy.delete(holder)
    else busy.set(holder, left)
  }

  return {
    async start(job, credential) {
      if (closed) throw new Error('the parse pool is closed')
      const repository = 'kind' in job ? job.repository : job.run.repository
      const holders = [`repository ${repository}`, ...(credential === undefined ? [] : [`credential ${credential}`])]
      const worker = await take(holders)
      const { port1, port2 } = new MessageChannel()
      worker.postMessage({ job, port: port2 }, [port2])
      let freed = false
      return {
        port: port1,
        free() {
          if (freed) return
          freed = true
          port1.close()
          holders.forEach(leave)
          if (all.has(worker)) idle.push(worker)
          if (!closed) serve()
        },
      }
    },
    warm() {
      while (all.size < Math.min(2, size)) idle.push(spawn())
    },
    async close() {
      closed = true
      await Promise.all([...all].map((worker) => worker.terminate()))
    },
  }
}
