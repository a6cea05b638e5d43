import { type Principal, may } from '../access/principal.ts'
import { type ArchiveStatus, type HoldTold, addHold, getArchive, listHolds, releaseHold, runArchive } from '../api/archive.ts' // oxfmt-ignore
import type { HoldRow } from '../archive/hold-store.ts'
import type { Holds } from '../archive/holds.ts'
import { Problem } from '../record/problem.ts'
import { printTime } from '../record/record.ts'
import type { RecordCommand } from '../watch/commands.ts'
import type { Mount } from './mount.ts'

export interface ArchiveDeps {
  status: () => Promise<ArchiveStatus>
  run: (what: 'archive' | 'retention', signal: AbortSignal) => Promise<void>
  holds: Pick<Holds, 'add' | 'list' | 'release'>
  recordCommand: RecordCommand
}

/** All of it is about all repositories, so a credential that is bound to some sees none of it. */
export function mountArchive(mount: Mount, { status, run, holds, recordCommand }: ArchiveDeps): void {
  const demandWhole = (who: Principal, scope: 'operate' | 'audit'): void => {
    if (may(who, 'operate', {}) || may(who, scope, {})) return
    throw new Problem('forbidden', 'this credential is bound to repositories')
  }

  mount(getArchive, async ({ who }) => {
    demandWhole(who, 'audit')
    return { body: await status() }
  })

  mount(runArchive, async ({ who, body: { what, reason }, signal }) => {
    demandWhole(who, 'operate')
    await recordCommand({ who, command: `${what}.run`, target: what, reason })
    await run(what, signal)
    return { body: await status() }
  })

  mount(listHolds, async ({ who, query }) => {
    demandWhole(who, 'audit')
    return { body: { holds: (await holds.list(query.all === 'true')).map(toldOf) } }
  })

  mount(addHold, async ({ who, body }) => {
    demandWhole(who, 'operate')
    const { repository, path = null, from = null, to = null, reason, ticket } = body
    const added = await holds.add({ repository, path, from, to, reason, ticket }, who.id)
    return { status: 201, body: toldOf(added) }
  })

  mount(releaseHold, async ({ who, params, body }) => {
    demandWhole(who, 'operate')
    return { body: toldOf(await holds.release(params.hold, body.reason, who.id)) }
  })
}

function toldOf(row: HoldRow): HoldTold {
  const { hold, repository, path, from, to, reason, ticket, days } = row
  return {
    hold,
    state: row.releasedBy !== null ? 'released' : row.askedBy !== null ? 'release_asked' : 'active',
    repository, path, from, to, reason, ticket,
    by: row.byWhom,
    at: printTime(row.at),
    days,
    asked_by: row.askedBy,
    released_by: row.releasedBy,
    released_at: row.releasedAt === null ? null : printTime(row.releasedAt),
  } // oxfmt-ignore
}
