/**
 * Accounts for every seq of a period: a record that is shown, a coverage record that a `part` record shown here names, or a later window of
 * an inventory whose first one is shown. Nothing else may lie in a period of which a pack claims to show everything.
 */
export interface Account {
  /** One shown record, in order of seq. `ranges` are those of a part, as far as its record or its list has them. */
  shown(record: PackRecord, ranges?: readonly (readonly [number, number])[]): void
  finish(): Accounted
}

export interface PackRecord {
  seq: number
  id: string
  kind: string
  recorded_at: string
  fields: Readonly<Record<string, unknown>>
}

export interface Accounted {
  /** Shown, by kind in order of name. */
  shown: Record<string, number>
  /** Not shown, but named by a record that is. */
  named: Record<string, number>
  /** The rest, as closed ranges of seqs, and how many they are. */
  rest: [number, number][]
  restCount: number
}

type Span = [from: number, to: number, kind: string | undefined]

export function createAccount(from: number, to: number): Account {
  const shown = new Map<string, number>()
  const spans: Span[] = []

  /** [a, b), cut to the period: a part may have begun before it. */
  const take = (a: number, b: number, kind: string | undefined): void => {
    const [first, end] = [Math.max(a, from), Math.min(b, to)]
    if (first < end) spans.push([first, end, kind])
  }

  return {
    shown({ seq, kind, fields }, ranges = []) {
      shown.set(kind, (shown.get(kind) ?? 0) + 1)
      take(seq, seq + 1, undefined)
      for (const [first, last] of ranges) take(first, last + 1, 'coverage')
      const of = windowsOf(fields)
      if (kind === 'inventory' && of > 1) take(seq + 1, seq + of, 'inventory')
    },
    finish() {
      const named = new Map<string, number>()
      const rest: [number, number][] = []
      let restCount = 0
      let at = from
      const leave = (end: number): void => {
        if (end <= at) return
        rest.push([at, end - 1])
        restCount += end - at
      }
      // What is shown counts as shown where a claim covers it as well.
      const ordered = spans.toSorted(([a, , x], [b, , y]) => a - b || Number(x !== undefined) - Number(y !== undefined))
      for (const [first, end, kind] of ordered) {
        leave(first)
        const fresh = end - Math.max(first, at)
        if (fresh > 0 && kind !== undefined) named.set(kind, (named.get(kind) ?? 0) + fresh)
        at = Math.max(at, end)
      }
      leave(to)
      return { shown: inOrder(shown), named: inOrder(named), rest, restCount }
    },
  }
}

/** How many windows an inventory has, when this is its first; 0 otherwise. */
function windowsOf(fields: Readonly<Record<string, unknown>>): number {
  const window = fields['window']
  if (typeof window !== 'object' || window === null || !('index' in window) || !('of' in window)) return 0
  return window.index === 0 && typeof window.of === 'number' ? window.of : 0
}

/** The closed ranges of a `part` record; empty for anything else. Of a list that did not fit these are the first. */
export function rangesOf(fields: Readonly<Record<string, unknown>>): [number, number][] {
  return toRanges(fields['ranges'])
}

/** The digest of the whole list, where the record could not hold it. */
export function rangesDigestOf(fields: Readonly<Record<string, unknown>>): string | undefined {
  const digest = fields['ranges_digest']
  return typeof digest === 'object' && digest !== null && 'sha256' in digest && typeof digest.sha256 === 'string'
    ? digest.sha256
    : undefined
}

export function toRanges(value: unknown): [number, number][] {
  if (!Array.isArray(value)) return []
  return value.filter(
    (pair): pair is [number, number] =>
      Array.isArray(pair) && pair.length === 2 && pair.every((one) => Number.isSafeInteger(one) && one >= 0),
  )
}

function inOrder(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
