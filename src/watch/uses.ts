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
  /** `before`: recorded before the answer. `summed`: counted, and recorded once a minute. */
  records: 'before' | 'summed'
}

export interface Uses {
  /** Rejects when a use that must be on record cannot be recorded: then it does not happen. */
  record(use: Use): Promise<void>
  /** Records what is summed up so far; called every minute and at the end. */
  flush(): Promise<void>
}

export function createUses(operations: Book, log: Logger): Uses {
  let sums = new Map<string, { by: string; method: string; route: string; count: number }>()

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
    async record({ who, route, params, records }) {
      if (records === 'before') return submit({ by: who.id, method: who.method, route, params, count: 1 })
      const key = `${who.id} ${route}`
      const sum = sums.get(key) ?? { by: who.id, method: who.method, route, count: 0 }
      sum.count++
      sums.set(key, sum)
    },
    async flush() {
      const due = sums
      sums = new Map()
      for (const sum of due.values()) {
        await submit(sum).catch((error: unknown) => {
          log.warn('access.delayed', { route: sum.route, error: String(error) })
          const key = `${sum.by} ${sum.route}`
          const newer = sums.get(key)
          sums.set(key, { ...sum, count: sum.count + (newer?.count ?? 0) })
        })
      }
    },
  }
}
