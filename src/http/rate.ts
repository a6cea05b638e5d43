/** Counts per key in windows of a minute. One map, dropped whole when the minute is over: nothing to clean up, nothing that grows for ever. */
export interface RateLimiter {
  /** Counts one and tells what is left. */
  take(key: string): Allowance
  /** The same without counting. */
  look(key: string): Allowance
}

export interface Allowance {
  allowed: boolean
  limit: number
  remaining: number
  /** End of the window. */
  resetAt: Date
}

const windowMs = 60_000
/** Beyond this many keys in a minute all further ones share one count: memory stays bounded under any flood. */
const maxKeys = 100_000

export function createRateLimiter(limit: number, now: () => Date): RateLimiter {
  let counts = new Map<string, number>()
  let window = 0

  const allowance = (key: string, more: number): Allowance => {
    const current = Math.floor(now().getTime() / windowMs)
    if (current !== window) {
      counts = new Map()
      window = current
    }
    const counted = counts.has(key) || counts.size < maxKeys ? key : ''
    const used = (counts.get(counted) ?? 0) + more
    if (more > 0) counts.set(counted, used)
    return {
      allowed: more > 0 ? used <= limit : used < limit,
      limit,
      remaining: Math.max(0, limit - used),
      resetAt: new Date((current + 1) * windowMs),
    }
  }

  return { take: (key) => allowance(key, 1), look: (key) => allowance(key, 0) }
}

/** What pollers read: the names they know from elsewhere, with the end of the window as epoch seconds, and those of the IETF draft. */
export function rateHeaders({ limit, remaining, resetAt }: Allowance, now: Date): Record<string, string> {
  const seconds = secondsUntil(resetAt, now)
  return {
    'x-ratelimit-limit': String(limit),
    'x-ratelimit-remaining': String(remaining),
    'x-ratelimit-reset': String(Math.ceil(resetAt.getTime() / 1_000)),
    ratelimit: `"minute";r=${remaining};t=${seconds}`,
    'ratelimit-policy': `"minute";q=${limit};w=60`,
  }
}

export function secondsUntil(at: Date, now: Date): number {
  return Math.max(1, Math.ceil((at.getTime() - now.getTime()) / 1_000))
}
