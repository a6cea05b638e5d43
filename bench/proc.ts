import { fork } from 'node:child_process'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** What the system knows about processes. Linux; elsewhere readings are NaN and figures made of them are left out. */

/** User and system time of one process in seconds; NaN when it is gone or cannot be read. */
export function cpuSeconds(pid: number): number {
  const fields = statOf(pid)
  return fields === undefined ? Number.NaN : (Number(fields[11]) + Number(fields[12])) / 100
}

/** The same for PostgreSQL: every process below `pid` that is one, ended ones included once their parent reaped them. */
export function cpuSecondsBelow(pid: number): number {
  const parents = new Map<number, { parent: number; seconds: number }>()
  for (const name of readdirSync('/proc')) {
    const fields = /^\d+$/.test(name) ? statOf(Number(name)) : undefined
    // 1: parent; 11, 12: own time; 13, 14: of reaped children
    if (fields !== undefined)
      parents.set(Number(name), {
        parent: Number(fields[1]),
        seconds: [11, 12, 13, 14].reduce((sum, i) => sum + Number(fields[i]), 0) / 100,
      })
  }
  let total = 0
  for (const [other, { seconds }] of parents) {
    for (let at = parents.get(other)?.parent; at !== undefined && at > 1; at = parents.get(at)?.parent) {
      if (at !== pid) continue
      total += seconds
      break
    }
  }
  return total
}

/** Fields of /proc/pid/stat behind the name, which may hold spaces and parentheses. */
function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** Resident memory in MB: now, and the highest since `forgetPeak`. */
export function memoryOf(pid: number): { now: number; peak: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'latin1')
    const read = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024
    return { now: read('VmRSS'), peak: read('VmHWM') }
  } catch {
    return undefined
  }
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** Runs a file of this folder in a process of its own, for a clean heap and its own CPU time. It gets `input` and sends one answer. */
export async function inChild<T>(file: string, input: unknown, execArgv: string[] = []): Promise<T> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(input)], {
    execArgv,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  let answer: { value: T } | undefined
  child.on('message', (value) => (answer = { value: value as T })) // each child's file says what it answers
  const stop = (): void => void child.kill('SIGKILL')
  process.once('exit', stop)
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  process.off('exit', stop)
  if (answer === undefined) throw new Error(`${file} ended with ${code} and without an answer`)
  return answer.value
}

/** In a child: what it was asked. */
export function childInput<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T // written by inChild
}

/** In a child: sends a message up; resolves once it is on its way. */
export function childAnswer(value: unknown): Promise<void> {
  return new Promise((resolve) => process.send?.(value, () => resolve()))
}

/** The last one: the channel, which keeps the process alive, is closed behind it. */
export async function childEnd(value: unknown): Promise<void> {
  await childAnswer(value)
  process.disconnect?.()
}
