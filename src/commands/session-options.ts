import { type Command, Option } from 'commander'
import type { Run } from './destinations.ts'
import { exits } from './order-options.ts'

/** The options of `proofline session`; what they do is loaded when it is called. */
export function addSessionCommands(program: Command, run: Run): void {
  const session = program.command('session').description('sessions of people who signed in (docs/access.md)')
  const about = (command: Command): Command =>
    command
      .option('--config <file>', 'configuration file, default proofline.yaml where there is one')
      .option('--data-dir <folder>', 'data folder, default .proofline')
      .addOption(new Option('--json', 'answer in JSON, for machines'))

  about(session.command('list'))
    .description('who is signed in')
    .option('--all', 'also those that ended within 30 days')
    .addHelpText('after', exits('0'))
    .action((options) =>
      run(options, async (terminal) => (await import('./sessions.ts')).listOfSessions(options, terminal)),
    )

  about(session.command('revoke'))
    .description('end a session')
    .argument('<id>', 'as `list` shows it')
    .addHelpText('after', exits('0 revoked, 1 unknown, or ended before'))
    .action((id: string, options) =>
      run(options, async (terminal) => (await import('./sessions.ts')).revokeSession({ ...options, id }, terminal)),
    )
}
