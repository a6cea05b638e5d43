import { hash } from 'node:crypto'
import { printList } from '../record/run.ts'

/** Lists that nothing bounds, in records that are bounded: as many first entries as there is room for, and the digest of the whole. */

export interface Fitted<T> {
  shown: T[]
  /** Stands in the record when something was left out; `list` is then to be kept under that digest before the record is made. */
  digest: { count: number; sha256: string } | undefined
  list: Uint8Array | undefined
}

const encoder = new TextEncoder()

/** `maxBytes` of JSON for the entries, each with its comma. */
export function fitList<T>(entries: readonly T[], maxBytes: number): Fitted<T> {
  const shown: T[] = []
  let bytes = 0
  for (const entry of entries) {
    bytes += jsonBytes(entry) + 1
    if (bytes > maxBytes) break
    shown.push(entry)
  }
  if (shown.length === entries.length) return { shown, digest: undefined, list: undefined }
  const list = printList(entries)
  return { shown, digest: { count: entries.length, sha256: hash('sha256', list, 'hex') }, list }
}

/** Bytes of a value as JSON in UTF-8. */
export function jsonBytes(value: unknown): number {
  return encoder.encode(JSON.stringify(value)).length
}

/** The beginning of a text that takes at most `maxBytes` as a JSON string, quotes included. */
export function fitText(text: string, maxBytes: number): string {
  let fitted = text
  while (jsonBytes(fitted) > maxBytes) {
    const over = jsonBytes(fitted) - maxBytes
    fitted = fitted.slice(0, fitted.length - Math.max(1, Math.floor(over / 6))).toWellFormed()
  }
  return fitted
}
