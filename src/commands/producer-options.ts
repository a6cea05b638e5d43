import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Run } from './destinations.ts'
import { exits } from './order-options.ts'

/** The options of `proofline key producer`; what they do is loaded when it is called. */

const days = (text: string): number => {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('a whole number of days')
  return Number(text)
}
const names = (text: string, before: string[] | undefined): string[] => [
  ...(before ?? []),
  ...text.split(',').filter(Boolean),
]

export function addProducerCommands(key: Command, run: Run): void {
  const producer = key
    .command('producer')
    .description('keys of CI systems without OIDC, which sign what they push (docs/identity.md)')
  const about = (command: Command): Command =>
    command
      .option('--config <file>', 'configuration file, default proofline.yaml where there is one')
      .option('--data-dir <folder>', 'data folder, default .proofline')
      .addOption(new Option('--json', 'answer in JSON, for machines'))

  about(producer.command('create'))
    .description('make a key and show its private part once, for `push --statement`')
    .argument('[label]', 'what it is for')
    .requiredOption('--repository <names>', 'the repositories that it may push for', names)
    .option('--days <days>', 'how long it is valid, default 365', days)
    .option('--out <file>', 'write the private key there (0600) instead of showing it')
    .option('--public-key <file>', 'PEM of a key that was made elsewhere; - for standard input')
    .addHelpText('after', exits('0 made, 2 refused'))
    .action((label: string | undefined, options) =>
      run(options, async (terminal) =>
        (await import('./producers.ts')).createProducer(
          { ...options, ...(label === undefined ? {} : { label }) },
          terminal,
        ),
      ),
    )

  about(producer.command('list'))
    .description('every producer there ever was')
    .addHelpText('after', exits('0'))
    .action((options) =>
      run(options, async (terminal) => (await import('./producers.ts')).listProducers(options, terminal)),
    )

  about(producer.command('revoke'))
    .description('believe a key no more; what it pushed stays')
    .argument('<id>', 'as `list` shows it')
    .addHelpText('after', exits('0 revoked, 1 unknown or revoked before'))
    .action((id: string, options) =>
      run(options, async (terminal) => (await import('./producers.ts')).revokeProducer({ ...options, id }, terminal)),
    )
}
