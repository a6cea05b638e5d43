import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { availableParallelism } from 'node:os'
import type { Logger } from '../telemetry/logger.ts'
import type { Job } from './messages.ts'

/**
 * Parse workers. A job has a worker to itself from its first byte to its last slice; a job that finds all of them busy waits. There is
 * always one more than the large bodies that two cores can keep going, so that a small push does not wait behind a big one.
 */
export interface ParsePool {
  /** Gives a worker the job; the port speaks messages.ts. Call `free` when the job is over, whatever its end. */
  start(job: Job): Promise<{ port: MessagePort; free: () => void }>
  /** Starts two workers ahead: one loads for some 200 ms, which the first upload would wait for. */
  warm(): void
  close(): Promise<void>
}

export function createParsePool(log: Logger, size: number = Math.max(4, availableParallelism() + 2)): ParsePool {
  const idle: Worker[] = []
  const all = new Set<Worker>()
  const waiting: ((worker: Worker) => void)[] = []
  let closed = false

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
      all.delete(worker)
    })
    worker.on('exit', () => {
      all.delete(worker)
      const at = idle.indexOf(worker)
      if (at >= 0) idle.splice(at, 1)
      const taker = closed ? undefined : waiting.shift()
      if (taker !== undefined) taker(spawn())
    })
    return worker
  }

  const take = (): Promise<Worker> => {
    const worker = idle.pop()
    if (worker !== undefined) return Promise.resolve(worker)
    if (all.size < size) return Promise.resolve(spawn())
    return new Promise((resolve) => waiting.push(resolve))
  }

  return {
    async start(job) {
      if (closed) throw new Error('the parse pool is closed')
      const worker = await take()
      const { port1, port2 } = new MessageChannel()
      worker.postMessage({ job, port: port2 }, [port2])
      let freed = false
      return {
        port: port1,
        free() {
          if (freed) return
          freed = true
          port1.close()
          if (!all.has(worker)) return
          const taker = waiting.shift()
          if (taker === undefined) idle.push(worker)
          else taker(worker)
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
