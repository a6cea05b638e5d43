import { z } from 'zod'

/**
 * Where artifacts are kept. No secret stands here: credentials come from files or from where the S3 client looks for them anyway
 * (AWS_ACCESS_KEY_ID and its like, shared files, the machine's own role).
 */

const httpUrl = z
  .url({ protocol: /^https?$/ })
  .refine((url) => !/[?#@]/.test(url), 'has a query, fragment or credentials: leave them out')

const mebibyte = 1_048_576

export const s3Settings = z
  .strictObject({
    bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'is no name of a bucket'),
    /** Begins every key; a slash at its end is up to you. */
    prefix: z
      .string()
      .regex(/^(?!\/)[A-Za-z0-9!_.*'()/-]{0,200}$/, 'begins with a slash or has a character that keys should not have')
      .default(''),
    endpoint: httpUrl.optional(),
    region: z.string().min(1).optional(),
    /** Bucket in the path instead of the host name: what most servers but Amazon's want. */
    path_style: z.boolean().default(false),
    access_key_id: z.string().min(1).optional(),
    secret_access_key_file: z.string().min(1).optional(),
    profile: z.string().min(1).optional(),
    ca_file: z.string().min(1).optional(),
    /** Link-local and cloud metadata addresses are refused: requests carry a signature, and objects what was measured. */
    allow_metadata_addresses: z.boolean().default(false),
    /** Every object is stored with this retention; the bucket must have Object Lock. */
    object_lock: z
      .strictObject({ mode: z.enum(['governance', 'compliance']), days: z.int().min(1).max(36_500) })
      .optional(),
    /** Objects beyond this go up in parts of this size. */
    part_bytes: z
      .int()
      .min(5 * mebibyte)
      .max(512 * mebibyte)
      .default(8 * mebibyte),
    /** Silence on a connection that ends a request. */
    timeout_ms: z.int().min(100).default(30_000),
  })
  .superRefine(({ access_key_id, secret_access_key_file, profile }, context) => {
    const missing = access_key_id === undefined ? 'access_key_id' : 'secret_access_key_file'
    if ((access_key_id === undefined) !== (secret_access_key_file === undefined))
      context.addIssue({ code: 'custom', path: [missing], message: 'is missing: give both or none' })
    if (profile !== undefined && access_key_id !== undefined)
      context.addIssue({ code: 'custom', path: ['profile'], message: 'is given besides access_key_id: choose one' })
  })
export type S3Settings = z.output<typeof s3Settings>

export const artifactSettings = z.strictObject({ s3: s3Settings.optional() })

/** Plain data: a parse worker opens the same storage by it. `folder` is the storage itself, or where what goes to S3 waits for its name. */
export interface ObjectsSettings {
  folder: string
  s3?: S3Settings | undefined
}
