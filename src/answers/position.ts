import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { Problem } from '../record/problem.ts'
import { type LedgerKind, type LedgerName, generationOf, ledgerKindOf, ledgerKinds } from '../record/record.ts'

/**
 * Places in ledgers as callers hold them. A cursor is opaque and authenticated: version (1 byte), next seq (8), SHA-256 of what it is bound
 * to (8), HMAC-SHA-256 over all that (16). It is bound to ledger and filters, since the same seq under other filters would skip records
 * that were never shown. It grants nothing: the credential does.
 */
export interface Cursors {
  print(binding: CursorBinding, next: number): string
  /** The next seq; throws Problem cursor_invalid for anything not printed here for this very binding. */
  parse(binding: CursorBinding, text: string): number
  /** The same; undefined for one that was printed here for another binding. */
  find(binding: CursorBinding, text: string): number | undefined
  /** A strong entity tag for content that `parts` determine for ever; only who holds the key can print one. */
  tag(parts: readonly unknown[]): string
}

export interface CursorBinding {
  ledger: LedgerName
  kinds?: readonly string[]
  repository?: string
  until?: string
}

const version = 1
const macBytes = 16
const bodyBytes = 17

export function createCursors(key: Uint8Array): Cursors {
  const mac = (purpose: string, bytes: Uint8Array | string): Buffer =>
    createHmac('sha256', key).update(`proofline.${purpose}.v1\0`).update(bytes).digest().subarray(0, macBytes)

  const find = (binding: CursorBinding, text: string): number | undefined => {
    const bytes = Buffer.from(text, 'base64url')
    // Decoding skips what is not base64url, so a cursor must come out as it went in.
    if (bytes.length !== bodyBytes + macBytes || bytes.toString('base64url') !== text) {
      throw new Problem('cursor_invalid', 'this is not a cursor')
    }
    const body = bytes.subarray(0, bodyBytes)
    if (body[0] !== version || !timingSafeEqual(bytes.subarray(bodyBytes), mac('cursor', body))) {
      throw new Problem('cursor_invalid', 'this cursor was not issued by this service')
    }
    return body.subarray(9).equals(digest(binding)) ? Number(body.readBigUInt64BE(1)) : undefined
  }

  return {
    print(binding, next) {
      const body = Buffer.alloc(bodyBytes)
      body[0] = version
      body.writeBigUInt64BE(BigInt(next), 1)
      body.set(digest(binding), 9)
      return Buffer.concat([body, mac('cursor', body)]).toString('base64url')
    },
    find,
    parse(binding, text) {
      const next = find(binding, text)
      if (next !== undefined) return next
      throw new Problem(
        'cursor_invalid',
        'this cursor was issued for another ledger or other filters (kind, repository, until)',
      )
    },
    tag: (parts) => `"${mac('tag', JSON.stringify(parts)).toString('base64url')}"`,
  }
}

function digest({ ledger, kinds = [], repository, until }: CursorBinding): Buffer {
  const canonical = JSON.stringify([ledger, kinds.toSorted(), repository ?? null, until ?? null])
  return createHash('sha256').update(canonical).digest().subarray(0, 8)
}

/**
 * Sizes of the ledgers that an answer was computed from. Of each kind the newest generation that counts: those before it count whole, which
 * were closed with a loss and never change, and those behind it not at all.
 */
export type AsOf = Partial<Record<LedgerKind, { generation: number; size: number }>>

export function toAsOf(sizes: readonly { ledger: LedgerName; size: number }[]): AsOf {
  const asOf: AsOf = {}
  for (const { ledger, size } of sizes) {
    const [kind, generation] = [ledgerKindOf(ledger), generationOf(ledger)]
    const known = asOf[kind]
    // One state has one spelling: a generation in which nothing is yet is not named.
    if (known === undefined || (size > 0 && generation > known.generation)) asOf[kind] = { generation, size }
  }
  return asOf
}

/** Of one ledger; `whole` is the size of a generation that counts whole. Undefined when nothing is said of its kind. */
export function sizeAsOf(asOf: AsOf, ledger: LedgerName, whole: number): number | undefined {
  const named = asOf[ledgerKindOf(ledger)]
  if (named === undefined) return undefined
  const behind = generationOf(ledger) - named.generation
  return behind === 0 ? named.size : behind < 0 ? whole : 0
}

/** `unit:184471,integration:99210,changes:513`, of a later generation `unit/2:17`: always in this order, so that one state has one spelling. */
export function printAsOf(asOf: AsOf): string {
  const printed: string[] = []
  for (const kind of ledgerKinds) {
    const named = asOf[kind]
    if (named !== undefined)
      printed.push(`${kind}${named.generation === 1 ? '' : `/${named.generation}`}:${named.size}`)
  }
  return printed.join(',')
}

/** Reads exactly what `printAsOf` prints; undefined for anything else. */
export function parseAsOf(text: string): AsOf | undefined {
  const asOf: AsOf = {}
  for (const item of text.split(',')) {
    const match = /^([a-z]+)(?:\/([1-9]\d{0,2}))?:(0|[1-9]\d{0,15})$/.exec(item)
    const kind = ledgerKinds.find((name) => name === match?.[1])
    const size = Number(match?.[3])
    if (kind === undefined || !Number.isSafeInteger(size)) return undefined
    asOf[kind] = { generation: Number(match?.[2] ?? 1), size }
  }
  return printAsOf(asOf) === text ? asOf : undefined
}
