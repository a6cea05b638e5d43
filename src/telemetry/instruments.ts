import type { Attributes, Meter } from '@opentelemetry/api'

/** Of the names and labels of all metrics; on each of them. It changes when one of them changes its meaning. */
const schemaVersion = '1'

export type Readings = Iterable<readonly [number | undefined, Attributes]>

/** Instruments on every meter given (ours for /metrics, OpenTelemetry's for OTLP); with none they do nothing. */
export interface Instruments {
  counter(name: string, description: string): (count: number, attributes: Attributes) => void
  histogram(name: string, description: string, boundaries: number[]): (value: number, attributes: Attributes) => void
  /** Read at collection. */
  gauge(name: string, description: string, read: () => Readings | Promise<Readings>): void
}

export function createInstruments(meters: readonly Meter[]): Instruments {
  const label = (attributes: Attributes): Attributes => ({ ...attributes, schema_version: schemaVersion })
  return {
    counter(name, description) {
      const all = meters.map((meter) => meter.createCounter(name, { description }))
      return (count, attributes) => all.forEach((one) => one.add(count, label(attributes)))
    },
    histogram(name, description, explicitBucketBoundaries) {
      const all = meters.map((meter) =>
        meter.createHistogram(name, { description, advice: { explicitBucketBoundaries } }),
      )
      return (value, attributes) => all.forEach((one) => one.record(value, label(attributes)))
    },
    gauge(name, description, read) {
      for (const meter of meters) {
        meter.createObservableGauge(name, { description }).addCallback(async (result) => {
          for (const [value, attributes] of await read())
            if (value !== undefined) result.observe(value, label(attributes))
        })
      }
    },
  }
}

export const secondsBuckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60]
export const delayBuckets = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400]
