import { z } from 'zod'
import { toSecret } from '../delivery/secret.ts'
import { algorithms, isSafeUrl, pattern } from './identity-settings.ts'

/** How people sign in: whose word is taken for who they are, and what that lets them do. What contradicts itself stops the start. */

const text = z.string().min(1).max(512)

const role = z.strictObject({
  claim: text.describe('of the id token; with a dot also the member of a member: realm_access.roles'),
  value: text.describe('what the claim is, or has among its values'),
  // Nobody pushes from a page: what was measured comes from CI.
  scopes: z.array(z.enum(['feed', 'audit', 'operate'])).min(1),
  repositories: z.array(pattern).min(1).max(200).optional(),
})
export type Role = z.output<typeof role>

export const loginSettings = z
  .strictObject({
    issuer: z
      .string()
      .max(512)
      .refine(isSafeUrl, 'is no https address')
      .describe('exactly as in its discovery document'),
    client_id: text,
    client_secret: z.string().min(1).transform(toSecret).optional(),
    client_secret_file: text.optional(),
    request_scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'is no scope'))
      .default(['openid'])
      .refine((names) => names.includes('openid'), 'are without openid')
      .describe('what is asked of the issuer; some give groups for a scope of that name only'),
    algorithms: z.array(z.enum(algorithms)).min(1).default(['RS256']),
    roles: z.array(role).min(1).max(100).describe('the first that somebody has is theirs'),
    session_hours: z.number().min(0.1).max(24).default(8),
    leeway_s: z.int().min(0).max(300).default(30),
    timeout_ms: z.int().min(100).max(30_000).default(5_000).describe('to ask the issuer'),
    ca_file: text.optional().describe('PEM file with the certificates to trust instead of those of the system'),
    allow_metadata_addresses: z.boolean().default(false),
  })
  .refine((value) => value.client_secret === undefined || value.client_secret_file === undefined, {
    path: ['client_secret'],
    message: 'and client_secret_file exclude each other',
  })
export type LoginSettings = z.output<typeof loginSettings>
