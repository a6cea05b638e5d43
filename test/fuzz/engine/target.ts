import type { Random } from './random.ts'

/** One reader of bytes from outside, with what holds for it whatever the bytes are. */
export interface FuzzTarget<T = unknown> {
  name: string
  /** What of src it calls, or calls through, as `log/note parseNote`: `complete.test.ts` looks for what nobody reaches. */
  reaches: readonly string[]
  /** Good inputs: each is taken. */
  corpus(): readonly (string | Uint8Array)[]
  /** Words of the format, beside those of the corpus. */
  dictionary?: readonly string[]
  /**
   * The closed list of refusals: codes of a Problem or LogError, names of other errors, `undefined` for an answer of undefined. Anything else that
   * is thrown is a finding, above all a TypeError or RangeError.
   */
  refusals: readonly string[]
  read(input: Uint8Array, random: Random): T | Promise<T>
  /** Throws when what was read is not what the input says, or breaks an invariant. */
  check?(read: T, input: Uint8Array, random: Random): void | Promise<void>
  /** In `npm test`, where it is not 300. */
  rounds?: number
  /** One of the two cannot happen. */
  never?: 'taken' | 'refused'
}

/** Lets `read` say what `check` gets. */
export const target = <T>(one: FuzzTarget<T>): FuzzTarget => one as FuzzTarget
