import { equalHashes, rootOf } from '../log/merkle.ts'
import { Problem } from '../record/problem.ts'
import type { Signer } from '../signing/signer.ts'
import { dayKey, leavesFile, manifestDigest, parseManifest, recordsFile } from '../verify/day-manifest.ts'
import { type Day, previousDay } from './calendar.ts'
import { readBack } from './read-back.ts'
import type { TestTypePart } from './retention-store.ts'
import { openManifest } from './stored-manifest.ts'
import { type ColdDay, findColdDay, insertReading, readClock, unreadDays } from './store.ts'
import { type DayWriter, edgeAt, putFiles } from './write-day.ts'

/**
 * Reads what the archive holds of a month once more before the month leaves the tables. It was read when it was written, but that is more
 * than a year ago: a bucket can have been changed for another since, or a rule of it can have deleted what it should keep. Files that are
 * gone are written again while that can be done. Each day that is there as it was is put down; the database lets no month go without.
 */
export type ArchivedLedger = Omit<DayWriter, 'signer'> & {
  signer: Pick<Signer, 'keys'>
  onRewritten(day: Day, files: string[]): void
}

/** So long a reading counts here; in the database for seven days, so that a month that is large does not run behind it. */
const countsMicros = 5 * 86_400_000_000

/** Rejects with Problem('integrity') for the first day that is not there as it was. */
export async function readMonthAgain(
  of: ArchivedLedger,
  testType: TestTypePart,
  month: Day,
  signal: AbortSignal,
): Promise<void> {
  const { db, ledger } = of
  for (const day of await unreadDays(db, ledger, testType, month, (await readClock(db)) - countsMicros)) {
    signal.throwIfAborted()
    await readDayAgain(of, day, signal)
    await insertReading(db, ledger, day.day)
  }
}

async function readDayAgain(of: ArchivedLedger, cold: ColdDay, signal: AbortSignal): Promise<void> {
  const { db, tree, objects, ledger, origin } = of
  const { day, first, next } = cold
  const root = rootOf(await edgeAt(tree, next))
  if (!equalHashes(root, cold.root))
    throw new Problem('integrity', `${ledger}: the root at the end of ${day} is not the one that was archived`)
  const payload = await openManifest(of, day)
  if (manifestDigest(payload) !== cold.manifest.toString('hex'))
    throw new Problem('integrity', `the archive of ${ledger} has another manifest of ${day}`)
  const there = await Promise.all([recordsFile, leavesFile].map((file) => objects.has(dayKey(ledger, day, file))))
  const rewritten = there.includes(false) ? await putFiles(of, cold, signal) : []
  const lastTime = (await findColdDay(db, ledger, previousDay(day)))?.lastTime ?? -1
  const from = { ...(await edgeAt(tree, first)), lastTime }
  const { files, frames } = await readBack(objects, { ledger, day, origin, from, size: next, root }, signal)
  const manifest = parseManifest(payload)
  // By the frames of the manifest records are found once the tables have them no more.
  if (JSON.stringify([manifest.first, manifest.size, manifest.files, manifest.frames]) !== JSON.stringify([first, next, files, frames]))
    throw new Problem('integrity', `the archive of ${ledger} has files of ${day} that are not those of its manifest`)
  if (rewritten.length > 0) of.onRewritten(day, rewritten)
} // oxfmt-ignore
