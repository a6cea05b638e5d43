import { join } from './bytes.ts'
import { tryInput } from './outcome.ts'
import type { FuzzTarget } from './target.ts'

const maxTries = 3_000

/** Leaves out what is not needed for a finding of this kind: halves, quarters, down to single bytes. */
export async function minimise(
  target: FuzzTarget,
  input: Uint8Array,
  what: string,
  onInput: (input: Uint8Array) => void,
): Promise<Uint8Array> {
  const firstLine = (text: string): string => text.split('\n', 2).join('\n').replaceAll(/\d+/g, '').slice(0, 60)
  let now = input
  let tries = 0
  for (let size = Math.ceil(now.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < now.length && tries < maxTries;) {
      const shorter = join(now.subarray(0, at), now.subarray(at + size))
      onInput(shorter)
      const { kind, sign } = await tryInput(target, shorter)
      tries += 1
      if (kind === 'finding' && firstLine(sign) === firstLine(what)) now = shorter
      else at += size
    }
  }
  return now
}
