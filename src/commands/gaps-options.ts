import { type Command, Option } from 'commander'
import { exits } from './order-options.ts'
import type { ExitCode, Terminal } from './terminal.ts'

type Run = (
  options: { json?: boolean },
  action: (terminal: Terminal, signal: AbortSignal) => Promise<ExitCode>,
) => Promise<void>

const json = (): Option => new Option('--json', 'answer in JSON, for machines')
const asOf = ['--as-of <sizes>', 'as an answer prints them, or a time: the same answer as then'] as const

/** The options of `proofline gaps` and `proofline repositories`; what they do is loaded when they are called. */
export function addGapCommands(program: Command, run: Run): void {
  program
    .command('gaps')
    .description('commits, times and days without evidence, against what the contract promised (docs/gaps.md)')
    .option('--repository <name>', 'default: that of the checkout')
    .option('--ref <ref>', 'only this ref; default: those that the contract tracks')
    .option('--from <time>', 'recorded from here on: a day or a time; default: a year before the end')
    .option('--to <time>', 'recorded before this')
    .option(...asOf)
    .addOption(json())
    .addHelpText('after', exits('0 nothing is missing, 1 a required suite broke its cadence'))
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./gaps.ts')).gaps(options, terminal, signal)),
    )

  program
    .command('repositories')
    .description('of every repository the last run of each suite, contract, mode and owners (docs/gaps.md)')
    .option('--silent [time]', 'only those that sealed no run for so long: 12h; 7d without a value')
    .option(...asOf)
    .addOption(json())
    .addHelpText('after', exits('0 done, with --silent: none is silent; 1 with --silent: some are'))
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./gaps.ts')).repositories(options, terminal, signal)),
    )
}
