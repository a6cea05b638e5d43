import { type Command, Option } from 'commander'
import type { ExitCode, Terminal } from './terminal.ts'

type Run = (
  options: { json?: boolean },
  action: (terminal: Terminal, signal: AbortSignal) => Promise<ExitCode>,
) => Promise<void>

/** The options of `proofline contract`, apart from those of the other commands; what they do is loaded when it is called. */
export function addContractCommands(program: Command, run: Run, number: (text: string) => number): void {
  const contract = program.command('contract').description('what a repository promised to measure (docs/contract.md)')
  const add = (name: string, description: string, hasFile: boolean): Command => {
    const command = contract.command(name).description(description)
    if (hasFile) command.argument('[file]', 'default: proofline.contract.yaml in the top folder of the checkout')
    return command.addOption(new Option('--json', 'answer in JSON, for machines'))
  }
  const repository = (command: Command): Command =>
    command.option('--repository <name>', 'for example github.com/acme/payments; * is the default of the org')

  repository(add('init', 'propose a contract from what was pushed', true))
    .option('--days <days>', 'how far back to look', number, 30)
    .option('--force', 'write over a file that is there')
    .action((file: string | undefined, options) =>
      run(options, async (terminal, signal) =>
        (await import('./contract-init.ts')).init(file, options, terminal, signal),
      ),
    )
  add('check', 'find out whether a file is a contract; needs no service', true).action(
    (file: string | undefined, options) =>
      run(options, async (terminal) => (await import('./contract.ts')).checkContract(file, terminal)),
  )
  repository(add('register', 'make the file the contract that stands', true))
    .option('--commit <id>', 'the commit that the file comes from')
    .option('--ref <ref>', 'the branch that it comes from')
    .option('--parent <version>', 'the version that it was made from; 0 for none', number)
    .action((file: string | undefined, options) =>
      run(options, async (terminal, signal) =>
        (await import('./contract.ts')).register(file, options, terminal, signal),
      ),
    )
  repository(add('show', 'print the contract that stands', false))
    .option('--revision <version>', 'an earlier version', number)
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./contract.ts')).show(options, terminal, signal)),
    )
  repository(add('diff', 'tell what the file changes of the contract that stands', true))
    .option('--from <version>', 'compare with this version instead', number)
    .option('--to <version>', 'compare this version instead of the file', number)
    .action((file: string | undefined, options) =>
      run(options, async (terminal, signal) => (await import('./contract.ts')).diff(file, options, terminal, signal)),
    )
}
