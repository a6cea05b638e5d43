import { z } from 'zod'
import { duration } from '../delivery/duration.ts'

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

/** RFC 3161 authorities that stamp checkpoints. */
export const timestampSettings = z.strictObject({
  authorities: z
    .array(
      z.strictObject({
        url: z
          .url({ protocol: /^https?$/ })
          .refine((url) => !/[#@]/.test(url), 'has a fragment or credentials: leave them out'),
        ca_file: z
          .string()
          .describe('PEM file with the root (or the intermediate) of the certificate that signs its tokens'),
        tls_ca_file: z.string().optional().describe('the same for its TLS, where the system does not trust it'),
      }),
    )
    .default([]),
  every: duration.default('1h'),
  timeout_ms: z.int().min(100).max(120_000).default(20_000),
  allow_metadata_addresses: z.boolean().default(false),
})
export type TimestampSettings = z.output<typeof timestampSettings>
