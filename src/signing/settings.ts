import { z } from 'zod'

/** Where the keys of the logs are, and who asks them to sign (docs/signing.md). */
export const signerSettings = z.strictObject({
  socket: z.string().optional().describe('a `proofline signer` shared by several nodes'),
  socket_mode: z
    .enum(['0600', '0660'])
    .default('0600')
    .describe(
      'of the socket that `proofline signer` makes: 0660 also for its group, when the services run as another user',
    ),
  command: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      'signs with keys that are no files here: program and arguments; the verifier key is added as the last one',
    ),
  command_timeout_ms: z.int().min(100).max(60_000).default(5_000),
  rotate_after_days: z.int().min(1).default(400).describe('a key older than this is the alert key_expiring'),
})
