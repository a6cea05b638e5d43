import type { LedgerName, Micros } from '../record/record.ts'

/** Where a puller of the feed is, and what becomes of that when it asks again. Pure. */

/** A place in a ledger and its generations. */
export interface Place {
  generation: number
  next: number
}

export interface Rewind {
  at: Micros
  from: number
  to: number
}

/** What is known of one puller. */
export interface ConsumerRow extends Place {
  /** The first generation: a puller goes on from one to the next. */
  ledger: LedgerName
  consumer: string
  /** The credential that asked last. */
  by: string
  seenAt: Micros
  /** When it was last at another place than before. */
  movedAt: Micros
  rewound: Rewind | undefined
}

/** What one process saw of a puller since it last wrote it down. */
export interface Sighting extends Omit<ConsumerRow, 'movedAt'> {
  first: Place & { at: Micros }
  movedAt: Micros | undefined
}

export function isBefore(a: Place, b: Place): boolean {
  return a.generation === b.generation ? a.next < b.next : a.generation < b.generation
}

const isSame = (a: Place, b: Place): boolean => a.generation === b.generation && a.next === b.next

const movement = (from: Place, to: Place, at: Micros): { movedAt?: Micros; rewound?: Rewind } => ({
  ...(isSame(from, to) ? {} : { movedAt: at }),
  ...(isBefore(to, from) ? { rewound: { at, from: from.next, to: to.next } } : {}),
})

/** Two of the same puller in the order in which they were seen, as one. */
export function joinSightings(earlier: Sighting | undefined, later: Sighting): Sighting {
  if (earlier === undefined) return later
  const between = movement(earlier, later.first, later.first.at)
  return {
    ...later,
    first: earlier.first,
    movedAt: later.movedAt ?? between.movedAt ?? earlier.movedAt,
    rewound: later.rewound ?? between.rewound ?? earlier.rewound,
  }
}

/**
 * What is to be written down; undefined when another process saw the puller later. Of two processes that both answered it meanwhile neither
 * can tell in which order its places came: only what was seen wholly after what is written can have gone back from there.
 */
export function settleSighting(stored: ConsumerRow | undefined, seen: Sighting): ConsumerRow | undefined {
  const { first, ...row } = seen
  if (stored === undefined) return { ...row, movedAt: seen.movedAt ?? first.at }
  if (stored.seenAt > seen.seenAt) return undefined
  const between = first.at > stored.seenAt ? movement(stored, first, first.at) : {}
  return {
    ...row,
    movedAt: seen.movedAt ?? between.movedAt ?? (isSame(stored, seen) ? stored.movedAt : seen.seenAt),
    rewound: seen.rewound ?? between.rewound ?? stored.rewound,
  }
}
