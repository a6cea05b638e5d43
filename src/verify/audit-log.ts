import { type Tile, tilePath, tileWidth, tileWidthAt, tilesBetween } from '../log/tiles.ts'
import { parseTime } from '../record/record.ts'
import type { Micros } from '../record/record.ts'
import type { Audit } from './audit.ts'
import { type ReadFile, entriesOf, readTile } from './log-source.ts'

/** Bundles on their way at a time: enough to hide the round trip, about 10 MB. */
const ahead = 8

export interface ReadLog {
  /** Size of the checkpoint that is to be met. */
  size: number
  get: ReadFile
  fresh: boolean
  /** Whether the records of a bundle are gone, their retention having passed: then their leaf hashes stand for them. */
  isExpired?: ((path: string) => boolean) | undefined
  /** The records of a bundle as the audit takes them: to be believed only when it ends without a difference. */
  onRecords?: ((records: readonly Uint8Array[]) => void) | undefined
  onProgress?: (done: number, of: number) => void
}

/**
 * Feeds an audit with all of a log as files: tiles of the upper levels, then every bundle with its leaf hashes, in order. What is missing is
 * a difference like any other. Gives recorded_at of the last record as it says itself, where there is one.
 */
export async function auditLog(
  audit: Audit,
  { size, get, fresh, isExpired, onRecords, onProgress }: ReadLog,
): Promise<Micros | undefined> {
  const nothing = new Uint8Array(0)
  const read = async (tile: Tile): Promise<Uint8Array> => (await readTile(get, tile, fresh)) ?? nothing
  for (const tile of tilesBetween(0, size)) if (tile.level > 0) audit.expectTile(tile, await read(tile))

  const bundles = Math.ceil(size / tileWidth)
  const fetchBundle = async (index: number): Promise<[Tile, Uint8Array, Uint8Array]> => {
    const width = tileWidthAt('entries', index, size)
    const [hashes, entries] = await Promise.all([
      read({ level: 0, index, width }),
      read({ level: 'entries', index, width }),
    ])
    return [{ level: 'entries', index, width }, hashes, entries]
  }
  const coming: ReturnType<typeof fetchBundle>[] = []
  let lastTime: Micros | undefined
  for (let index = 0; index < bundles; index++) {
    while (coming.length < ahead && index + coming.length < bundles) {
      const next = fetchBundle(index + coming.length)
      next.catch(() => undefined) // awaited below; until then a failure is not unhandled
      coming.push(next)
    }
    const [tile, hashes, entries] = (await coming.shift()) ?? (await fetchBundle(index))
    audit.expectTile({ ...tile, level: 0 }, hashes)
    // A bundle that is not there is told as its records, which are missing.
    if (entries.length > 0) audit.addBundle({ ...tile, level: 'entries' }, entries)
    else if (isExpired?.(tilePath('entries', index, tile.width)) === true)
      audit.pass(index * tileWidth + tile.width, 'expired')
    onRecords?.(entriesOf(entries, tile.width) ?? [])
    if (index === bundles - 1) lastTime = timeOf(entriesOf(entries, tile.width)?.at(-1))
    onProgress?.(audit.next(), size)
  }
  return lastTime
}

function timeOf(record: Uint8Array | undefined): Micros | undefined {
  const [, text = ''] = /"recorded_at":"([^"]{27})"/.exec(new TextDecoder().decode(record?.subarray(0, 220))) ?? []
  return parseTime(text)
}
