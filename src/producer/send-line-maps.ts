import type { DeclarationAnswer, LineMapsAnswer, LineMapsQuery } from '../api/runs.ts'
import { Problem, problems } from '../record/problem.ts'
import { type Repository, compareCommits, definition, ensureCommits } from './compare.ts'

/** What became of the comparison of two commits that the service had named as missing. */
export type SentMaps = LineMapsAnswer | { from: string; to: string; failed: string }

export interface Means {
  signal: AbortSignal
  put(query: LineMapsQuery, body: Buffer): Promise<LineMapsAnswer>
  onProgress(
    step:
      | { kind: 'comparing'; from: string; to: string }
      | { kind: 'fetching'; commits: readonly string[]; remote: string },
  ): void
}

/** A network that swallows what it is sent costs one time-out of git, and not one a pair. */
const maxWaitedMs = 30_000

/**
 * Compares and sends, pair by pair, the most wanted first. Coverage is recorded with or without line maps: what git or the service cannot
 * do is told, and the next push is asked for it again. Throws only what says that the service cannot be reached, and when aborted.
 */
export async function sendLineMaps(
  pairs: DeclarationAnswer['missing']['line_maps'],
  repository: Omit<Repository, 'signal'> | undefined,
  { signal, put, onProgress }: Means,
): Promise<SentMaps[]> {
  if (repository === undefined) return []
  const place: Repository = { ...repository, signal }
  const sent: SentMaps[] = []
  let waitedMs = 0 // for fetches that failed
  for (const { from, to } of pairs) {
    try {
      onProgress({ kind: 'comparing', from, to })
      const began = performance.now()
      await ensureCommits([from, to], place, (commits, remote) => {
        if (waitedMs > maxWaitedMs) throw new Error(`${remote} did not answer before`)
        onProgress({ kind: 'fetching', commits, remote })
      }).catch((error: unknown) => {
        waitedMs += performance.now() - began
        throw error
      })
      const body = await compareCommits(from, to, place)
      sent.push(await put({ from, to, definition }, body))
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof Problem && problems[error.code].exit === 4) throw error
      sent.push({ from, to, failed: messageOf(error) })
    }
  }
  return sent
}

const messageOf = (error: unknown): string =>
  error instanceof Problem ? `${error.message} [${error.code}]` : error instanceof Error ? error.message : String(error)
