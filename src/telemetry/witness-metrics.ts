import type { Instruments } from './instruments.ts'

export interface WitnessMetrics {
  /** How each witness stands, asked at collection: the database knows it, so every node tells the same. */
  setWitnesses(read: () => Promise<readonly WitnessReading[]>): void
}

export interface WitnessReading {
  ledger: string
  witness: string
  lag: number
  failing_since: string | null
}

export function createWitnessMetrics({ gauge }: Instruments): WitnessMetrics {
  let read: () => Promise<readonly WitnessReading[]> = () => Promise.resolve([])
  // While the database is away nothing is told: an old number would look like a new one.
  const now = (): Promise<readonly WitnessReading[]> => read().catch(() => [])
  gauge('proofline_witness_lag_records', 'Published records that a witness has not cosigned', async () =>
    (await now()).map(({ ledger, witness, lag }) => [lag, { ledger, witness }]),
  )
  gauge('proofline_witness_failing', '1 while a witness gives no cosignature', async () =>
    (await now()).map(({ ledger, witness, failing_since }) => [failing_since === null ? 0 : 1, { ledger, witness }]),
  )
  return {
    setWitnesses(given) {
      read = given
    },
  }
}
