import { decodeHash } from '../log/base64.ts'
import { type LedgerName, isLedgerName, openRecord } from '../record/record.ts'

/** What the first record of a later generation says of the ledger that was closed before it. */
export interface Loss {
  of: LedgerName
  size: number
  root: Uint8Array
  /** What had been signed, as far as somebody knew: the records [size, signedSize) are lost. */
  signedSize: number
}

/** Undefined for any other record. */
export function readLoss(record: Uint8Array): Loss | undefined {
  const { fields } = openRecord(record)
  const { kind, of, size, root, signed } = fields
  if (kind !== 'loss' || typeof of !== 'string' || !isLedgerName(of) || typeof root !== 'string') return undefined
  const hash = decodeHash(root)
  const signedSize = typeof signed === 'object' && signed !== null && 'size' in signed ? signed.size : undefined
  if (!isSize(size) || !isSize(signedSize) || hash === undefined) return undefined
  return { of, size, root: hash, signedSize }
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value)

/** For people. */
export const printLoss = ({ size, signedSize }: Pick<Loss, 'size' | 'signedSize'>, by: LedgerName): string =>
  `closed with a loss at ${size}, signed up to ${signedSize}, as ${by} says`
