/**
 * Why bytes that claim to come from a log are not accepted.
 * - `malformed`: not of the form that the specification prescribes, found before any cryptography
 * - `key_invalid`: a verifier or private key that must not be used
 * - `bad_signature`: a signature that names a known key and does not verify
 * - `no_trusted_signature`: well formed, but signed by no key that is known here
 * - `retired_key`: rightly signed, by a key whose word does not count for this size (any more)
 * - `origin_mismatch`: a checkpoint of another log
 */
export type LogErrorCode =
  | 'malformed'
  | 'key_invalid'
  | 'bad_signature'
  | 'no_trusted_signature'
  | 'retired_key'
  | 'origin_mismatch'

export class LogError extends Error {
  override readonly name = 'LogError'
  readonly code: LogErrorCode

  constructor(code: LogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/**
 * A size, index or time in a foreign text: decimal without leading zeroes, through BigInt, so that no digit is lost before the bound
 * is checked. Positions beyond 2^53-1 are refused: nothing here could count with them. Throws LogError `malformed`.
 */
export function parseDecimal(text: string, what: string): number {
  if (!/^(0|[1-9][0-9]{0,19})$/.test(text))
    throw new LogError('malformed', `${what} is not a decimal number: ${JSON.stringify(text)}`)
  if (BigInt(text) > BigInt(Number.MAX_SAFE_INTEGER)) throw new LogError('malformed', `${what} is too large: ${text}`)
  return Number(text)
}
