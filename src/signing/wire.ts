import { z } from 'zod'
import { decodeBase64, decodeHash, encodeBase64 } from '../log/base64.ts'
import { isLedgerName } from '../record/record.ts'

/** What passes over the signer's socket: one JSON object a line, each answer with the id of its question, in any order. */

/** A question holds at most 63 hashes of 44 characters, or a statement: 8 MiB in base64, once more in base64 with its answer. */
export const maxLineBytes = 16 * 1_048_576

const ledger = z.string().refine(isLedgerName)
const hash = z.string().transform((text, context) => {
  const bytes = decodeHash(text)
  if (bytes !== undefined) return bytes
  context.addIssue({ code: 'custom', message: 'not a hash in base64' })
  return z.NEVER
})
const bytes = z.string().transform((text, context) => {
  const decoded = decodeBase64(text)
  if (decoded !== undefined) return decoded
  context.addIssue({ code: 'custom', message: 'not base64' })
  return z.NEVER
})
// Left to the guard to judge, so any length passes here.
const anyBytes = z.string().transform((text) => decodeBase64(text) ?? new Uint8Array(0))
const proof = z.strictObject({ from: z.number(), hashes: z.array(anyBytes).max(63) })
const size = z.int().nonnegative()
const head = z.strictObject({ size, root: hash })
const id = z.int().nonnegative()
const of = z.union([ledger, z.literal('statement')])
const key = z.string().max(512)

export const questionSchema = z.discriminatedUnion('call', [
  z.strictObject({
    id,
    call: z.literal('sign'),
    ledger,
    size: z.number(),
    root: anyBytes,
    proof,
  }),
  z.strictObject({ id, call: z.literal('last'), ledger }),
  z.strictObject({ id, call: z.literal('vkey'), ledger }),
  z.strictObject({ id, call: z.literal('guardId') }),
  z.strictObject({ id, call: z.literal('signStatement'), payloadType: z.string().max(256), payload: bytes }),
  z.strictObject({ id, call: z.literal('statementVkey') }),
  z.strictObject({ id, call: z.literal('keys'), of }),
  z.strictObject({ id, call: z.literal('adopt'), ledger, note: z.string().max(100_000), proof }),
  z.strictObject({
    id,
    call: z.literal('rotate'),
    of,
    replaces: key,
    atOnce: z.boolean(),
    vkey: key.nullish(),
    at: size,
  }),
  z.strictObject({ id, call: z.literal('retire'), of, vkey: key, until: size.nullish(), at: size }),
])

export type Question = z.infer<typeof questionSchema>

/** Without its id, as a caller makes it. */
export type Call = { [C in Question['call']]: Omit<Extract<Question, { call: C }>, 'id'> }[Question['call']]

const reason = z.enum(['malformed', 'rollback', 'fork', 'inconsistent'])

export const signAnswerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('signed'), note: z.string() }),
  z.strictObject({ kind: z.literal('stale'), size, root: hash }),
  z.strictObject({ kind: z.literal('refused'), reason, last: z.nullable(head) }),
])
export const keysAnswerSchema = z.array(z.string())
export const rotationAnswerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(['changed', 'same']), keys: keysAnswerSchema }),
  z.strictObject({ kind: z.literal('refused'), reason: z.string() }),
])
export const adoptAnswerSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(['adopted', 'known', 'stale']), size }),
  z.strictObject({ kind: z.literal('refused'), reason: z.union([reason, z.literal('unsigned')]) }),
])
export const lastAnswerSchema = z.nullable(head)
export const textAnswerSchema = z.string()

export const answerSchema = z.union([
  z.strictObject({ id, guard: z.string(), answer: z.unknown() }),
  z.strictObject({ id, guard: z.string(), error: z.string() }),
])

/** One line. Bytes become base64, undefined becomes null. */
export function printLine(value: Record<string, unknown>): string {
  return `${JSON.stringify(toWire(value))}\n`
}

/** Before JSON.stringify, not by a replacer: a Buffer would reach that as its own idea of JSON. */
function toWire(value: unknown): unknown {
  if (value instanceof Uint8Array) return encodeBase64(value)
  if (Array.isArray(value)) return value.map(toWire)
  if (typeof value !== 'object' || value === null) return value ?? null
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toWire(member)]))
}

/**
 * Splits what arrives into lines; `onLine` gets each without its newline. Calls `onTooLong` once, and nothing after it. Each character is
 * looked at once, however many pieces a long line comes in.
 */
export function createLineSplitter(onLine: (line: string) => void, onTooLong: () => void): (chunk: string) => void {
  let pieces: string[] = []
  let length = 0
  let isOver = false
  return (chunk) => {
    for (let start = 0; start < chunk.length && !isOver;) {
      const end = chunk.indexOf('\n', start)
      const piece = end < 0 ? chunk.slice(start) : chunk.slice(start, end)
      length += piece.length
      if (length > maxLineBytes) {
        isOver = true
        pieces = []
        return onTooLong()
      }
      pieces.push(piece)
      if (end < 0) return
      const line = pieces.join('')
      pieces = []
      length = 0
      onLine(line)
      start = end + 1
    }
  }
}
