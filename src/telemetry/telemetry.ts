import { metrics as globalMetrics } from '@opentelemetry/api'
import type { Meter } from '@opentelemetry/api'
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import { AggregationTemporality, InstrumentType, MeterProvider } from '@opentelemetry/sdk-metrics'
import { z } from 'zod'
import { createLogger, logLevels } from './logger.ts'
import type { Logger } from './logger.ts'
import { createMetrics } from './metrics.ts'
import type { Metrics } from './metrics.ts'

export const telemetrySettings = z.strictObject({
  log: z.enum(['json', 'text']).default('json'),
  level: z.enum(logLevels).default('info'),
  allow_metadata_addresses: z.boolean().default(false),
})
export type TelemetrySettings = z.infer<typeof telemetrySettings>

export interface Telemetry {
  log: Logger
  metrics: Metrics
  /** The Prometheus text of /metrics. */
  prometheus(): Promise<string>
  /** Sends what is waiting, if anything is sent at all; never throws. */
  shutdown(): Promise<void>
}

/**
 * Where OpenTelemetry is told to send to, by the name of the variable: `http://collector:4318`, or `collector:4317` for gRPC. Empty unless
 * one of the usual variables asks for OTLP: then nothing here touches the network.
 */
export function otlpEndpoints(env: Readonly<Record<string, string | undefined>>): OtlpEndpoint[] {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return []
  const set = Object.entries(env).flatMap(([name, url]): OtlpEndpoint[] =>
    /^OTEL_EXPORTER_[A-Z_]*ENDPOINT$/.test(name) && url !== undefined && url !== '' ? [{ name, url }] : [],
  )
  return set.some(({ name }) => name.startsWith('OTEL_EXPORTER_OTLP_')) ? set : []
}

export interface OtlpEndpoint {
  name: string
  url: string
}

/**
 * Logs to stderr and keeps metrics for our own /metrics route: the exporter of OpenTelemetry would open a second server.
 * Its SDK for Node is loaded only when OTLP is asked for, since the import takes 0.7 s (these pieces: 0.15 s); it then reads the
 * variables itself and registers the global tracer, so traces begin here: start this before anything else.
 */
export async function startTelemetry(
  settings: Pick<TelemetrySettings, 'log' | 'level'> & { otlp: boolean; now?: () => Date },
): Promise<Telemetry> {
  const { now = () => new Date() } = settings
  const log = createLogger({ format: settings.log, level: settings.level, now })
  const reader = createReader()
  const provider = new MeterProvider({ readers: [reader] })
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true)
  const meters: Meter[] = [provider.getMeter('proofline')]

  let turn = Promise.resolve('')
  const print = async (): Promise<string> => {
    const { resourceMetrics, errors } = await reader.collect()
    if (errors.length > 0) log.warn('metrics.incomplete', { error: errors[0] })
    return serializer.serialize(resourceMetrics)
  }

  const sdk = settings.otlp ? await startSdk() : undefined
  if (sdk !== undefined) meters.push(globalMetrics.getMeter('proofline'))

  return {
    log,
    metrics: createMetrics(meters, now),
    prometheus() {
      // Scrapes take turns: of two at once the first would take the gauges of both.
      turn = turn.then(print, print)
      return turn
    },
    async shutdown() {
      for (const end of [() => sdk?.shutdown(), () => provider.shutdown()]) {
        await end()?.catch((error: unknown) => log.warn('telemetry.lost', { error }))
      }
    },
  }
}

/**
 * A cumulative gauge keeps every set of labels that was ever observed: a destination would be blocked and running at once, and a certificate
 * never leave. As a delta it is what its callback told just now. Counters stay sums.
 */
function createReader(): PrometheusExporter {
  const reader = new PrometheusExporter({ preventServerStart: true })
  reader.selectAggregationTemporality = (type) =>
    type === InstrumentType.OBSERVABLE_GAUGE ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE
  return reader
}

async function startSdk(): Promise<{ shutdown(): Promise<void> }> {
  const { NodeSDK } = await import('@opentelemetry/sdk-node')
  const sdk = new NodeSDK({ serviceName: 'proofline' })
  sdk.start()
  return sdk
}
