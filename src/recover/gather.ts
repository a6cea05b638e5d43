import { type Edge, appendLeaves, equalHashes, hashLeaf } from '../log/merkle.ts'
import { tileWidth } from '../log/tiles.ts'
import { type LedgerName, openRecord } from '../record/record.ts'
import type { RecoverySource } from './source.ts'
import type { RecordSpool } from './spool.ts'

/** A head that our key has signed. */
export interface SignedHead {
  size: number
  root: Uint8Array
  /** Who has it, for people. */
  of: string
}

export interface GatherDeps {
  ledger: LedgerName
  /** The tree of what the database has. */
  edge: Edge
  /** Larger than that, in order of size. The last one is where to get to. */
  heads: readonly SignedHead[]
  sources: readonly RecoverySource[]
  spool: RecordSpool
  onProgress?: (done: number, of: number) => void
  signal: AbortSignal
}

export interface Gathered {
  /** The records up to here are in the spool, and lead to a signed root. */
  size: number
  /** Heads that were met on the way. */
  met: SignedHead[]
  /** Records that no source has, first and last. */
  missing: [first: number, last: number][]
  /** How many came from where. */
  from: Map<string, number>
  /** What was not believed, and why. */
  refused: string[]
}

/**
 * Brings together the records behind `edge` from whoever has them, and keeps only what leads to a signed root: from one such head to the next.
 * Where what a source gives does not, the others go first in turn.
 */
export async function gather(deps: GatherDeps): Promise<Gathered> {
  const { heads, sources, spool } = deps
  const found: Gathered = { size: deps.edge.size, met: [], missing: [], from: new Map(), refused: [] }
  const refuse = (what: string): void => void (found.refused.includes(what) || found.refused.push(what))
  let edge = deps.edge
  const waiting = [...heads]
  for (let head = waiting.shift(); head !== undefined; head = waiting.shift()) {
    let isMet = false
    for (let first = 0; first < Math.max(1, sources.length) && !isMet; first++) {
      const order = [...sources.slice(first), ...sources.slice(0, first)]
      const mark = spool.mark()
      const got = await stretch({ ...deps, edge, sources: order }, head.size, refuse)
      isMet = got.missing.length === 0 && equalHashes(got.root, head.root)
      if (isMet) {
        edge = got.edge
        found.size = edge.size
        found.met.push(head)
        for (const [name, count] of got.from) found.from.set(name, (found.from.get(name) ?? 0) + count)
        break
      }
      await spool.cut(mark)
      found.missing = got.missing
      if (got.missing.length > 0) break // in whatever order: nobody has them
      refuse(`records ${edge.size} to ${head.size - 1} as ${order.map(({ name }) => name).join(', then ')} has them do not lead to the root that ${head.of} holds`) // oxfmt-ignore
    }
    if (isMet) found.missing = []
    else if (found.missing.length === 0 && waiting.length > 0) continue // that head may be the lie: the next one is tried from here
    else break
  }
  return found
}

interface Stretch {
  edge: Edge
  root: Uint8Array
  missing: [number, number][]
  from: Map<string, number>
}

/** The records from the edge on up to `to`, into the spool; folded as long as none is missing. */
async function stretch(
  { ledger, edge: start, sources, spool, onProgress, signal }: GatherDeps,
  to: number,
  refuse: (what: string) => void,
): Promise<Stretch> {
  const missing: [number, number][] = []
  const from = new Map<string, number>()
  let grown = appendLeaves(start, new Uint8Array(0))
  for (let at = start.size; at < to;) {
    signal.throwIfAborted()
    const end = Math.min(to, (Math.floor(at / tileWidth) + 1) * tileWidth)
    const records = new Map<number, Uint8Array>()
    for (const source of sources) {
      if (records.size === end - at) break
      const given = await source.read(ledger, at, end).catch((error: unknown) => {
        if (signal.aborted) throw error
        refuse(`${source.name}: ${error instanceof Error ? error.message : String(error)}`)
        return new Map<number, Uint8Array>()
      })
      let taken = 0
      for (const [seq, bytes] of given) {
        if (seq < at || seq >= end || records.has(seq)) continue
        const fault = faultOf(bytes, ledger, seq)
        if (fault === undefined) records.set(seq, bytes)
        else refuse(`${source.name}: record ${seq}: ${fault}`)
        if (fault === undefined) taken++
      }
      if (taken > 0) from.set(source.name, (from.get(source.name) ?? 0) + taken)
    }
    const ordered: Uint8Array[] = []
    for (let seq = at; seq < end; seq++) {
      const bytes = records.get(seq)
      const last = missing.at(-1)
      if (bytes !== undefined) ordered.push(bytes)
      else if (last !== undefined && last[1] === seq - 1) last[1] = seq
      else missing.push([seq, seq])
    }
    if (missing.length === 0) {
      grown = appendLeaves(grown, Buffer.concat(ordered.map(hashLeaf)))
      await spool.append(ordered)
    }
    at = end
    onProgress?.(at, to)
  }
  return { edge: { size: grown.size, hashes: grown.hashes }, root: grown.root, missing, from }
}

/** Whether these bytes can be that record at all. */
function faultOf(bytes: Uint8Array, ledger: LedgerName, seq: number): string | undefined {
  try {
    const opened = openRecord(bytes)
    if (opened.ledger !== ledger || opened.seq !== seq) return `is ${opened.id}`
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
