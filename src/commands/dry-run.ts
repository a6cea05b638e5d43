import { relative, resolve } from 'node:path'
import { describeFile } from '../producer/dry-run.ts'
import { expandFiles } from '../producer/files.ts'
import { count } from './count.ts'
import { printTable, type ExitCode, type Terminal } from './terminal.ts'

/** `push --dry-run`: one object a file with --json, one line a file without; no service is asked. 1 when one would be refused, 3 when incomplete. */
export async function dryRun(
  files: readonly string[],
  options: { format?: string; section?: string; strip?: string; root?: string },
  terminal: Terminal,
): Promise<ExitCode> {
  const rows: string[][] = []
  let [refused, incomplete] = [false, false]
  const cwd = process.cwd()
  for (const path of await expandFiles(files, cwd)) {
    const file = files.find((given) => resolve(cwd, given) === path) ?? relative(cwd, path) // as it was named
    const description = await describeFile(path, options)
    const { verdict, reason, format, files: measured, lines, mutants } = description
    refused ||= verdict === 'refuse'
    incomplete ||= verdict === 'incomplete'
    if (terminal.json) terminal.print({ file, ...description }, () => '')
    else
      rows.push([
        file,
        verdict,
        format ?? '-',
        count(measured, 'file'),
        mutants === undefined
          ? `${lines.covered + lines.partial}/${lines.found} lines executed`
          : `${mutants.detected}/${mutants.detected + mutants.undetected} mutants detected`,
        reason ?? '',
      ])
  }
  if (!terminal.json) terminal.print(undefined, () => printTable(rows))
  return refused ? 1 : incomplete ? 3 : 0
}
