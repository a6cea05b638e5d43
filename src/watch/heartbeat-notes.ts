import { type LedgerName, isLedgerName } from '../record/record.ts'

/**
 * Signed notes in the heartbeats among these records, as a SIEM gave them back: of each ledger the one with the largest size that is claimed.
 * Nothing of it is believed here. Pure.
 */
export function notesInHeartbeats(records: Iterable<Uint8Array>): Map<LedgerName, string> {
  const newest = new Map<LedgerName, { size: number; note: string }>()
  for (const bytes of records) {
    for (const head of headsOf(bytes)) {
      const { ledger, size, note } = head
      if (typeof ledger !== 'string' || !isLedgerName(ledger) || typeof size !== 'number' || typeof note !== 'string')
        continue
      if (size > (newest.get(ledger)?.size ?? -1)) newest.set(ledger, { size, note })
    }
  }
  return new Map([...newest].map(([ledger, { note }]) => [ledger, note]))
}

function headsOf(bytes: Uint8Array): Record<string, unknown>[] {
  let record: unknown
  try {
    record = JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return []
  }
  if (typeof record !== 'object' || record === null || !('kind' in record) || record.kind !== 'heartbeat') return []
  const heads: unknown = 'heads' in record ? record.heads : undefined
  return Array.isArray(heads) ? heads.filter((head) => typeof head === 'object' && head !== null) : []
}
