import { parseCheckpoint } from '../log/checkpoint.ts'
import { LogError } from '../log/log-error.ts'
import { parseNote } from '../log/note.ts'
import { tileWidth, tileWidthAt } from '../log/tiles.ts'
import type { LedgerName } from '../record/record.ts'
import { type LogSource, entriesOf, readTile } from '../verify/log-source.ts'

/** Where records may still be. Nothing it gives is believed before it leads to a signed root. */
export interface RecoverySource {
  /** For people. */
  readonly name: string
  /** The newest signed head that it knows. */
  note(ledger: LedgerName): Promise<Uint8Array | undefined>
  /** Record bytes of [from, to), as far as they are there, by seq. At most 256 are asked for at a time, of one bundle. */
  read(ledger: LedgerName, from: number, to: number): Promise<ReadonlyMap<number, Uint8Array>>
}

/** A published copy, or the log of a mirror or of another service. */
export function fromLog(log: LogSource): RecoverySource {
  const sizes = new Map<LedgerName, number>()
  const note = async (ledger: LedgerName): Promise<Uint8Array | undefined> => {
    const found = await log.get(`${ledger}/checkpoint`, false)
    sizes.set(ledger, found === undefined ? 0 : sizeOf(found))
    return found
  }
  return {
    name: log.name,
    note,
    async read(ledger, from, to) {
      if (!sizes.has(ledger)) await note(ledger)
      const index = Math.floor(from / tileWidth)
      const width = tileWidthAt('entries', index, sizes.get(ledger) ?? 0)
      if (width === 0) return new Map()
      const tile = { level: 'entries', index, width } as const
      const bundle = await readTile((path, fresh) => log.get(`${ledger}/${path}`, fresh), tile, false)
      const entries = bundle === undefined ? undefined : entriesOf(bundle, width)
      const all = (entries ?? []).map((entry, i): [number, Uint8Array] => [index * tileWidth + i, entry])
      return new Map(all.filter(([seq]) => seq >= from && seq < to))
    },
  }
}

/** As it says itself: only to know how wide its last tile is. */
function sizeOf(note: Uint8Array): number {
  try {
    return parseCheckpoint(parseNote(note).text).size
  } catch (error) {
    if (error instanceof LogError) return 0
    throw error
  }
}
