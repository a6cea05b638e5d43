import type { Attributes } from '@opentelemetry/api'
import type { Instruments } from './instruments.ts'

const differenceKinds = ['missing', 'duplicated', 'altered', 'foreign'] as const

/** What one look at everything saw. Times of the world in milliseconds since 1970, `expiresAt` in microseconds as certificates have it. */
export interface Watched {
  lanes: readonly { destination: string; ledger: string; state: string; parked: number }[]
  /** What the newest comparison of each lane found. */
  comparisons: readonly (Readonly<Record<(typeof differenceKinds)[number], number>> & {
    destination: string
    ledger: string
    atMs: number
  })[]
  certificates: readonly { subject: string; expiresAt: number }[]
  /** When a drill of each destination held last; undefined for never. */
  drills: readonly { destination: string; heldMs: number | undefined }[]
  /** Alerts that are opened or acknowledged; undefined while nobody counts them here. */
  openAlerts: number | undefined
}

export interface WatchMetrics {
  /**
   * A whole look takes the place of the one before: what is shown, configured or drilled no more is told no more. Undefined when this process
   * looks no more: another one does, and an old number would look like a new one.
   */
  watched(seen: Watched | undefined): void
  /** Records of a lane that wait for a person, as it changes between two looks. */
  parked(destination: string, ledger: string, count: number): void
}

const nothing: Watched = { lanes: [], comparisons: [], certificates: [], drills: [], openAlerts: undefined }

export function createWatchMetrics({ gauge }: Instruments, now: () => Date): WatchMetrics {
  let seen = nothing
  const parkings = new Map<string, { labels: Attributes; count: number }>()
  const secondsSince = (atMs: number): number => (now().getTime() - atMs) / 1_000

  gauge('proofline_parked_records', 'Records that wait for a person', () =>
    [...parkings.values()].map(({ labels, count }) => [count, labels]),
  )
  gauge('proofline_destination_state', '1 for the state that a destination is in', () =>
    seen.lanes.map(({ destination, ledger, state }) => [1, { destination, ledger, state }]),
  )
  gauge('proofline_differences', 'Records that differ at a destination, by the newest comparison', () =>
    seen.comparisons.flatMap(({ destination, ledger, ...counts }) =>
      differenceKinds.map((kind): readonly [number, Attributes] => [counts[kind], { destination, ledger, kind }]),
    ),
  )
  gauge('proofline_comparison_age_seconds', 'Since a destination was compared', () =>
    seen.comparisons.map(({ destination, ledger, atMs }) => [secondsSince(atMs), { destination, ledger }]),
  )
  gauge('proofline_alerts_open', 'Alerts that are opened or acknowledged', () => [[seen.openAlerts, {}]])
  gauge('proofline_certificate_days', 'Until a certificate expires', () =>
    seen.certificates.map(({ subject, expiresAt }) => [
      -secondsSince(expiresAt / 1_000) / 86_400,
      { certificate: subject },
    ]),
  )
  gauge('proofline_drill_age_seconds', 'Since a drill of the destination held', () =>
    seen.drills.map(({ destination, heldMs }) => [
      heldMs === undefined ? undefined : secondsSince(heldMs),
      { destination },
    ]),
  )

  const parked = (destination: string, ledger: string, count: number): void =>
    void parkings.set(`${destination} ${ledger}`, { labels: { destination, ledger }, count })
  return {
    watched(told = nothing) {
      seen = told
      parkings.clear()
      for (const lane of told.lanes) parked(lane.destination, lane.ledger, lane.parked)
    },
    parked,
  }
}
