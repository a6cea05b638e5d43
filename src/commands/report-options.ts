import { type Command, Option } from 'commander'
import { exits } from './order-options.ts'
import type { ExitCode, Terminal } from './terminal.ts'

type Run = (
  options: { json?: boolean },
  action: (terminal: Terminal, signal: AbortSignal) => Promise<ExitCode>,
) => Promise<void>

/** The options of `proofline report`; what it does is loaded when it is called. */
export function addReportCommands(program: Command, run: Run): void {
  program
    .command('report')
    .description(
      'what the tests of a commit or a period executed, and all that speaks against the number (docs/reports.md)',
    )
    .argument('[commit]', 'a commit, or how its id begins; default: that of the checkout')
    .option('--build <build>', 'of the commit that was built as this')
    .option('--deployment <id>', 'of what was deployed, before it was')
    .option('--from <time>', 'of a period: a day or a time; default: a year before its end')
    .option('--to <time>', 'of a period: until then; default: the end of the last day')
    .option('--ref <ref>', 'of a period; default: the main branch')
    .option('--repository <name>', 'default: that of the checkout')
    .option('--files <prefix>', 'list only files whose paths begin so')
    .option('--as-of <sizes>', 'as an answer prints them, or a time: the same answer as then')
    .addOption(
      new Option('--issue', 'sign it and put it on record; its bytes are kept for ever').conflicts(['csv', 'markdown']),
    )
    .addOption(new Option('--json', 'answer in JSON, for machines').conflicts(['csv', 'markdown']))
    .addOption(
      new Option('--csv', 'a line for each file, definition and test type; of a period for each deployment').conflicts(
        'markdown',
      ),
    )
    .addOption(new Option('--markdown', 'short, for a pull request'))
    .addHelpText('after', exits('0 done, 3 of a commit: a suite that the contract requires has no run that counts'))
    .action((commit: string | undefined, options) =>
      run(options, async (terminal, signal) => (await import('./report.ts')).report(commit, options, terminal, signal)),
    )
}
