import { differenceAnswer } from '../api/difference.ts'
import { withQuery } from '../producer/client.ts'
import { findPlace } from './contract-place.ts'
import { differenceMarkdown, printDifference } from './print-difference.ts'
import type { ExitCode, Terminal } from './terminal.ts'
import { ask } from './watch.ts'

export interface DifferenceCommand {
  repository?: string
  definition?: string
  asOf?: string
  markdown?: boolean
}

/** 1 when the numbers differ, as of `diff`. */
export async function difference(
  a: string,
  b: string,
  { repository: named, definition, asOf, markdown }: DifferenceCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const repository = named ?? (await findPlace(undefined, {})).repository
  const query = { repository, a: toSubject(a, definition), b: toSubject(b, definition), as_of: asOf }
  const answer = await ask(differenceAnswer, { method: 'GET', path: withQuery('/v1/reports/difference', query), signal }) // oxfmt-ignore
  if (markdown === true) await terminal.write(differenceMarkdown(answer))
  else terminal.print(answer, () => printDifference(answer))
  return answer.difference.found === 0 && answer.difference.executed === 0 ? 0 : 1
}

/** What a person types: the beginning of a commit, or a run, without saying what it is. */
export function toSubject(text: string, definition: string | undefined): string {
  const [name = ''] = text.split(';')
  const kind = /^[0-9a-f]{7,64}$/.test(name) ? 'commit:' : /^[^:/]+\.(?:unit|integration)$/.test(name) ? 'run:' : ''
  const isSaid = definition === undefined || text.includes(';definition=')
  return `${kind}${text}${isSaid ? '' : `;definition=${definition}`}`
}
