import type { z } from 'zod'
import { type GapsAnswer, type RepositoriesAnswer, gapsAnswer, repositoriesAnswer } from '../api/gaps.ts'
import { withQuery } from '../producer/client.ts'
import { findPlace } from './contract-place.ts'
import { printGaps, printRepositories } from './print-gaps.ts'
import type { ExitCode, Terminal } from './terminal.ts'
import { ask } from './watch.ts'

export interface GapsCommand {
  repository?: string
  ref?: string
  from?: string
  to?: string
  asOf?: string
}

/** 1 when a suite that is required has a cadence and did not keep it. */
export async function gaps(
  { repository: named, ref, from, to, asOf }: GapsCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const repository = named ?? (await findPlace(undefined, {})).repository
  const path = withQuery('/v1/gaps', { repository, ref, from, to, as_of: asOf })
  const answer: GapsAnswer = await ask(gapsAnswer, { method: 'GET', path, signal })
  terminal.print(answer, () => printGaps(answer))
  const broken = answer.suites.some(
    ({ required, cadence, missing }) => required === true && typeof cadence === 'string' && missing > 0,
  )
  return broken ? 1 : 0
}

export interface RepositoriesCommand {
  silent?: string | true
  asOf?: string
}

const usualSilence = '7d'
const namesAtOnce = 500

/** All of them, page by page, each as of the same sizes. 1 when --silent found some. */
export async function repositories(
  { silent: told, asOf }: RepositoriesCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const silent = told === true ? usualSilence : told
  let whole: RepositoriesAnswer | undefined
  do {
    const query = { silent, after: whole?.next ?? undefined, limit: namesAtOnce, as_of: whole?.as_of ?? asOf }
    const page: z.output<typeof repositoriesAnswer> = await ask(repositoriesAnswer, { method: 'GET', path: withQuery('/v1/repositories', query), signal }) // oxfmt-ignore
    whole = { ...page, repositories: [...(whole?.repositories ?? []), ...page.repositories] }
    terminal.progress(`${whole.repositories.length} repositories`)
  } while (whole.next !== null)
  const answer = whole
  terminal.print(answer, () => printRepositories(answer, silent))
  return silent !== undefined && answer.repositories.length > 0 ? 1 : 0
}
