import { z } from 'zod'

/** The small shapes that several routes share. Strings that enter a record are bounded here (DESIGN.md section 3: 256 bytes as they stand in JSON, paths 1,024). */

const encoder = new TextEncoder()
const controls = /[\p{Cc}\u2028\u2029]/u

const plain = (text: string, maxBytes: number): boolean =>
  text.isWellFormed() && !controls.test(text) && encoder.encode(JSON.stringify(text)).length - 2 <= maxBytes

/** Any text that is put into a record: 1 to 256 bytes of UTF-8, no control characters. */
export const text = z
  .string()
  .min(1)
  .max(256)
  .refine((value) => plain(value, 256), 'at most 256 bytes of UTF-8 without control characters')

export const path = z
  .string()
  .min(1)
  .max(1024)
  .refine((value) => plain(value, 1024), 'at most 1,024 bytes of UTF-8 without control characters')

export const testType = z.enum(['unit', 'integration'])
export const ledger = z.enum(['unit', 'integration', 'changes', 'operations'])
export const ledgerName = z.string().describe('org/ledger, for example main/unit; after an accepted loss main/unit/2')

/** A git object id: SHA-1 or SHA-256. */
export const commit = z
  .string()
  .regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, 'a full git object id in lower-case hex')
  .meta({ id: 'Commit' })
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, '64 lower-case hex digits')

export const repository = text.refine((value) => !/\s/.test(value), 'a repository has no spaces in its name')

/** RFC 3339 with an offset: a local time without one is not a point in time. */
export const instant = z.iso
  .datetime({ offset: true })
  .max(40)
  .meta({
    id: 'Instant',
    override: ({ jsonSchema }) => delete jsonSchema.pattern, // zod's pattern checks leap years; format says it
  })

/** `<provider>.<pipeline run>[~<attempt>].<suite>.<unit|integration>`: the end names the ledger. */
export const runId = z
  .string()
  .max(200)
  .regex(
    /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_~-]+)+\.(?:unit|integration)$/,
    'provider.run[~attempt].suite.unit or .integration, of letters, digits, dot, hyphen, underscore and tilde',
  )
  .meta({ id: 'RunId' })

export const recordId = z
  .string()
  .max(100)
  .regex(
    /^[a-z0-9-]+\.(?:unit|integration|changes|operations)(?:\.[1-9][0-9]{0,2})?-(?:0|[1-9][0-9]{0,15})-[0-9a-f]{16}$/,
    'a record id',
  )
  .meta({ id: 'RecordId' })

export const seq = z.int().min(0)
export const count = z.int().min(0)
export const time = z.string().describe('RFC 3339 UTC with six decimals')
export const checkpoint = z.string().describe('signed note (C2SP tlog-checkpoint)')
export const span = z.object({ first: seq, last: seq, count })

/** A whole number as it stands in a query string. */
export const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^(?:-1|0|[1-9][0-9]{0,15})$/, 'a whole number')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `from ${min} to ${max}`)
    .meta({
      override: ({ jsonSchema }) =>
        Object.assign(jsonSchema, { type: 'integer', minimum: min, maximum: max, pattern: undefined }),
    })

/** Which of the generations of a ledger: there is more than one where a loss was accepted (docs/recovery.md). */
export const generation = whole(1, 999).optional().describe('of the ledger; the one that is recorded in unless told')
