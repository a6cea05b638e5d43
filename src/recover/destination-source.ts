import type { Destination } from '../delivery/destination.ts'
import { parseRecordId } from '../record/record.ts'
import type { RecoverySource } from './source.ts'

/** A SIEM that can be searched: it was sent the record bytes, and has kept them. */
export function fromDestination(name: string, destination: Pick<Destination, 'originals'>, signal: AbortSignal): RecoverySource {
  return {
    name: `destination ${name}`,
    note: async () => undefined, // heartbeats hold notes, but a head without its records is no use here
    async read(ledger, from, to) {
      const originals = await destination.originals({ ledger, first: from, last: to - 1 }, signal)
      const found = new Map<number, Uint8Array>()
      for (const [id, bytes] of originals) {
        const seq = parseRecordId(id)?.seq
        if (seq !== undefined) found.set(seq, bytes)
      }
      return found
    },
  }
} // oxfmt-ignore
