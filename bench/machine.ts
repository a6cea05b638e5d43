import { hash } from 'node:crypto'
import { availableParallelism, loadavg } from 'node:os'
import { printNumber } from './figure.ts'

/** How fast the machine is just now, on work that never changes: figures of two machines, or of a busy and an idle one, are read by it. */
export interface Yardstick {
  /** SHA-256 of 64 KiB blocks on one core: MB a second of wall time, and of CPU time. */
  sha256: { wall: number; cpu: number }
  /** A byte loop in JavaScript, likewise. */
  scan: { wall: number; cpu: number }
  /** Programs that ran or waited for a core in the last minute. */
  load: number
}

export function takeYardstick(): Yardstick {
  const block = Buffer.alloc(65_536, 'DA:12,345\n')
  let seen = 0
  return {
    load: loadavg()[0] ?? 0,
    sha256: rate(block.length, () => (seen += hash('sha256', block, 'latin1').length)),
    scan: rate(block.length, () => {
      for (let i = 0; i < block.length; i++) if (block[i] === 10) seen++
    }),
  }
}

function rate(bytes: number, work: () => void): { wall: number; cpu: number } {
  for (let i = 0; i < 200; i++) work()
  const used = process.cpuUsage()
  const began = performance.now()
  let done = 0
  for (; performance.now() - began < 200; done += bytes) work()
  const { user, system } = process.cpuUsage(used)
  return { wall: done / 1e3 / (performance.now() - began), cpu: done / (user + system) }
}

export function printYardstick(before: Yardstick, after: Yardstick): string {
  const print = ({ sha256, scan, load }: Yardstick): string =>
    `SHA-256 ${printNumber(sha256.wall)} MB/s (${printNumber(sha256.cpu)} a CPU second), byte loop ${printNumber(scan.wall)} (${printNumber(scan.cpu)}), load ${load.toFixed(1)}`
  const busy =
    before.load > 0.5 ? '\nOther programs were running when it began: figures by wall time come out too low.' : ''
  return `${availableParallelism()} cores; before: ${print(before)}; after: ${print(after)}${busy}\n`
}
