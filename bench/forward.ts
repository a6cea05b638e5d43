import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Check, type Figure, median, printNumber } from './figure.ts'
import type { ForwardAnswer, ForwardInput } from './forward-child.ts'
import { inChild } from './proc.ts'
import type { Received } from './receiver.ts'
import { pushSmallRuns } from './small-reports.ts'
import type { BenchService } from './service.ts'

/**
 * The delivery room as the service runs it (cuts and attempts written before anything is sent, outcomes after) reads the ledger and sends
 * it to a receiver in another process. Counted is the CPU time of the sending process alone, user and system.
 */

const kinds = [
  { type: 'splunk', what: 'forward to HEC, each batch proved by its acknowledgement', proof: 'ack' },
  { type: 'elastic', what: 'forward to _bulk, each record proved by its answer', proof: 'answer' },
] as const

export interface ForwardSettings {
  passes: number
  /** A backlog of 2,000 times as many records. */
  runs: number
}

export async function measureForwarding(
  service: BenchService,
  settings: ForwardSettings,
  check: Check,
): Promise<Figure[]> {
  await pushSmallRuns(service, settings.runs)
  const databaseUrl = await service.databaseUrl()
  const figures: Figure[] = []
  for (const { type, what, proof } of kinds) {
    const receiver = await startReceiver(type)
    try {
      const rates: number[] = []
      const input: ForwardInput = {
        databaseUrl,
        ledger: 'main/integration',
        type,
        proof,
        ...receiver.address,
        runs: settings.passes + 1,
        // The receiver keeps the ids of each pass, since each has documents of its own there.
        maxRecords: type === 'splunk' ? 10_000_000 : 400_000,
      }
      const { passes, records, bytes } = await inChild<ForwardAnswer>('./forward-child.ts', input, profiling())
      const received = await receiver.received()
      // The first pass warms up and is not counted. Every pass is a destination of its own, so each record arrives once from each.
      for (const { cpu } of passes.slice(1)) rates.push(records / cpu)
      const copies = passes.length * records
      check(
        `${type} got every record once from each pass`,
        received.distinct === records && received.stored === copies,
        JSON.stringify({ ...received, records, copies }),
      )
      check(
        `${type} has nothing in doubt or parked`,
        passes.every(({ left }) => left === 0),
      )
      figures.push({
        what, unit: 'events a CPU s', measured: median(rates), target: 210_000, better: 'more', runs: rates,
        note: `${printNumber(records)} events of ${Math.round(bytes / records)} bytes, exactly once; ${printNumber(records / median(passes.slice(1).map(({ wall }) => wall)))} a second of wall time`,
        limit: 'one thread: records opened and hashed against their leaves, rendered, hashed, written to the socket',
      }) // oxfmt-ignore
      // Of the last pass: by then the heap has its size.
      const [first = Number.NaN, second = Number.NaN] = passes.at(-1)?.peaks ?? []
      figures.push({
        what: `memory over a backlog to ${type}, second half over first`, unit: 'times', measured: second / first, target: 1.1, better: 'less', runs: [second / first],
        note: `${printNumber(records)} records; highest resident set ${printNumber(first / 1e6)} MB, then ${printNumber(second / 1e6)} MB`,
      }) // oxfmt-ignore
    } finally {
      receiver.stop()
    }
  }
  return figures
}

function profiling(): string[] {
  return (process.env['BENCH_NODE_OPTIONS'] ?? '').split(' ').filter(Boolean)
}

interface Receiver {
  address: { url: string; secret: string }
  received(): Promise<Received>
  stop(): void
}

async function startReceiver(type: 'splunk' | 'elastic'): Promise<Receiver> {
  const child = fork(fileURLToPath(new URL('./receiver.ts', import.meta.url)), [JSON.stringify({ type })])
  const stop = (): void => void child.kill('SIGKILL')
  process.once('exit', stop)
  const address = (await answerOf(child)) as Receiver['address'] // receiver.ts
  return {
    address,
    received() {
      child.send('count')
      return answerOf(child) as Promise<Received>
    },
    stop() {
      process.off('exit', stop)
      stop()
    },
  }
}

function answerOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('exit', (code) => reject(new Error(`the receiver ended with ${code}`)))
  })
}
