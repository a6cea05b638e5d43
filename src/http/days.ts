import { type Principal, may } from '../access/principal.ts'
import { getDayFile, listDays } from '../api/days.ts'
import type { DayFiles } from '../archive/day-files.ts'
import { Problem } from '../record/problem.ts'
import { toLedgerName } from '../record/record.ts'
import type { Mount } from './mount.ts'

/** `/v1/feed/{ledger}/days`: closed days as files, which never change. */
export function mountDays(mount: Mount, days: DayFiles): void {
  /** A day's files are about all repositories. */
  const demandWhole = (who: Principal): void => {
    if (may(who, 'feed', {}) || may(who, 'audit', {})) return
    throw new Problem('forbidden', 'this credential is bound to repositories; a day is about all')
  }

  mount(listDays, async ({ who, params, query, baseUrl }) => {
    demandWhole(who)
    const found = await days.list(toLedgerName(`${who.org}/${params.ledger}`), query.after, query.limit)
    const last = found.length < query.limit ? undefined : found.at(-1)?.day
    const next = `${baseUrl}/v1/feed/${params.ledger}/days?after=${last}&limit=${query.limit}`
    const shown = found.map(({ day, first, next: size, bytes, manifest, expired }) => ({
      day, first_seq: first, size, bytes, manifest_sha256: manifest.toString('hex'), expired,
    })) // oxfmt-ignore
    return { body: { days: shown, next: last === undefined ? null : next } }
  })

  mount(getDayFile, async ({ who, params }) => {
    demandWhole(who)
    const body = await days.open(toLedgerName(`${who.org}/${params.ledger}`), params.day, params.file)
    const type = params.file.endsWith('.json') ? 'application/json' : 'application/octet-stream'
    return { type, headers: { 'cache-control': 'private, max-age=31536000, immutable' }, body }
  })
}
