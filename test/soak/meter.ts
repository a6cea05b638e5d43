/** What was done, how often, how long it took, and what was answered that should not have been. */
export interface Meter {
  /** Times one request; `allowed` are the statuses that it may be answered with. Answers the body, undefined for another than 200 or 201. */
  request(kind: string, allowed: readonly number[], send: () => Promise<Answer>): Promise<Answer | undefined>
  /** Something that must not happen; the first of each kind are kept. */
  wrong(what: string, detail: string): void
  faults(): { what: string; count: number; first: string[] }[]
  /** Milliseconds: half of them are below `p50`, one in a hundred above `p99`. */
  latencies(): { kind: string; count: number; p50: number; p99: number; max: number; busy: number }[]
}

export interface Answer {
  status: number
  headers: Headers
  text: string
}

export function createMeter(): Meter {
  const times = new Map<string, number[]>()
  const busy = new Map<string, number>()
  const faults = new Map<string, { count: number; first: string[] }>()
  const wrong = (what: string, detail: string): void => {
    const fault = faults.get(what) ?? { count: 0, first: [] }
    fault.count += 1
    if (fault.first.length < 3) fault.first.push(detail.slice(0, 500))
    faults.set(what, fault)
  }
  return {
    wrong,
    async request(kind, allowed, send) {
      const began = performance.now()
      try {
        const answer = await send()
        const kept = times.get(kind) ?? []
        times.set(kind, kept)
        kept.push(performance.now() - began)
        const { status } = answer
        // Told to come back is no fault; how often it happens is in the table.
        if (status === 503 || status === 429) {
          busy.set(kind, (busy.get(kind) ?? 0) + 1)
          if (answer.headers.get('retry-after') === null) wrong(`${kind}: ${status} without Retry-After`, answer.text)
        } else if (!allowed.includes(status)) wrong(`${kind}: ${status}`, answer.text)
        return status === 200 || status === 201 ? answer : undefined
      } catch (error) {
        const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : ''
        wrong(`${kind}: no answer`, error instanceof Error ? `${error.message}${cause}` : '')
        return undefined
      }
    },
    faults: () => [...faults].map(([what, fault]) => ({ what, ...fault })),
    latencies: () =>
      [...times].map(([kind, all]) => {
        const sorted = all.toSorted((a, b) => a - b)
        const at = (share: number): number =>
          sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
        const told = { p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 }
        return { kind, count: all.length, ...told, busy: busy.get(kind) ?? 0 }
      }),
  }
}
