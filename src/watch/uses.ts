import { randomUUID } from 'node:crypto'
import type { Book } from '../ledger/book.ts'
import { packSegment } from '../ledger/segments.ts'
import { printTime } from '../record/record.ts'
import { printPayload } from '../record/run.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Sum, UseFiles } from './use-files.ts'

/**
 * Uses of routes that go on record in the ledger `operations` (DESIGN.md section 12). What is summed lies on disk within a second, before any
 * of it is recorded, and leaves the disk when it is: neither a ledger that is stopped nor the end of this process loses what was written.
 */
export interface Use {
  who: { id: string; method: string }
  route: string
  params: Readonly<Record<string, unknown>>
  repository?: string | undefined
  /** `before`: recorded before the answer. `summed`: counted per person, route and repository, and recorded once a minute. */
  records: 'before' | 'summed'
}

export interface Uses {
  /** Rejects when a use that must be on record cannot be recorded: then it does not happen. Nothing else makes it reject. */
  record(use: Use): Promise<void>
  /** Writes what was counted since the last time; called every second. False when the disk does not take it: it is counted on in memory. */
  keep(): Promise<boolean>
  /** Records what lies on disk; called every minute, and at the start for what an earlier process left. */
  flush(): Promise<void>
  /** The last flush; what a full disk does not take is recorded from memory. */
  end(): Promise<void>
}

export interface UsesDeps {
  operations: Pick<Book, 'ledger' | 'appender'>
  files: UseFiles
  now: () => Date
  log: Logger
  /** How many sums are counted at once, and of one person: what comes beyond says whose it is and no more, beyond twice as many not even that. */
  maxSums?: number
  maxSumsOfOne?: number
}

const keyOf = ({ by, route, repository }: Pick<Sum, 'by' | 'route' | 'repository'>): string =>
  JSON.stringify([by, route, repository])
const atOnce = 100
/** What they were, or whose, is not told any more, only how many. */
const several = 'several'

export function createUses({ operations, files, now, log, maxSums = 10_000, maxSumsOfOne = 1_000 }: UsesDeps): Uses {
  let sums = new Map<string, Sum>()
  /** How many sums of these are of whom. */
  let held = new Map<string, number>()
  let grown = new Set<Sum>()
  let isFailing = false

  const submit = async (access: string, fields: object): Promise<void> => {
    const payload = printPayload('access', operations.ledger, { access, ...fields })
    const segments = [packSegment('access', [payload])]
    await operations.appender.submit([
      { key: `access:${access}`, digest: Buffer.alloc(32), conflict: 'internal', segments },
    ])
  }
  /** So many at once that requests do not wait for them. */
  const submitAll = async (all: readonly Sum[]): Promise<void> => {
    for (let at = 0; at < all.length; at += atOnce)
      await Promise.all(all.slice(at, at + atOnce).map(({ access, ...fields }) => submit(access, fields)))
  }

  /** Whoever asks about thousands of names hides neither what others read nor that they did. */
  const placeOf = (use: Pick<Sum, 'by' | 'method' | 'route' | 'repository'>) => {
    const [own, nobody] = [{ by: use.by, method: use.method, route: several }, { by: several, method: several, route: several }] // oxfmt-ignore
    const isRoom = sums.size < maxSums && (held.get(use.by) ?? 0) < maxSumsOfOne
    if (isRoom || sums.has(keyOf(use))) return { ...use, key: keyOf(use) }
    const less = sums.size < maxSums * 2 || sums.has(keyOf(own)) ? own : nobody
    return { ...less, key: keyOf(less) }
  }

  const count = (use: Pick<Sum, 'by' | 'method' | 'route' | 'repository'>): void => {
    const at = printTime(now().getTime() * 1000)
    const { key, ...counted } = placeOf(use)
    const known = sums.get(key)
    const sum = known ?? { access: randomUUID(), ...counted, count: 0, from: at, until: at }
    sum.count++
    sum.until = at
    grown.add(sum)
    if (known !== undefined) return
    sums.set(key, sum)
    held.set(sum.by, (held.get(sum.by) ?? 0) + 1)
  }

  /** Those that the disk did not take are written again, with what they grew by until then. */
  const write = async (writing: ReadonlySet<Sum>): Promise<boolean> => {
    if (writing.size === 0) return true
    try {
      await files.write([...writing])
      isFailing = false
    } catch (error) {
      grown = new Set([...writing, ...grown])
      if (!isFailing) log.error('access.unkept', { sums: grown.size, error: String(error) })
      isFailing = true
    }
    return !isFailing
  }
  const keep = (): Promise<boolean> => {
    const writing = grown
    grown = new Set()
    return write(writing)
  }

  /** A file is closed when all that was counted in it lies there and grows no more. While the disk takes nothing, counting goes on in the same sums. */
  const close = async (): Promise<void> => {
    if (isFailing && !(await keep())) return
    sums = new Map()
    held = new Map()
    if (await keep()) await files.turn()
  }

  const recordClosed = async (): Promise<void> => {
    for (const file of await files.closed()) {
      await submitAll(await files.read(file))
      await files.remove(file)
    }
  }

  // Recording takes turns of its own, since it may wait long for the database.
  const onDisk = oneAfterAnother()
  const onRecord = oneAfterAnother()
  const flush = (): Promise<void> =>
    onDisk(close)
      .then(() => onRecord(recordClosed))
      .catch((error: unknown) => log.warn('access.delayed', { error: String(error) })) // the next flush tries again

  return {
    async record({ who, route, params, repository, records }) {
      const use = { by: who.id, method: who.method, route }
      if (records === 'before') return submit(randomUUID(), { ...use, params, count: 1 })
      count(repository === undefined ? use : { ...use, repository })
    },
    keep: () => onDisk(keep),
    flush,
    async end() {
      await flush()
      const left = [...grown]
      await submitAll(left).catch((error: unknown) =>
        log.error('access.lost', { sums: left.length, error: String(error) }),
      )
    },
  }
}

/** One after the other, whatever became of the one before. */
function oneAfterAnother(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = last.then(work)
    last = mine.catch(() => undefined)
    return mine
  }
}
