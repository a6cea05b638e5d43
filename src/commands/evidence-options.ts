import { type Command, InvalidArgumentError, Option } from 'commander'
import type { ExitCode, Terminal } from './terminal.ts'

type Run = (
  options: { json?: boolean },
  action: (terminal: Terminal, signal: AbortSignal) => Promise<ExitCode>,
) => Promise<void>

const names = (text: string): string[] => text.split(',').filter(Boolean)
const whole = (text: string): number => {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('a whole number of 0 or more is needed')
  return Number(text)
}

/** The options of `proofline evidence`; what it does is loaded when it is called. */
export function addEvidence(program: Command, run: Run): void {
  program
    .command('evidence')
    .description('pack the evidence of a period for an auditor (docs/evidence.md)')
    .requiredOption('--from <time>', 'the period begins here: a day (UTC) or RFC 3339')
    .option('--to <time>', 'and ends before this; default: up to the newest record')
    .option('--repository <name>', 'only this repository')
    .option('--path <path>', 'the history of this file')
    .option('--lines <range>', 'of these lines of it: 12 or 12-20')
    .option('--commit <id>', 'only runs of this commit')
    .option('--build <name>', 'only runs of this build')
    .option('--deployment <id>', 'only what this deployment rests on: runs of its commit, gates, notes')
    .option('--sample <runs>', 'how many runs are drawn and packed whole; 25 unless told', whole)
    .option('--seed <value>', 'what they are drawn from; root unless told: neither side chooses')
    .option('--stratify <members>', 'test_type, repository, suite, ref, outcome; test_type,repository unless told', names)
    .option('--as-of <sizes>', 'ledger sizes of an earlier pack: the same question gives the same pack')
    .requiredOption('-o, --output <file>', 'the pack; written whole or not at all')
    .addOption(new Option('--json', 'answer in JSON, for machines'))
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./evidence.ts')).evidence(options, terminal, signal)),
    )
} // oxfmt-ignore
