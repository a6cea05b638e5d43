import { LogError } from '../../../src/log/log-error.ts'
import { Problem } from '../../../src/record/problem.ts'
import { createRandom } from './random.ts'
import type { FuzzTarget } from './target.ts'

export interface Outcome {
  /** `taken`, a refusal of the target's list, or `finding`. */
  kind: string
  /** Two outcomes with one sign are of one sort; of a finding, what happened. */
  sign: string
}

/** Tries one input. Its random numbers come from the input, so that the input alone is enough to do it again. */
export async function tryInput(target: FuzzTarget, input: Uint8Array): Promise<Outcome> {
  const random = createRandom(input.reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, input.length))
  let read: unknown
  try {
    read = await target.read(Uint8Array.from(input), random)
  } catch (error) {
    const kind = refusalOf(error)
    if (!isRefusal(target, kind)) return { kind: 'finding', sign: `refused by ${kind}: ${describe(error)}` }
    return { kind, sign: `${kind} ${skeletonOf(error)}` }
  }
  if (read === undefined && target.refusals.includes('undefined')) return { kind: 'undefined', sign: 'undefined' }
  try {
    await target.check?.(read, input, random)
  } catch (error) {
    return { kind: 'finding', sign: `taken, but ${describe(error)}` }
  }
  return { kind: 'taken', sign: 'taken' }
}

/** `ZSTD_error_*` is every code that begins so. */
const isRefusal = ({ refusals }: FuzzTarget, kind: string): boolean =>
  refusals.some((one) => (one.endsWith('*') ? kind.startsWith(one.slice(0, -1)) : kind === one))

function refusalOf(error: unknown): string {
  if (error instanceof Problem || error instanceof LogError) return error.code
  if (!(error instanceof Error)) return typeof error
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))

/** The message without what the input put into it. */
const skeletonOf = (error: unknown): string =>
  String(error instanceof Error ? error.message : error).replaceAll(/"[^"]*"|\d+/g, '').slice(0, 80) // oxfmt-ignore
