import { disposition as dispositionShape, dispositionList } from '../api/dispositions.ts'
import { withQuery } from '../producer/client.ts'
import type { DispositionTarget } from '../record/changes.ts'
import { Problem } from '../record/problem.ts'
import { type TestType, testTypes } from '../record/record.ts'
import { wholeCommit } from './commit-name.ts'
import { findPlace } from './contract-place.ts'
import { defined } from './decision-place.ts'
import { type ListCommand, listQuery } from './deployed.ts'
import { printBy } from './print-by.ts'
import { oneLine, printTable, type ExitCode, type Terminal } from './terminal.ts'
import { ask } from './watch.ts'

/** `proofline dispose`, `proofline dispositions`. */

export interface DisposeCommand {
  note: string
  verdict?: string
  until?: string
  repository?: string
  commit?: string
}

export async function dispose(
  text: string,
  { note, verdict, until, repository, commit }: DisposeCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const target = parseTarget(text)
  const isOfNone = target.kind === 'alert' || target.kind === 'dead_letter'
  const place = isOfNone && repository === undefined ? undefined : await findPlace(undefined, repository === undefined ? {} : { repository }) // oxfmt-ignore
  const of = repository ?? place?.repository ?? '*'
  const named =
    commit === undefined ? place?.checkout?.commit : await wholeCommit(commit, place?.checkout?.folder ?? process.cwd())
  const version = 'path' in target ? defined({ commit: named }) : {}
  const body = defined({ repository: of, target: { ...target, ...version }, note, verdict, until })
  const answer = await ask(dispositionShape, { method: 'POST', path: '/v1/dispositions', body, signal })
  terminal.print(answer, () => `${oneLine(`${answer.subject}: ${answer.note}`)}\n  record  ${answer.id}\n`)
  return 0
}

/** As records name it (record/change-keys.ts). */
export function parseTarget(text: string): DispositionTarget {
  const at = text.indexOf(':')
  const [kind, rest] = [text.slice(0, at), text.slice(at + 1)]
  if (at > 0 && rest !== '') {
    const [, path, lines] = /^(.+):(\d+(?:-\d+)?)$/.exec(rest) ?? []
    const [first = '', ...parts] = rest.split('/')
    const test_type = testTypes.find((one): one is TestType => one === parts[0])
    if (kind === 'lines' && path !== undefined && lines !== undefined) return { kind, path, lines }
    if (kind === 'file') return { kind, path: rest }
    if (kind === 'run') return { kind, run: rest }
    if (kind === 'gate' || kind === 'deployment') return { kind, id: rest }
    if (kind === 'alert') return { kind, alert: rest }
    if (kind === 'dead_letter' && parts.length > 0) return { kind, destination: first, id: parts.join('/') }
    if (kind === 'day' && parts.length === 0) return { kind, day: first }
    if (kind === 'day' && test_type !== undefined)
      return parts.length === 1 ? { kind, day: first, test_type } : { kind, day: first, test_type, suite: parts.slice(1).join('/') } // oxfmt-ignore
  }
  throw new Problem('request_invalid', `${text} names nothing: say deployment:ID, gate:ID, run:ID, alert:NAME, day:2026-11-20/unit/SUITE, file:PATH, lines:PATH:12-20 or dead_letter:DESTINATION/ID`) // oxfmt-ignore
}

export async function dispositions(
  { commit, ...list }: ListCommand & { commit?: string },
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const at = commit === undefined ? undefined : await wholeCommit(commit, process.cwd())
  const path = withQuery('/v1/dispositions', { ...(await listQuery(list)), commit: at })
  const answer = await ask(dispositionList, { method: 'GET', path, signal })
  terminal.print(answer, () => {
    if (answer.dispositions.length === 0) return 'no dispositions\n'
    const rows = answer.dispositions.map((one) => [
      one.recorded_at.slice(0, 19),
      oneLine(one.subject),
      one.verdict ?? '',
      one.lapsed === null ? (one.until ?? '') : `lapsed (${one.lapsed})`,
      oneLine(printBy(one.by)),
      oneLine(one.note),
    ])
    const more = answer.has_more ? `more: --before ${answer.dispositions.at(-1)?.id ?? ''}\n` : ''
    return `${printTable([['recorded', 'about', 'verdict', 'until', 'by', 'note'], ...rows])}${more}as of ${answer.as_of}\n`
  })
  return 0
}
