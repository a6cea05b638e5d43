import { type Command, Option } from 'commander'
import type { Run } from './destinations.ts'
import { exits } from './order-options.ts'

/** The options of `proofline recover`; what it does is loaded when it is called. */
export function addRecoverCommands(program: Command, run: Run): void {
  const each = (text: string, before: string[] | undefined): string[] => [...(before ?? []), text]
  const list = (text: string, before: string[] | undefined): string[] => [...(before ?? []), ...text.split(',')]
  program
    .command('recover')
    .description('put back what an older database lost, from whoever still has it (docs/recovery.md)')
    .option(
      '--from <place>',
      'a published folder or address, archive, destination:NAME; default all that are configured',
      each,
    )
    .option('--ledger <names>', 'only these ledgers', list)
    .option('--dry-run', 'look and prove, put nothing back')
    .option('--accept-loss', 'close what is not whole, and go on in its next generation: for what is nowhere, for good')
    .option('--reason <text>', 'why, with --accept-loss')
    .option('--config <file>', 'configuration file, default proofline.yaml where there is one')
    .option('--data-dir <folder>', 'data folder, default .proofline')
    .addOption(new Option('--json', 'answer in JSON, for machines'))
    .addHelpText(
      'after',
      exits('0 every ledger has what was signed, or was closed, 1 its records are others, 3 something is nowhere'),
    )
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./recover.ts')).recover(options, terminal, signal)),
    )
}
