import { inspect } from 'node:util'

/** A credential that prints as `[secret]` wherever it ends up: logs, errors, JSON, the console. Only `reveal` gives it away. */
export interface Secret {
  reveal(): string
  toString(): string
  toJSON(): string
}

export function toSecret(value: string): Secret {
  return Object.freeze({
    reveal: () => value,
    toString: () => '[secret]',
    toJSON: () => '[secret]',
    [inspect.custom]: () => '[secret]',
  })
}
