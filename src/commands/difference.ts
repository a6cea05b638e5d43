import { differenceAnswer } from '../api/difference.ts'
import { withQuery } from '../producer/client.ts'
import { askedCommit } from './commit-name.ts'
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
  const [from, to] = [await toSubject(a, definition), await toSubject(b, definition)]
  const query = { repository, a: from, b: to, as_of: asOf }
  const answer = await ask(differenceAnswer, { method: 'GET', path: withQuery('/v1/reports/difference', query), signal }) // oxfmt-ignore
  if (markdown === true) await terminal.write(differenceMarkdown(answer))
  else terminal.print(answer, () => printDifference(answer))
  return answer.difference.found === 0 && answer.difference.executed === 0 ? 0 : 1
}

/** What a person types: a commit as git takes it here, or a run, without saying what it is. */
export async function toSubject(text: string, definition: string | undefined): Promise<string> {
  const [name = ''] = text.split(';')
  if (!/^(?:commit|build|deployment|run|suite):/.test(name) && !isRun(name))
    return toSubject(`commit:${await askedCommit(name)}${text.slice(name.length)}`, definition)
  const kind = isRun(name) ? 'run:' : ''
  const isSaid = definition === undefined || text.includes(';definition=')
  return `${kind}${text}${isSaid ? '' : `;definition=${definition}`}`
}

const isRun = (name: string): boolean => /^[^:/]+\.(?:unit|integration)$/.test(name)
