import type { Queryable } from '../database/database.ts'
import type { LedgerName } from '../record/record.ts'
import type { Logger } from '../telemetry/logger.ts'
import { openAlerts } from './alert-store.ts'
import type { Finding } from './alerts.ts'

/** One look at many sources. Not to know is no reason to close an alert, nor to look at nothing else. */
export interface Sources {
  /** What one says. Where that fails it is logged, the answer is `otherwise`, and what is open and `isOf` it stays open. */
  read<T>(source: string, isOf: (open: Finding) => boolean, ask: () => T | Promise<T>, otherwise: T): Promise<T>
  /** Of the open alerts those that a failed source would have to find again. */
  standing(): Promise<Finding[]>
}

export function createSources(db: Queryable, operations: LedgerName, log: Pick<Logger, 'error'>): Sources {
  const failed: ((open: Finding) => boolean)[] = []
  return {
    async read(source, isOf, ask, otherwise) {
      try {
        return await ask()
      } catch (error) {
        log.error('source.unread', { source, error: String(error) })
        failed.push(isOf)
        return otherwise
      }
    },
    async standing() {
      if (failed.length === 0) return []
      return (await openAlerts(db, operations)).filter((open) => failed.some((isOf) => isOf(open)))
    },
  }
}

/** For `isOf`: alerts with one of these codes. */
export const withCode =
  (...codes: Finding['code'][]) =>
  ({ code }: Finding): boolean =>
    codes.includes(code)

/** What the parts of keeping find. */
export const toldByKeepers = ['archive_overdue', 'deployment_without_pass', 'issuer_unreachable', 'key_expiring', 'log_mismatch', 'publication_late', 'rollback_detected', 'witness_silent'] as const // oxfmt-ignore
