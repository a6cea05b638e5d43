import { type Command, Option } from 'commander'
import type { ExitCode, Terminal } from './terminal.ts'

type Run = (
  options: { json?: boolean },
  action: (terminal: Terminal, signal: AbortSignal) => Promise<ExitCode>,
) => Promise<void>

/** The options of `proofline history`; what it does is loaded when it is called. */
export function addHistoryCommands(program: Command, run: Run): void {
  program
    .command('history')
    .description('what every run said of a line, or of a file (docs/history.md)')
    .argument('<file>', 'path in the repository; with :12 or :12-20 the history of these lines')
    .option('--repository <name>', 'default: that of the checkout')
    .option('--ref <ref>', 'default: the main branch')
    .addOption(new Option('--test-type <type>', 'only these tests').choices(['unit', 'integration']))
    .option('--from <time>', 'recorded from here on: a day or a time; default: a year before the end')
    .option('--to <time>', 'recorded before this')
    .option('--at <commit>', 'the commit whose line numbers are meant; default: the newest that has the file')
    .option('--as-of <sizes>', 'as an answer prints them, or a time: the same answer as then')
    .addOption(new Option('--json', 'answer in JSON, for machines'))
    .action((file: string, options) =>
      run(options, async (terminal, signal) => (await import('./history.ts')).history(file, options, terminal, signal)),
    )
}
