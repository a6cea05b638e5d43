import type { Database } from '../database/database.ts'
import type { Reader } from '../ledger/read.ts'
import type { LedgerName } from '../record/record.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Destination } from './destination.ts'
import type { DeliveryMetrics } from './metrics.ts'
import type { DestinationSettings } from './settings.ts'

/** One ledger as it goes to one destination. */
export interface Lane {
  ledger: LedgerName
  destination: string
}

export interface DeliveryDeps {
  name: string
  destination: Destination
  settings: DestinationSettings
  ledger: LedgerName
  reader: Reader
  db: Database
  log: Logger
  metrics: DeliveryMetrics
  now: () => Date
  /** performance.now unless a test freezes. */
  monotonicMs?: () => number
}
