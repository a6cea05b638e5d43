import { z } from 'zod'

/** How closely the service watches itself and its destinations. Times in milliseconds. */
export const watchSettings = z.strictObject({
  heartbeat_every_ms: z.int().min(1_000).max(3_600_000).default(300_000),
  reconcile_every_ms: z.int().min(10_000).max(86_400_000).default(900_000),
  reconcile_sample: z
    .int()
    .min(0)
    .max(10_000)
    .default(50)
    .describe('records of each ledger read back and hashed, each time'),
  alerts_every_ms: z
    .int()
    .min(1_000)
    .max(3_600_000)
    .default(60_000)
    .describe('a window: what can be transient opens after two'),
  drills_every_ms: z.int().min(100).max(600_000).default(5_000).describe('how often a drill under way is looked at'),
  evidence_every_ms: z
    .int()
    .min(100)
    .max(86_400_000)
    .default(600_000)
    .describe('how often runs, suites and contracts are looked at'),
  heads_every_ms: z
    .int()
    .min(1_000)
    .max(86_400_000)
    .default(3_600_000)
    .describe('how often each head is compared with what stands outside the database'),
  unsealed_ms: z.int().min(1_000).default(21_600_000).describe('a run without seal for longer is an alert'),
  in_doubt_ms: z.int().min(0).default(3_600_000),
  certificate_days: z.int().min(0).default(21),
  disk_free: z.number().min(0).max(1).default(0.1).describe('of the volume of the data folder'),
  webhook: z
    .strictObject({
      url: z.url({ protocol: /^https?$/ }),
      token_file: z.string().optional().describe('sent as a bearer token'),
      ca_file: z.string().optional(),
      allow_metadata_addresses: z.boolean().default(false),
    })
    .optional(),
})
export type WatchSettings = z.output<typeof watchSettings>
