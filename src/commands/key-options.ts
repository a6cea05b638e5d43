import { Argument, type Command, InvalidArgumentError, Option } from 'commander'
import type { Run } from './destinations.ts'
import { exits } from './order-options.ts'
import { addProducerCommands } from './producer-options.ts'

/** The options of `proofline key`; what they do is loaded when it is called. */

const size = (text: string): number => {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text)) throw new InvalidArgumentError('a size of the log')
  return Number(text)
}

export function addKeyCommands(program: Command, run: Run): void {
  const key = program.command('key').description('the keys that sign (docs/signing.md)')
  const json = (): Option => new Option('--json', 'answer in JSON, for machines')
  const about = (name: string, description: string): Command =>
    key
      .command(name)
      .description(description)
      .addArgument(
        new Argument('<of>', 'whose key: a ledger, or that of everything signed which is no checkpoint').choices(['unit', 'integration', 'changes', 'operations', 'statement']),
      )
      .requiredOption('--reason <text>', 'why, for who reads the record')
      .addOption(json()) // oxfmt-ignore

  key
    .command('list')
    .description('every verifier key there ever was, with the sizes for which it is to be believed')
    .addOption(json())
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./keys.ts')).listKeys(terminal, signal)),
    )

  about('rotate', 'let a new key sign beside the newest one, from now on')
    .option('--at-once', 'retire the old one in the same step: for a key that was stolen')
    .option('--vkey <vkey>', 'the new key, where signer.command signs')
    .addHelpText('after', exits('0 rotated, 1 refused'))
    .action((of: string, options) =>
      run(options, async (terminal, signal) => (await import('./keys.ts')).rotate(of, options, terminal, signal)),
    )

  about('retire', 'let the key before the newest one sign no more')
    .option('--until <size>', 'the first size that it does not sign; default: the next one', size)
    .addHelpText('after', exits('0 retired, 1 refused or none to retire'))
    .action((of: string, options) =>
      run(options, async (terminal, signal) => (await import('./keys.ts')).retire(of, options, terminal, signal)),
    )

  key
    .command('adopt')
    .description('let a guard that was brought back from a backup take over what its keys signed since')
    .requiredOption('--reason <text>', 'why, for who reads the record')
    .option('--config <file>', 'configuration file, default proofline.yaml where there is one')
    .option('--data-dir <folder>', 'data folder, default .proofline')
    .addOption(json())
    .addHelpText('after', exits('0 adopted, or nothing to adopt; 1 what is published does not continue it'))
    .action((options) => run(options, async (terminal) => (await import('./adopt.ts')).adopt(options, terminal)))

  addProducerCommands(key, run)

  key
    .command('vkey')
    .description('print the verifier key of a public key, as a KMS gives it (PEM); needs no service')
    .argument('<name>', 'public host/org/ledger, or public host/org/statement')
    .argument('<file>', 'PEM of an Ed25519 public key; - for standard input')
    .addOption(json())
    .action((name: string, file: string, options) =>
      run(options, async (terminal) => (await import('./keys.ts')).printOf(name, file, terminal)),
    )
}
