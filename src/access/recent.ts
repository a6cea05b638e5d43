/**
 * What was looked up a moment ago. Promises, so that a burst of requests with one credential asks once; unknown ids are kept too: guessing
 * costs no query each.
 */
export interface Recent<T> {
  find(id: string): Promise<T | undefined>
  forget(id: string): void
}

const most = 10_000

export function createRecent<T>(
  lookUp: (id: string) => Promise<T | undefined>,
  keepMs: number,
  now: () => Date,
): Recent<T> {
  const known = new Map<string, { at: number; row: Promise<T | undefined> }>()
  return {
    find(id) {
      const at = now().getTime()
      const cached = known.get(id)
      // A clock that was put back must not keep anything longer.
      if (cached !== undefined && at >= cached.at && at - cached.at < keepMs) return cached.row
      const row = lookUp(id)
      row.catch(() => known.delete(id)) // a failed query is nobody's answer
      known.delete(id)
      known.set(id, { at, row })
      if (known.size > most) known.delete(known.keys().next().value ?? id)
      return row
    },
    forget: (id) => void known.delete(id),
  }
}
