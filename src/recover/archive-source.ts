import { type Day, dayOf, previousDay } from '../archive/calendar.ts'
import { openFrame } from '../archive/read-back.ts'
import { LogError } from '../log/log-error.ts'
import { parseStatement } from '../log/statement.ts'
import type { Objects } from '../objects/objects.ts'
import type { LedgerName } from '../record/record.ts'
import { type DayManifest, dayKey, manifestFile, parseManifest, recordsFile } from '../verify/day-manifest.ts'
import type { RecoverySource } from './source.ts'

/** So many days without a manifest end the look back before the newest one is found: the service may have been away. */
const maxGapDays = 92

/**
 * The day files of the archive, found by their names alone: the rows that say which there are may be lost with the database. Every day has a
 * manifest, also one without records, so the first day that has none is before the beginning.
 */
export function fromArchive(objects: Objects, name: string, now: () => Date): RecoverySource {
  const known = new Map<LedgerName, { days: { day: Day; manifest: DayManifest }[]; next: Day; isAll: boolean }>()
  let kept: { key: string; first: number; records: Uint8Array[] } | undefined

  const load = async (key: string, range?: { from: number; to: number }): Promise<Buffer | undefined> => {
    const stream = await objects.open(key, range)
    return stream === undefined ? undefined : Buffer.concat(await stream.toArray())
  }

  const manifestOf = async (ledger: LedgerName, day: Day): Promise<DayManifest | undefined> => {
    const bytes = await load(dayKey(ledger, day, manifestFile))
    if (bytes === undefined) return undefined
    try {
      return parseManifest(parseStatement(bytes).payload)
    } catch (error) {
      if (error instanceof LogError) return undefined
      throw error
    }
  }

  /** Manifests, newest first, back to the one that holds `seq`. */
  const daysTo = async (ledger: LedgerName, seq: number) => {
    const of = known.get(ledger) ?? { days: [], next: dayOf(now().getTime() * 1000), isAll: false }
    known.set(ledger, of)
    for (let gap = 0; !of.isAll && (of.days.at(-1)?.manifest.first ?? Infinity) > seq; of.next = previousDay(of.next)) {
      const manifest = await manifestOf(ledger, of.next)
      if (manifest !== undefined) of.days.push({ day: of.next, manifest })
      else of.isAll = of.days.length > 0 || ++gap > maxGapDays
    }
    return of.days
  }

  const frameAt = async (ledger: LedgerName, day: Day, manifest: DayManifest, seq: number) => {
    let [first, offset] = [manifest.first, 0]
    for (const { records: count, bytes } of manifest.frames) {
      if (seq < first + count) {
        const key = `${ledger} ${first}`
        if (kept?.key === key) return kept
        const frame = await load(dayKey(ledger, day, recordsFile), { from: offset, to: offset + bytes })
        if (frame === undefined) return undefined
        const { raw, ends } = await openFrame(frame)
        const records = ends.map((end, i) => raw.subarray(i === 0 ? 0 : (ends[i - 1] ?? 0) + 1, end))
        kept = { key, first, records }
        return kept
      }
      first += count
      offset += bytes
    }
    return undefined
  }

  return {
    name,
    async note(ledger) {
      const [newest] = await daysTo(ledger, Number.MAX_SAFE_INTEGER)
      return newest === undefined ? undefined : new TextEncoder().encode(newest.manifest.checkpoint.note)
    },
    async read(ledger, from, to) {
      const found = new Map<number, Uint8Array>()
      for (let seq = from; seq < to;) {
        const held = (await daysTo(ledger, seq)).find(({ manifest }) => manifest.first <= seq && seq < manifest.size)
        if (held === undefined) break
        const frame = await frameAt(ledger, held.day, held.manifest, seq)
        const before = seq
        for (; frame !== undefined && seq < to; seq++) {
          const record = frame.records[seq - frame.first]
          if (record === undefined) break
          found.set(seq, record)
        }
        if (seq === before) break
      }
      return found
    },
  }
}
