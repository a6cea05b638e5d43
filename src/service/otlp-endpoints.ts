import { type Config, ConfigError } from '../config.ts'
import { AddressRefused, allowedAddresses } from '../network/guard.ts'

/**
 * OpenTelemetry's exporters make their own connections, with the headers of OTEL_EXPORTER_OTLP_HEADERS, so where they lead is looked at
 * once, at the start, and not at each connection. Rejects with ConfigError for a metadata address.
 */
export async function checkOtlpEndpoints({ otlp, telemetry }: Config): Promise<void> {
  if (telemetry.allow_metadata_addresses) return
  for (const { name, url } of otlp) {
    const whole = url.includes('://') ? url : `http://${url}`
    if (!URL.canParse(whole)) continue // the exporter says so
    const host = new URL(whole).hostname.replace(/^\[(.*)\]$/, '$1')
    try {
      await allowedAddresses(host)
    } catch (error) {
      // A name that cannot be resolved yet is the exporter's to try again.
      if (error instanceof AddressRefused) throw new ConfigError(`${name}: ${error.message}`)
    }
  }
}
