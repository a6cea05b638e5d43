import { Readable } from 'node:stream'
import { type Principal, may } from '../access/principal.ts'
import { getDayFile, listDays } from '../api/days.ts'
import type { DayFiles } from '../archive/day-files.ts'
import type { Generations } from '../ledger/generations.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerKind, type LedgerName, toLedgerName } from '../record/record.ts'
import { holdsTag } from './etag.ts'
import type { Mount } from './mount.ts'

/** `/v1/feed/{ledger}/days`: closed days as files, which never change. */
export function mountDays(mount: Mount, days: DayFiles, generations: Pick<Generations, 'find'>): void {
  /** A day's files are about all repositories. */
  const demandWhole = (who: Principal): void => {
    if (may(who, 'feed', {}) || may(who, 'audit', {})) return
    throw new Problem('forbidden', 'this credential is bound to repositories; a day is about all')
  }

  const find = (who: Principal, kind: LedgerKind, generation: number | undefined): LedgerName => {
    const found = generations.find(toLedgerName(`${who.org}/${kind}`), generation)
    if (found === undefined) throw new Problem('not_found', `there is no generation ${generation} of ${kind}`)
    return found
  }

  mount(listDays, async ({ who, params, query, baseUrl }) => {
    demandWhole(who)
    const found = await days.list(find(who, params.ledger, query.generation), query.after, query.limit)
    const last = found.length < query.limit ? undefined : found.at(-1)?.day
    const of = query.generation === undefined ? '' : `&generation=${query.generation}`
    const next = `${baseUrl}/v1/feed/${params.ledger}/days?after=${last}&limit=${query.limit}${of}`
    const shown = found.map(({ day, first, next: size, bytes, manifest, expired }) => ({
      day, first_seq: first, size, bytes, manifest_sha256: manifest.toString('hex'), expired,
    })) // oxfmt-ignore
    return { body: { days: shown, next: last === undefined ? null : next } }
  })

  mount(getDayFile, async ({ who, params, query, headers: asked, isHead }) => {
    demandWhole(who)
    const { tag, open } = await days.find(find(who, params.ledger, query.generation), params.day, params.file)
    const headers = { etag: tag, 'cache-control': 'private, max-age=31536000, immutable' }
    if (holdsTag(asked['if-none-match'], tag)) return { status: 304, headers }
    const type = params.file.endsWith('.json') ? 'application/json' : 'application/octet-stream'
    return { type, headers, body: isHead ? Readable.from([]) : await open() }
  })
}
