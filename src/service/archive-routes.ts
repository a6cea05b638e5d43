import { createDayFiles } from '../archive/day-files.ts'
import { createHolds } from '../archive/holds.ts'
import type { Archiving } from './archiving.ts'
import { mountArchive } from '../http/archive.ts'
import { mountDays } from '../http/days.ts'
import type { Mount } from '../http/mount.ts'
import type { KeepingDeps } from './keeping.ts'

/** What is asked of the archive over HTTP: day files, how it stands, holds. */
export function mountArchiving(mount: Mount, deps: KeepingDeps, archiving: Archiving): void {
  const { db, objects, operations, recordCommand } = deps
  mountDays(mount, createDayFiles(db, objects), deps.generations)
  mountArchive(mount, {
    status: archiving.status,
    run: archiving.pass,
    holds: createHolds(db, operations),
    recordCommand,
  })
}
