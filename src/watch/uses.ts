import { randomUUID } from 'node:crypto'
import type { Book } from '../ledger/book.ts'
import { packSegment } from '../ledger/segments.ts'
import { printPayload } from '../record/run.ts'
import type { Logger } from '../telemetry/logger.ts'

/** A use of a route that goes on record in the ledger `operations` (DESIGN.md section 12). */
export interface Use {
  who: { id: string; method: string }
  route: string
  params: Readonly<Record<string, unknown>>
  repository?: string | undefined
  /** `before`: recorded before the answer. `summed`: counted per person, route and repository, and recorded once a minute. */
  records: 'before' | 'summed'
}

export interface Uses {
  /** Rejects when a use that must be on record cannot be recorded: then it does not happen. */
  record(use: Use): Promise<void>
  /** Records what is summed up so far; called every minute and at the end. */
  flush(): Promise<void>
}

interface Sum {
  by: string
  method: string
  route: string
  /** Absent where the use is about none, or about several. */
  repository?: string
  count: number
}

const keyOf = ({ by, route, repository }: Sum): string => JSON.stringify([by, route, repository])

export function createUses(operations: Book, log: Logger): Uses {
  let sums = new Map<string, Sum>()

  const submit = async (fields: object): Promise<void> => {
    const id = randomUUID()
    const payload = printPayload('access', operations.ledger, { access: id, ...fields })
    await operations.appender.submit([
      {
        key: `access:${id}`,
        digest: Buffer.alloc(32),
        conflict: 'internal',
        segments: [packSegment('access', [payload])],
      },
    ])
  }

  return {
    async record({ who, route, params, repository, records }) {
      if (records === 'before') return submit({ by: who.id, method: who.method, route, params, count: 1 })
      const about = repository === undefined ? {} : { repository }
      const sum: Sum = { by: who.id, method: who.method, route, ...about, count: 0 }
      const key = keyOf(sum)
      sums.set(key, { ...sum, count: (sums.get(key)?.count ?? 0) + 1 })
    },
    async flush() {
      const due = sums
      sums = new Map()
      for (const sum of due.values()) {
        await submit(sum).catch((error: unknown) => {
          log.warn('access.delayed', { route: sum.route, error: String(error) })
          const key = keyOf(sum)
          const newer = sums.get(key)
          sums.set(key, { ...sum, count: sum.count + (newer?.count ?? 0) })
        })
      }
    },
  }
}
