import { type Command, Option } from 'commander'
import { exits } from './order-options.ts'
import type { ExitCode, Terminal } from './terminal.ts'

type Run = (
  options: { json?: boolean },
  action: (terminal: Terminal, signal: AbortSignal) => Promise<ExitCode>,
) => Promise<void>

/** The options of `proofline difference`; what it does is loaded when it is called. */
export function addDifferenceCommands(program: Command, run: Run): void {
  program
    .command('difference')
    .description('why two numbers of executed lines disagree, in steps that add up exactly (docs/difference.md)')
    .argument(
      '<a>',
      'a commit (as git takes it here) or a run; or commit:, build:, deployment:, run:, suite:COMMIT/TEST_TYPE/NAME',
    )
    .argument('<b>', 'likewise; behind either ;definition=D, ;test_type=T, ;files=production|all')
    .option('--repository <name>', 'default: that of the checkout')
    .option('--definition <name>', 'of both, where they do not say')
    .option('--as-of <sizes>', 'as an answer prints them, or a time: the same answer as then')
    .option('--markdown', 'for an issue or a pull request')
    .addOption(new Option('--json', 'answer in JSON, for machines').conflicts('markdown'))
    .addHelpText('after', exits('0 both numbers are the same, 1 they are not'))
    .action((a: string, b: string, options) =>
      run(options, async (terminal, signal) =>
        (await import('./difference.ts')).difference(a, b, options, terminal, signal),
      ),
    )
}
