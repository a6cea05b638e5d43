import { hash } from 'node:crypto'
import { type Bodies, createBodies, type Span } from './bodies.ts'
import type { SplunkEvent } from './spl.ts'

/** The index of a Splunk of our own. It merges nothing: what is stored twice is there twice. */
export interface HecEvents {
  /** Stores line by line, and stops at the first event that `refuse` has a code for. */
  store(body: Buffer, rules: StoreRules): Refused | undefined
  all(): Iterable<SplunkEvent>
  /** Those that a search by these ids, or by this range of one ledger, can be about: asking 200,000 for three would take a while. */
  some(search: string): Iterable<SplunkEvent>
  get(id: string): SplunkEvent | undefined
  /** `_raw`. */
  raw(event: SplunkEvent): Buffer | undefined
  /** SHA-256 of the event's bytes as they stood in the request, like sha256(_raw). */
  digest(id: string): string | undefined
  ids(): string[]
  /** Deletes an event, as an administrator would. */
  forget(id: string): boolean
  counters: { stored: number; duplicates: number; canaries: number }
}

export interface StoreRules {
  refuse(id: string): number | undefined
  /** What becomes of the events before a bad one: an open question on real ones (SIEM.md 1.7). */
  onBadEvent: 'keep-prefix' | 'atomic'
  /** An index that takes events and throws them away, as one that was deleted behind the token's back does. */
  discards(index: string): boolean
  /** Stops in front of the event of this number, having kept what is before it. */
  stopAt?: number
}

export interface Refused {
  code: number
  /** Its number in the request, from 0. */
  number: number
}

const idMark = Buffer.from('"proofline_id":"')
const eventMark = Buffer.from('},"event":')
const indexMark = Buffer.from('"index":"')

export function createHecEvents(keep: 'bytes' | 'ids', maxEvents: number): HecEvents {
  const events = new Map<string, SplunkEvent>()
  const canaries = new Map<string, SplunkEvent>()
  /** By ledger and seq, for searches by range. */
  const places = new Map<string, Map<number, SplunkEvent[]>>()
  const bodies: Bodies = createBodies()
  const counters = { stored: 0, duplicates: 0, canaries: 0 }

  /** The text behind a mark, without parsing: a benchmark's receiver should not be what is measured. */
  function after(line: Buffer, mark: Buffer): string | undefined {
    const at = line.indexOf(mark) + mark.length
    return at < mark.length ? undefined : line.toString('latin1', at, line.indexOf(0x22, at))
  }

  function keepEvent(line: Buffer, place: () => Span): void {
    const recordId = after(line, idMark)
    const isCanary = recordId === undefined
    const isWhole = keep === 'bytes' || isCanary
    const { event: _, ...envelope } = (isWhole ? JSON.parse(line.toString()) : {}) as Record<string, unknown>
    const fields = (envelope['fields'] ?? {}) as Record<string, string>
    const id = recordId ?? fields['proofline_canary'] ?? ''
    const into = isCanary ? canaries : events
    const isMarked = fields['proofline_possible_dup'] === '1'
    if (isCanary) counters.canaries++
    else counters.stored++
    const known = into.get(id)
    if (known !== undefined) {
      known.copies++
      if (isMarked) known.marked++
      counters.duplicates++
      return
    }
    if (events.size >= maxEvents) throw new Error('the fake is full')
    const { fields: __, ...rest } = envelope
    const event: SplunkEvent = {
      id,
      copies: 1,
      marked: isMarked ? 1 : 0,
      storedAt: Date.now(),
      at: isWhole ? place() : undefined,
      envelope: isWhole ? rest : undefined,
      fields,
    }
    into.set(id, event)
    if (isCanary || !isWhole) return
    const ofLedger = places.get(fields['proofline_ledger'] ?? '') ?? new Map<number, SplunkEvent[]>()
    places.set(fields['proofline_ledger'] ?? '', ofLedger)
    const seq = Number(fields['proofline_seq'])
    ofLedger.set(seq, [...(ofLedger.get(seq) ?? []), event])
  }

  function linesOf(body: Buffer): { line: Buffer; from: number }[] {
    const lines: { line: Buffer; from: number }[] = []
    for (let at = 0; at < body.length;) {
      let end = body.indexOf(0x0a, at)
      if (end < 0) end = body.length
      if (end > at) lines.push({ line: body.subarray(at, end), from: at })
      at = end + 1
    }
    return lines
  }

  return {
    counters,
    store(body, { refuse, onBadEvent, discards, stopAt = Infinity }) {
      const lines = linesOf(body)
      let bad: Refused | undefined
      for (const [number, { line }] of lines.entries()) {
        const code = number >= stopAt ? 9 : refuse(after(line, idMark) ?? '')
        if (code === undefined) continue
        bad = { code, number }
        break
      }
      const kept = bad === undefined ? lines : onBadEvent === 'atomic' ? [] : lines.slice(0, bad.number)
      let ref: number | undefined
      for (const { line, from } of kept) {
        if (discards(after(line, indexMark) ?? '')) continue
        keepEvent(line, () => {
          ref ??= bodies.keep(body)
          const eventAt = line.indexOf(eventMark) + eventMark.length
          return { body: ref, from: from + eventAt, to: from + line.length - 1 }
        })
      }
      return bad
    },
    all: function* all() {
      yield* events.values()
      yield* canaries.values()
    },
    some: function* some(search) {
      const [, list] = /proofline_id IN \(([^)]*)\)/.exec(search) ?? []
      const [, ledger, first, last] =
        /proofline_ledger="([^"]+)".* proofline_seq>=(\d+) proofline_seq<=(\d+)/.exec(search) ?? []
      if (list !== undefined) {
        for (const quoted of list.split(',')) {
          const event = events.get(quoted.slice(1, -1))
          if (event !== undefined) yield event
        }
      } else if (ledger !== undefined) {
        const ofLedger = places.get(ledger)
        if (ofLedger === undefined) return
        for (const [seq, some] of ofLedger) if (seq >= Number(first) && seq <= Number(last)) yield* some
      } else yield* search.includes('proofline:canary') ? canaries.values() : this.all()
    },
    get: (id) => events.get(id),
    raw: ({ at }) => (at === undefined ? undefined : bodies.read(at)),
    digest(id) {
      const at = events.get(id)?.at
      return at === undefined ? undefined : hash('sha256', bodies.read(at), 'hex')
    },
    ids: () => [...events.keys()],
    forget(id) {
      const event = events.get(id)
      if (event === undefined) return false
      const ofLedger = places.get(event.fields['proofline_ledger'] ?? '')
      const seq = Number(event.fields['proofline_seq'])
      ofLedger?.set(
        seq,
        (ofLedger.get(seq) ?? []).filter((other) => other !== event),
      )
      return events.delete(id)
    },
  }
}
