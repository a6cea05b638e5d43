/**
 * The acknowledgement service of one indexer: ids are counted per channel, from 0 at Splunk, `true` is told once, and a channel that is idle is forgotten
 * with all it knew. None of it is shared with another indexer.
 */
export interface HecAcks {
  /** A request on this channel was stored: its id. */
  stored(channel: string): number
  ask(channel: string, ids: readonly number[]): Record<string, boolean>
  quirks: AckQuirks
}

export interface AckQuirks {
  /** An acknowledgement turns true this long after the request was stored; never for Infinity. */
  afterMs: number
  /** A channel idle for this long is removed; later ids on it start at 0 again. */
  idleCleanupMs: number
  /** What the service answers instead of acknowledgements: 400/14, 401, 404, 5xx, HTML. */
  broken: { status: number; body: unknown } | undefined
  /** Answers to events carry no ackId, though the client sends a channel: useACK was turned off (case 25). */
  silent: boolean
  /** What was kept of a request before a bad event is acknowledged like any other. */
  ofPrefixes: boolean
  /** Requests whose acknowledgement never turns true though they are indexed; asked once a request. */
  loses: () => boolean
}

interface Channel {
  usedAt: number
  next: number
  /** When each may turn true. */
  due: Map<number, number>
}

export function createHecAcks(afterMs: number, from = 0): HecAcks {
  const channels = new Map<string, Channel>()
  const quirks: AckQuirks = {
    afterMs,
    idleCleanupMs: 600_000,
    broken: undefined,
    silent: false,
    ofPrefixes: false,
    loses: () => false,
  }

  function use(name: string): Channel | undefined {
    const channel = channels.get(name)
    const isIdle = channel !== undefined && Date.now() - channel.usedAt > quirks.idleCleanupMs
    if (isIdle) channels.delete(name)
    if (channel === undefined || isIdle) return undefined
    channel.usedAt = Date.now()
    return channel
  }

  return {
    quirks,
    stored(name) {
      const channel = use(name) ?? { usedAt: Date.now(), next: from, due: new Map<number, number>() }
      channels.set(name, channel)
      const id = channel.next++
      channel.due.set(id, quirks.loses() ? Infinity : Date.now())
      return id
    },
    ask(name, ids) {
      const channel = use(name)
      return Object.fromEntries(
        ids.map((id) => {
          const storedAt = channel?.due.get(id) ?? Infinity
          const isTrue = Date.now() - storedAt >= quirks.afterMs
          if (isTrue) channel?.due.delete(id)
          return [String(id), isTrue] as const
        }),
      )
    },
  }
}
