import { gateList } from '../api/gates.ts'
import { withQuery } from '../producer/client.ts'
import { askedCommit } from './commit-name.ts'
import { type ListCommand, listQuery } from './deployed.ts'
import { printBy } from './print-by.ts'
import { oneLine, printTable, type ExitCode, type Terminal } from './terminal.ts'
import { ask } from './watch.ts'

/** `proofline gates`: what was decided, newest first. */

export interface GatesCommand extends ListCommand {
  commit?: string
  build?: string
  verdict?: string
}

export async function gates(
  { commit, build, verdict, ...list }: GatesCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const of = { commit: commit === undefined ? undefined : await askedCommit(commit), build, verdict }
  const answer = await ask(gateList, { method: 'GET', path: withQuery('/v1/gates', { ...(await listQuery(list)), ...of }), signal }) // oxfmt-ignore
  terminal.print(answer, () => {
    if (answer.gates.length === 0) return `no gates\nas of ${answer.as_of}\n`
    const rows = answer.gates.map((one) => [
      one.recorded_at.slice(0, 19),
      one.override === null ? one.verdict : `${one.verdict}, overridden`,
      one.build ?? one.commit.slice(0, 12),
      one.id,
      printBy(one.by),
      oneLine([...one.reasons, ...(one.override === null ? [] : [`${one.override.reason} (${one.override.ticket})`])].join(', ')), // oxfmt-ignore
      one.dispositions.map(({ note, lapsed }) => (lapsed === undefined ? note : `(lapsed) ${note}`)).join('; '),
    ])
    const more = answer.has_more ? `more: --before ${answer.gates.at(-1)?.id ?? ''}\n` : ''
    return `${printTable([['recorded', 'verdict', 'of', 'gate', 'by', 'why', 'disposition'], ...rows.map((row) => row.map(oneLine))])}${more}as of ${answer.as_of}\n`
  })
  return 0
} // oxfmt-ignore
