import { type Command, Option } from 'commander'
import type { ExitCode, Terminal } from './terminal.ts'

type Run = (
  options: { json?: boolean },
  action: (terminal: Terminal, signal: AbortSignal) => Promise<ExitCode>,
) => Promise<void>

const each = (text: string, before: string[] | undefined): string[] => [...(before ?? []), text]

/** The options of `proofline witness`; what it does is loaded when it is called. */
export function addWitnessCommands(program: Command, run: Run): void {
  program
    .command('witness')
    .description('cosign the logs of others, and refuse one that forks (docs/witnesses.md); needs no database')
    .requiredOption('--state <folder>', 'where the last head of each log is remembered; one process at a time')
    .requiredOption('--log <vkey or file>', 'a log to cosign: its verifier key, or a file with one a line', each)
    .option('--listen <address>', 'address and port to listen on', '127.0.0.1:7380')
    .option('--key <file>', 'the private key, made at the first start; default <state>/witness.key')
    .option('--name <name>', 'name of the key that is made; default witness.<host name>')
    .addOption(new Option('--json', 'answer in JSON, for machines'))
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./witness.ts')).witness(options, terminal, signal)),
    )
}
