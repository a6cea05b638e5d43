import { type Command, Option } from 'commander'
import type { ExitCode, Terminal } from './terminal.ts'

type Run = (
  options: { json?: boolean },
  action: (terminal: Terminal, signal: AbortSignal) => Promise<ExitCode>,
) => Promise<void>

const json = (): Option => new Option('--json', 'answer in JSON, for machines')

/** `proofline archive`, `retention`, `hold`; what they do is loaded when it is called. */
export function addArchiveCommands(program: Command, run: Run): void {
  const load = () => import('./archive.ts')
  const archive = program.command('archive').description('closed days as files, read back and verified')
  archive
    .command('status', { isDefault: true })
    .description('how far each ledger is archived')
    .addOption(json())
    .action((options) => run(options, async (terminal, signal) => (await load()).archiveStatus(terminal, signal)))
  archive
    .command('run')
    .description('archive what has closed now, without waiting for the next round')
    .addOption(json())
    .action((options) =>
      run(options, async (terminal, signal) => (await load()).runNow('archive', {}, terminal, signal)),
    )

  const retention = program.command('retention').description('which months left the database, what has expired')
  retention
    .command('status', { isDefault: true })
    .description('what has passed its time, and what is kept by a hold')
    .addOption(json())
    .action((options) => run(options, async (terminal, signal) => (await load()).retentionStatus(terminal, signal)))
  retention
    .command('run')
    .description('move months and delete what has expired now, as the configuration says')
    .option('--dry-run', 'only tell what would be done')
    .option('--reason <text>', 'why, for who reads the record')
    .addOption(json())
    .action((options) =>
      run(options, async (terminal, signal) => {
        const { retentionStatus, runNow } = await load()
        return options.dryRun === true
          ? retentionStatus(terminal, signal)
          : runNow('retention', options, terminal, signal)
      }),
    )

  const hold = program.command('hold').description('keep what somebody may ask for, whatever the retention says')
  hold
    .command('list', { isDefault: true })
    .description('what is held')
    .option('--all', 'also what was released')
    .addOption(json())
    .action((options) => run(options, async (terminal, signal) => (await load()).holds(options, terminal, signal)))
  hold
    .command('add')
    .description('hold every day with records of a repository, and their artifacts')
    .requiredOption('--repository <name>', 'for example github.com/acme/payments')
    .option('--path <path>', 'what it is about; whole days are kept all the same')
    .option('--from <day>', 'first day, UTC, as 2028-02-29; without it from the first')
    .option('--to <day>', 'last day; without it for all time to come')
    .requiredOption('--reason <text>', 'why, for who reads the record')
    .requiredOption('--ticket <name>', 'where it was decided')
    .addOption(json())
    .action((options) => run(options, async (terminal, signal) => (await load()).addHold(options, terminal, signal)))
  hold
    .command('release')
    .description('ask for the release of a hold; by another person, confirm it')
    .argument('<hold>', 'its name, as the list shows it')
    .requiredOption('--reason <text>', 'why, for who reads the record')
    .addOption(json())
    .addHelpText('after', '\nExit codes: 0 released, 3 somebody else has to confirm; 1, 2 and 4 as of every command.')
    .action((name: string, options) =>
      run(options, async (terminal, signal) => (await load()).releaseHold(name, options, terminal, signal)),
    )
}
