import { LogError, parseDecimal } from './log-error.ts'
import { parseVkey, printKeyId, printVkey } from './vkey.ts'
import type { VerifierKey } from './vkey.ts'

/**
 * A key and the sizes for which it is believed: one line of text, `<vkey>[ from=<size>][ until=<size>]`. A log that rotates its key has two
 * lines that overlap: checkpoints in between carry both signatures. Whoever steals the old key later can sign nothing at `until` or beyond.
 */
export interface TrustedKey extends VerifierKey {
  /** Smallest size that it may sign; absent: 0. */
  from?: number
  /** It signs sizes below this one; absent: it is not retired. */
  until?: number
}

export function printTrustedKey({ from, until, ...key }: TrustedKey): string {
  return `${printVkey(key)}${from === undefined ? '' : ` from=${from}`}${until === undefined ? '' : ` until=${until}`}`
}

/** Reads exactly what `printTrustedKey` prints. Throws LogError. */
export function parseTrustedKey(line: string): TrustedKey {
  const [vkey = '', ...rest] = line.split(' ')
  const key: TrustedKey = parseVkey(vkey)
  const [from, until, ...more] = [take(rest, 'from='), take(rest, 'until='), ...rest]
  if (more.length > 0) throw new LogError('key_invalid', `behind a verifier key stand from= and until=, not ${more[0]}`)
  if (from !== undefined && until !== undefined && from > until)
    throw new LogError('key_invalid', `the key ${key.name} is retired before it begins`)
  return { ...key, ...(from === undefined ? {} : { from }), ...(until === undefined ? {} : { until }) }
}

/** The keys of a file with one a line; empty lines and those that begin with # are for people. Throws LogError. */
export function parseTrustedKeys(text: string): TrustedKey[] {
  const lines = text.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && !line.startsWith('#')).map(parseTrustedKey)
}

/** Whether the key's word counts for a tree of `size`. */
export const isValidAt = ({ from = 0, until = Infinity }: TrustedKey, size: number): boolean =>
  from <= size && size < until

/** Says, for people, why the word of these keys does not count at `size`. */
export function describeInvalid(keys: readonly TrustedKey[], size: number): string {
  return keys
    .map((key) => {
      const name = `${key.name}+${printKeyId(key.id)}`
      return size >= (key.until ?? Infinity)
        ? `retired key ${name}: it signs sizes below ${key.until}, this is ${size}`
        : `key ${name} signs sizes from ${key.from ?? 0} on, this is ${size}`
    })
    .join('; ')
}

function take(parts: string[], name: string): number | undefined {
  const [first] = parts
  if (first?.startsWith(name) !== true) return undefined
  parts.shift()
  return parseDecimal(first.slice(name.length), `${name} of a key`)
}
