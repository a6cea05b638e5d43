import { type LedgerKind, type LedgerName, ledgerKindOf, ledgerKinds } from '../record/record.ts'
import type { DestinationSettings } from './settings.ts'

/** What of a ledger goes to a destination; undefined for nothing. Heartbeats go everywhere, also where `operations` is not wanted. */
export function selectOf(
  { select }: DestinationSettings,
  ledger: LedgerName,
): DestinationSettings['select'] | undefined {
  const kind = ledgerKindOf(ledger)
  if (select.ledgers === undefined || select.ledgers.includes(kind)) return select
  return kind === 'operations' ? { kinds: ['heartbeat'] } : undefined
}

/** The ledgers of which something goes to a destination. */
export function ledgersOf({ select }: Pick<DestinationSettings, 'select'>): readonly LedgerKind[] {
  return ledgerKinds.filter((kind) => kind === 'operations' || (select.ledgers?.includes(kind) ?? true))
}
