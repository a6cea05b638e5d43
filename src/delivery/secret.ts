import { inspect } from 'node:util'

/** A credential that prints as `[secret]` wherever it ends up: logs, errors, JSON, the console. Only `reveal` gives it away. */
export interface Secret {
  reveal(): string
  toString(): string
  toJSON(): string
}

/** Of tokens and keys. A shorter one is as likely to be a word of an answer, out of which redact.ts could not take it. */
export const shortestCredential = 8
export const tooShort = `has fewer than ${shortestCredential} characters`

export function toSecret(value: string): Secret {
  return Object.freeze({
    reveal: () => value,
    toString: () => '[secret]',
    toJSON: () => '[secret]',
    [inspect.custom]: () => '[secret]',
  })
}
