import { type Principal, may } from '../access/principal.ts'
import { getDayFile, listDays } from '../api/days.ts'
import type { Day } from '../archive/calendar.ts'
import { findColdDay, isExpired, listColdDays } from '../archive/store.ts'
import type { Queryable } from '../database/database.ts'
import type { Objects } from '../objects/objects.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, toLedgerName } from '../record/record.ts'
import { dayKey } from '../verify/day-manifest.ts'
import type { Mount } from './mount.ts'

/** `/v1/feed/{ledger}/days`: only what was read back and verified is shown. */
export function mountDays(mount: Mount, { db, objects }: { db: Queryable; objects: Objects }): void {
  const lasting = { 'cache-control': 'private, max-age=31536000, immutable' }

  /** A day's files are about all repositories. */
  const demandWhole = (who: Principal): void => {
    if (may(who, 'feed', {}) || may(who, 'audit', {})) return
    throw new Problem('forbidden', 'this credential is bound to repositories; a day is about all')
  }

  mount(listDays, async ({ who, params, query, baseUrl }) => {
    demandWhole(who)
    const ledger = toLedgerName(`${who.org}/${params.ledger}`)
    const days = await listColdDays(db, ledger, query.after, query.limit)
    const last = days.length < query.limit ? undefined : days.at(-1)?.day
    const next = `${baseUrl}/v1/feed/${params.ledger}/days?after=${last}&limit=${query.limit}`
    const shown = days.map(({ day, first, next: size, bytes, manifest, expired }) => ({
      day, first_seq: first, size, bytes, manifest_sha256: manifest.toString('hex'), expired,
    })) // oxfmt-ignore
    return { body: { days: shown, next: last === undefined ? null : next } }
  })

  mount(getDayFile, async ({ who, params }) => {
    demandWhole(who)
    const ledger = toLedgerName(`${who.org}/${params.ledger}`)
    await demandArchived(ledger, params.day)
    const bytes = await objects.open(dayKey(ledger, params.day, params.file))
    if (bytes === undefined) throw new Problem('not_found', `${params.day} has no ${params.file}`)
    const type = params.file.endsWith('.json') ? 'application/json' : 'application/octet-stream'
    return { type, headers: lasting, body: bytes }
  })

  async function demandArchived(ledger: LedgerName, day: Day): Promise<void> {
    if ((await findColdDay(db, ledger, day)) === undefined)
      throw new Problem('not_found', `${day} of ${ledger} is not in the archive`)
    if (await isExpired(db, ledger, day))
      throw new Problem('expired', `the records of ${day} were deleted when their retention had passed`)
  }
}
