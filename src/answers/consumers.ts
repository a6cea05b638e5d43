import type { Database } from '../database/database.ts'
import type { Generations } from '../ledger/generations.ts'
import { recordTimes } from '../ledger/record-times.ts'
import type { Reader } from '../ledger/read.ts'
import { type LedgerName, type Micros, firstGeneration, generationOf, toLedgerName } from '../record/record.ts'
import { type ConsumerRow, type Sighting, joinSightings, settleSighting } from './consumer-places.ts'
import { consumersOf, deleteConsumer, dropOldConsumers, lockConsumers, saveConsumers } from './consumer-store.ts'

/** A puller that gave itself a name, as far as it came: everything before `next` is its own. */
export interface Consumer extends Omit<ConsumerRow, 'generation'> {
  /** Published records that it has not asked for, in this generation and those that follow. */
  lag: number
  /** recorded_at of the first of these. */
  waitingSince: Micros | undefined
}

/**
 * Who pulls, and how far they are. What is seen is kept in memory and written down by `flush`, so that no page waits for it; a crash forgets
 * what came since the last one, and the next request of the puller brings it back. Safe to call concurrently, from several processes.
 */
export interface Consumers {
  saw(ledger: LedgerName, consumer: string, next: number, by: string): void
  /** Writes down what was seen since the last time. When it fails nothing is lost: the next one has it. */
  flush(): Promise<void>
  /** What all processes have seen and written, this one's own sightings up to now among it. */
  list(): Promise<Consumer[]>
  /**
   * Takes a name off the list, in every ledger: one that will not come again. `record` is called once it is known that there is one, and before
   * anything is deleted. One that comes again is there again; false where nobody has the name.
   */
  forget(consumer: string, record: () => Promise<void>): Promise<boolean>
}

export interface ConsumerDeps {
  db: Database
  reader: Pick<Reader, 'published'>
  generations: Generations
  now?: () => Date
  /** Names a ledger; those seen last are kept. */
  most?: number
}

export function createConsumers({
  db,
  reader,
  generations,
  now = () => new Date(),
  most = 1_000,
}: ConsumerDeps): Consumers {
  let seen = new Map<string, Sighting>()
  let flushing = Promise.resolve()

  const keep = (sightings: Map<string, Sighting>, sighting: Sighting): void => {
    const key = JSON.stringify([sighting.ledger, sighting.consumer])
    const joined = joinSightings(sightings.get(key), sighting)
    sightings.delete(key) // put last again: the map is in the order of last sight
    sightings.set(key, joined)
    if (sightings.size > most) sightings.delete(sightings.keys().next().value ?? key)
  }

  const write = async (): Promise<void> => {
    if (seen.size === 0) return
    const taken = seen
    seen = new Map()
    try {
      for (const [ledger, sightings] of Map.groupBy(taken.values(), (sighting) => sighting.ledger))
        await save(db, ledger, sightings, most)
    } catch (error) {
      const since = seen
      seen = taken
      for (const sighting of since.values()) keep(seen, sighting)
      throw error
    }
  }

  const flush = (): Promise<void> => {
    const mine = flushing.then(write)
    flushing = mine.catch(() => {})
    return mine
  }

  /** Published sizes of a ledger's generations, from the first on. */
  const sizesOf = (ledger: LedgerName): Promise<number[]> =>
    Promise.all(generations.chain(ledger).map(async (one) => (await reader.published(one))?.size ?? 0))

  const listLedger = async (ledger: LedgerName): Promise<Consumer[]> => {
    const rows = await consumersOf(db, ledger)
    if (rows.length === 0) return []
    const sizes = await sizesOf(ledger)
    const found: Consumer[] = []
    for (const [generation, group] of Map.groupBy(rows, (row) => row.generation)) {
      const at = generation === 1 ? ledger : toLedgerName(`${ledger}/${generation}`)
      const times = await recordTimes(db, at, [...new Set(group.map(({ next }) => next))])
      for (const { generation: _, ...row } of group) {
        const behind = Math.max(0, (sizes[generation - 1] ?? 0) - row.next)
        const lag = behind + sizes.slice(generation).reduce((sum, size) => sum + size, 0)
        found.push({ ...row, ledger: at, lag, waitingSince: behind > 0 ? times.get(row.next) : undefined })
      }
    }
    return found.toSorted((a, b) => (a.consumer < b.consumer ? -1 : 1))
  }

  const every = (): LedgerName[] => [...new Set(generations.every.map(firstGeneration))]

  return {
    saw(ledger, consumer, next, by) {
      const at = now().getTime() * 1_000
      const place = { generation: generationOf(ledger), next }
      keep(seen, {
        ledger: firstGeneration(ledger),
        consumer,
        ...place,
        by,
        seenAt: at,
        first: { ...place, at },
        movedAt: undefined,
        rewound: undefined,
      })
    },
    flush,
    async list() {
      await flush()
      return (await Promise.all(every().map(listLedger))).flat()
    },
    async forget(consumer, record) {
      await flush()
      const known = await Promise.all(every().map((ledger) => consumersOf(db, ledger)))
      if (!known.flat().some((row) => row.consumer === consumer)) return false
      await record()
      await deleteConsumer(db, every(), consumer)
      return true
    },
  }
}

/** One transaction; run twice it writes the same. */
async function save(db: Database, ledger: LedgerName, sightings: readonly Sighting[], most: number): Promise<void> {
  await db.transaction(
    async (tx) => {
      const stored = await lockConsumers(
        tx,
        ledger,
        sightings.map(({ consumer }) => consumer),
      )
      const known = new Map(stored.map((row) => [row.consumer, row]))
      const rows = sightings
        .map((sighting) => settleSighting(known.get(sighting.consumer), sighting))
        .filter((row) => row !== undefined)
      if (rows.length > 0) await saveConsumers(tx, ledger, rows)
      if (rows.some(({ consumer }) => !known.has(consumer))) await dropOldConsumers(tx, ledger, most)
    },
    { repeatable: true },
  )
}
