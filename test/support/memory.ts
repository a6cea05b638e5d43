import { readFile } from 'node:fs/promises'

/** Resident memory of another process, in MB of a million bytes; 0 when it is gone. Linux. */
export async function residentMb(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return (Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1] ?? 0) * 1_024) / 1e6
}

export interface Watched {
  /** Ends the watch: highest residence seen, less the one at the start. */
  grownMb(): Promise<number>
}

/** Looks every 20 ms. */
export async function watchMemory(pid: number): Promise<Watched> {
  const idle = await residentMb(pid)
  let peak = idle
  const look = async (): Promise<void> => {
    peak = Math.max(peak, await residentMb(pid))
  }
  const timer = setInterval(() => void look(), 20)
  return {
    async grownMb() {
      clearInterval(timer)
      await look()
      return Math.round(peak - idle)
    },
  }
}
