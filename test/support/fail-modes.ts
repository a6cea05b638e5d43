/**
 * What a fake does to the next requests that carry records, instead of answering as it should. `stores`: what of the request is there in
 * the end, which is what the sender cannot know: all, nothing, the part before the place it stopped at (HEC), or all of it but later than
 * the sender waits. `says`: whether a sender that reads rightly is in doubt, or knows that nothing was stored, or that all was.
 */
export const failModes = {
  'drop-before-storing': { stores: 'nothing', says: 'doubt', by: 'both' }, // reads the body, closes the connection without a byte
  'drop-after-storing': { stores: 'all', says: 'doubt', by: 'both' },
  'drop-while-writing': { stores: 'nothing', says: 'doubt', by: 'both' }, // closes while the body is still coming
  'timeout-before-storing': { stores: 'nothing', says: 'doubt', by: 'both' }, // never answers
  'timeout-after-storing': { stores: 'all', says: 'doubt', by: 'both' },
  'store-late': { stores: 'late', says: 'doubt', by: 'both' }, // never answers, and stores when nobody waits any more
  '500-before-storing': { stores: 'nothing', says: 'doubt', by: 'both' },
  '500-after-storing': { stores: 'all', says: 'doubt', by: 'both' },
  'html-502-after-storing': { stores: 'all', says: 'doubt', by: 'both' }, // a load balancer's page
  'html-503-before-storing': { stores: 'nothing', says: 'doubt', by: 'both' },
  'html-504-after-storing': { stores: 'all', says: 'doubt', by: 'both' },
  'garbled-after-storing': { stores: 'all', says: 'doubt', by: 'both' }, // 200 with half a body
  'head-before-storing': { stores: 'nothing', says: 'doubt', by: 'both' }, // 200 and headers, then gone
  'head-after-storing': { stores: 'all', says: 'doubt', by: 'both' },
  'cut-before-storing': { stores: 'nothing', says: 'doubt', by: 'both' }, // 200, headers, half the announced bytes, then gone
  'cut-after-storing': { stores: 'all', says: 'doubt', by: 'both' },
  'endless-before-storing': { stores: 'nothing', says: 'doubt', by: 'both' }, // 200, then a byte now and then for ever
  'endless-after-storing': { stores: 'all', says: 'doubt', by: 'both' },
  'not-json-before-storing': { stores: 'nothing', says: 'doubt', by: 'both' }, // 200 with a page of something else
  'not-json-after-storing': { stores: 'all', says: 'doubt', by: 'both' },
  slow: { stores: 'all', says: 'yes', by: 'both' }, // answers rightly, but late
  busy: { stores: 'nothing', says: 'no', by: 'both' }, // 503; of several events HEC's is in doubt
  'too-many': { stores: 'nothing', says: 'no', by: 'both' }, // 429 with Retry-After: 0
  'too-large': { stores: 'nothing', says: 'no', by: 'both' }, // 413 with HTML
  'too-large-early': { stores: 'nothing', says: 'no', by: 'both' }, // 413 before the body is read
  'unsupported-encoding': { stores: 'nothing', says: 'no', by: 'both' }, // 415 with HTML
  'wrong-token': { stores: 'nothing', says: 'no', by: 'both' },
  'proxy-credentials': { stores: 'nothing', says: 'no', by: 'both' }, // 407
  redirect: { stores: 'nothing', says: 'no', by: 'both' },
  'busy-after-prefix': { stores: 'part', says: 'doubt', by: 'hec' }, // 503/9 with the number of the event it stopped at
  'shutting-down-before-storing': { stores: 'nothing', says: 'doubt', by: 'hec' }, // 503/23
  'shutting-down-after-storing': { stores: 'all', says: 'doubt', by: 'hec' },
  'near-capacity': { stores: 'all', says: 'yes', by: 'hec' }, // 200/24
  'near-ack-capacity': { stores: 'all', says: 'yes', by: 'hec' }, // 200/25
  'acks-full': { stores: 'nothing', says: 'no', by: 'hec' }, // 429/27
  'bad-gzip': { stores: 'nothing', says: 'doubt', by: 'hec' }, // 400 with HTML
  'items-rejected': { stores: 'part', says: 'yes', by: 'bulk' }, // every second item 429, the rest stored
  'items-unavailable': { stores: 'part', says: 'doubt', by: 'bulk' }, // every third item 503, the rest stored
  'items-missing': { stores: 'all', says: 'doubt', by: 'bulk' }, // half of the items are not in the answer
  'items-shuffled': { stores: 'all', says: 'yes', by: 'bulk' },
  'cluster-block': { stores: 'nothing', says: 'no', by: 'bulk' }, // 403, flood stage
} as const

export type FailMode = keyof typeof failModes

interface Wanted {
  /** any: only what every fake knows. */
  by: 'hec' | 'bulk' | 'any'
  stores?: 'all' | 'nothing' | 'part' | 'late'
  says?: 'doubt' | 'yes' | 'no'
}

/** The modes that a fake of this kind knows, or those of them that store and say this. */
export function modesOf({ by, stores, says }: Wanted): FailMode[] {
  return (Object.keys(failModes) as FailMode[]).filter((mode) => {
    const its = failModes[mode]
    return (
      (its.by === 'both' || its.by === by) &&
      (stores === undefined || its.stores === stores) &&
      (says === undefined || its.says === says)
    )
  })
}

export interface Failures {
  /** The next `times` requests fail in this way, one after another with what was asked for before. */
  failNext(mode: FailMode, times?: number): void
  /** From now on this share of requests fails, in one of these ways each, drawn from the seed; 0 ends it. */
  failAtRandom(share: number, modes: readonly FailMode[], seed: number): void
  /** What becomes of this request. */
  take(): FailMode | undefined
  /** How many requests failed so far. */
  failed(): number
}

export function createFailures(): Failures {
  const queue: FailMode[] = []
  let count = 0
  let drawn: () => FailMode | undefined = () => undefined
  return {
    failNext(mode, times = 1) {
      for (let i = 0; i < times; i++) queue.push(mode)
    },
    failAtRandom(share, modes, seed) {
      const random = createRandom(seed)
      drawn = () => (random() < share ? modes[Math.floor(random() * modes.length)] : undefined)
    },
    take() {
      const mode = queue.shift() ?? drawn()
      if (mode !== undefined) count++
      return mode
    },
    failed: () => count,
  }
}

/** Numbers in [0, 1) that follow from the seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
