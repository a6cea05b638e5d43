import { z } from 'zod'
import { decodeHash, encodeBase64 } from '../log/base64.ts'
import type { LedgerName } from '../record/record.ts'
import { isLedgerName } from '../record/record.ts'
import { sha256Hex } from '../record/sha256.ts'

/**
 * What is said of one closed UTC day of a ledger, signed by the org's statement key: which records it holds, the files they lie in and
 * where in them, the root of the tree at the day's end with a checkpoint that covers it, and how it continues the day before. A day without
 * records has one too, so that absence is something somebody signed.
 */

export const dayPayloadType = 'application/vnd.proofline.day+json'
const schema = 'proofline.day.v1'

export const recordsFile = 'records.ndjson.zst'
export const leavesFile = 'leaves.bin'
export const manifestFile = 'manifest.json'

export interface DayManifest {
  ledger: LedgerName
  /** `2028-02-29` */
  day: string
  origin: string
  /** Records [first, size) are the day's; size is also that of the tree at its end. */
  first: number
  size: number
  root: Uint8Array
  /** SHA-256 of the payload of the manifest of the day before; undefined for a ledger's first day. */
  previous: string | undefined
  /** Consistency of the tree of `size` with that of `first`; empty where either has no records, or they are the same. */
  consistency: readonly Uint8Array[]
  /** The first signed note that covers `size` records, and the consistency of its tree with that of `size`. */
  checkpoint: { note: string; consistency: readonly Uint8Array[] }
  files: readonly { name: string; bytes: number; sha256: string }[]
  /** Of the records file: each frame is a zstd frame of its own, so that a record is read by range. */
  frames: readonly { records: number; bytes: number }[]
}

const whole = z.int().min(0)
const hash = z.string().transform((text, context) => {
  const bytes = decodeHash(text)
  if (bytes !== undefined) return bytes
  context.addIssue({ code: 'custom', message: 'is no hash in base64' })
  return z.NEVER
})
const digest = z.string().regex(/^[0-9a-f]{64}$/)

const form = z
  .strictObject({
    schema: z.literal(schema),
    ledger: z.string().refine((name) => isLedgerName(name)),
    day: z.iso.date(),
    origin: z.string().min(1),
    first_seq: whole,
    size: whole,
    root: hash,
    previous: digest.nullable(),
    consistency: z.array(hash).max(64),
    checkpoint: z.strictObject({ note: z.string(), consistency: z.array(hash).max(64) }),
    files: z.array(z.strictObject({ name: z.enum([recordsFile, leavesFile]), bytes: whole, sha256: digest })).max(2),
    frames: z.array(z.tuple([z.int().min(1).max(1_024), z.int().min(1)])),
  })
  .refine(({ first_seq, size, frames }) => frames.reduce((sum, [n]) => sum + n, first_seq) === size, {
    message: 'the frames do not hold the records of the day',
  })
  .refine(({ frames, files }) => files.length === (frames.length === 0 ? 0 : 2), {
    message: 'the files are not those of the day',
  })

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The same manifest always gives the same bytes. */
export function printManifest(manifest: DayManifest): Uint8Array {
  const { ledger, day, origin, first, size, root, previous, consistency, checkpoint, files, frames } = manifest
  return encoder.encode(
    JSON.stringify({
      schema,
      ledger,
      day,
      origin,
      first_seq: first,
      size,
      root: encodeBase64(root),
      previous: previous ?? null,
      consistency: consistency.map(encodeBase64),
      checkpoint: { note: checkpoint.note, consistency: checkpoint.consistency.map(encodeBase64) },
      files: files.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 })),
      frames: frames.map(({ records, bytes }) => [records, bytes]),
    }),
  )
}

/** Throws with what is wrong. There is one accepted form: what `printManifest` prints. */
export function parseManifest(payload: Uint8Array): DayManifest {
  const read = form.parse(JSON.parse(decoder.decode(payload)))
  const manifest: DayManifest = {
    ledger: read.ledger as LedgerName, // refined above
    day: read.day,
    origin: read.origin,
    first: read.first_seq,
    size: read.size,
    root: read.root,
    previous: read.previous ?? undefined,
    consistency: read.consistency,
    checkpoint: read.checkpoint,
    files: read.files,
    frames: read.frames.map(([records, bytes]) => ({ records, bytes })),
  }
  if (decoder.decode(printManifest(manifest)) !== decoder.decode(payload))
    throw new Error('a manifest that is printed in another way')
  return manifest
}

/** By which the next day's manifest, and the ledger, name it. */
export function manifestDigest(payload: Uint8Array): string {
  return sha256Hex(payload)
}

/** Where the files of a day lie in the archive. */
export function dayKey(ledger: LedgerName, day: string, file: string): string {
  return `archive/${ledger}/${day.replaceAll('-', '/')}/${file}`
}
