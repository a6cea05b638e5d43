import { isDeepStrictEqual } from 'node:util'
import type { SealRequest } from '../api/runs.ts'
import type { Counting } from './shards.ts'
import { fitEarlier } from './submissions.ts'

/** Pure: a run that has ended, and another request to end it. */

/**
 * What the seal that stands has otherwise than it is asked for, beside outcome and test totals. `counting` is what the request would count:
 * earlier attempts that are named and not needed make no difference.
 */
export function whatSealLacks(
  run: string,
  seal: Readonly<Record<string, unknown>>,
  { parts: expected, earlier = [] }: SealRequest,
  counting: Counting,
): string[] {
  const lacks: string[] = []
  const shards = Number(seal['shards'] ?? seal['parts']) // parts that say nothing of shards are one each
  if (expected !== undefined && shards < expected)
    lacks.push(`${shards} shards, not the ${expected} that are asked for`)
  if (earlier.length > 0) {
    const { shown, digest } = fitEarlier(run, counting)
    const stands = { shown: seal['earlier'] ?? [], digest: seal['earlier_digest'] }
    // As JSON, since the seal was read back from it: what is undefined is not there.
    if (!isDeepStrictEqual(toJson({ shown, digest }), toJson(stands)))
      lacks.push(
        `parts of ${runsOf(stands.shown)}, where with ${earlier.join(', ')} those of ${runsOf(shown)} would count`,
      )
  }
  return lacks
}

const toJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

function runsOf(entries: unknown): string {
  const named = entries as { run: string }[] // written by sealSubmission
  return named.length === 0 ? 'no earlier attempt' : [...new Set(named.map(({ run }) => run))].join(', ')
}
