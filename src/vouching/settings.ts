import { z } from 'zod'

/** How others are asked to vouch for the log. Who the witnesses are stands in `log.policy`. Times in milliseconds. */
export const witnessSettings = z.strictObject({
  every_ms: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(5_000)
    .describe('how often a witness is asked about a ledger that grew'),
  timeout_ms: z.int().min(100).max(60_000).default(5_000),
  refresh_ms: z
    .int()
    .min(1_000)
    .default(3_600_000)
    .describe('how often it is asked again about one that did not: the new time says that the log still stands so'),
  ca_file: z.string().optional().describe('PEM file with the certificates to trust instead of those of the system'),
  allow_metadata_addresses: z.boolean().default(false),
})
export type WitnessSettings = z.output<typeof witnessSettings>
