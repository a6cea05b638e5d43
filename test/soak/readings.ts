import { readdirSync } from 'node:fs'
import { memoryOf } from '../../bench/proc.ts'

/** What a process holds at one moment. */
export interface Reading {
  atMs: number
  /** Resident memory, MB. */
  memory: number
  descriptors: number
}

/** Undefined when it is gone, or where there is no /proc. */
export function readProcess(pid: number, atMs: number): Reading | undefined {
  const memory = memoryOf(pid)
  if (memory === undefined) return undefined
  try {
    return { atMs, memory: memory.now, descriptors: readdirSync(`/proc/${pid}/fd`).length }
  } catch {
    return undefined
  }
}

export interface Judged {
  /** Medians of the second and the last quarter of the time. */
  memory: { early: number; late: number }
  descriptors: { early: number; late: number }
  /** What grew, in words; empty when all is flat. */
  grew: string[]
}

/**
 * Whether what a process holds is flat. The first quarter warms up: caches fill, code is compiled. Then the medians of the second and the last
 * quarter may differ by a tenth, or by what garbage not yet collected makes of a small process.
 */
export function judge(readings: readonly Reading[]): Judged {
  const quarter = (n: number): Reading[] =>
    readings.slice(Math.floor((readings.length * (n - 1)) / 4), Math.floor((readings.length * n) / 4))
  const compare = (of: 'memory' | 'descriptors') => ({
    early: medianOf(quarter(2).map((one) => one[of])),
    late: medianOf(quarter(4).map((one) => one[of])),
  })
  const memory = compare('memory')
  const descriptors = compare('descriptors')
  const grew: string[] = []
  if (!(memory.late <= memory.early + Math.max(memory.early / 10, 48)))
    grew.push(`memory: ${memory.early.toFixed(0)} to ${memory.late.toFixed(0)} MB`)
  if (!(descriptors.late <= descriptors.early + 16))
    grew.push(`descriptors: ${descriptors.early} to ${descriptors.late}`)
  return { memory, descriptors, grew }
}

const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
