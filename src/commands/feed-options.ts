import { type Command, Option } from 'commander'
import type { ExitCode, Terminal } from './terminal.ts'

type Run = (
  options: { json?: boolean },
  action: (terminal: Terminal, signal: AbortSignal) => Promise<ExitCode>,
) => Promise<void>

/** The options of `proofline feed` and `consumers`; what they do is loaded when they are called. */
export function addFeedCommands(program: Command, run: Run): void {
  program
    .command('feed')
    .description('print published records, one a line')
    .argument('<ledger>', 'unit, integration, changes or operations')
    .option('--cursor <cursor>', 'go on from a cursor')
    .option('--after <seq>', 'begin after this seq; -1 is the start')
    .option('--since <time>', 'begin at this time (RFC 3339)')
    .option('--until <time>', 'end before this time')
    .option('--limit <records>', 'records a page')
    .option('--kind <kinds>', 'only these kinds, separated by commas')
    .option('--repository <name>', 'only this repository')
    .option('--consumer <name>', 'a name under which the operator sees how far this reader is')
    .option('--follow', 'wait for more')
    .option('--cursor-file <file>', 'keep the position here and go on from it')
    .option(
      '--into <folder>',
      'append to files there, whose last record is the position; for collectors that follow files',
    )
    .action((ledger: string, options) =>
      run(options, async (terminal, signal) => (await import('./ask.ts')).feed(ledger, options, terminal, signal)),
    )

  const consumers = program
    .command('consumers')
    .description('who pulls the feed under a name, and how far each is (docs/feed.md)')
    .addOption(new Option('--json', 'answer in JSON, for machines'))
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./consumers.ts')).consumers(terminal, signal)),
    )
  consumers
    .command('forget')
    .description('take one that will not come again off the list; on record as a command')
    .argument('<name>', 'as the list shows it')
    .requiredOption('--reason <text>', 'why, for who reads the record')
    .addOption(new Option('--json', 'answer in JSON, for machines'))
    // --json is an option of both, and the first of them takes it wherever it stands.
    .action((name: string, options) =>
      run({ json: options.json ?? consumers.opts()['json'] }, async (terminal, signal) =>
        (await import('./consumers.ts')).forget(name, options, terminal, signal),
      ),
    )
}
