import { type Command, Option } from 'commander'
import { exits } from './order-options.ts'
import type { ExitCode, Terminal } from './terminal.ts'

type Run = (
  options: { json?: boolean },
  action: (terminal: Terminal, signal: AbortSignal) => Promise<ExitCode>,
) => Promise<void>

/** The options of `proofline lineage`; what it does is loaded when it is called. */
export function addLineageCommand(program: Command, run: Run): void {
  program
    .command('lineage')
    .description('where something comes from and what came of it: commit, build, run, bytes, checkpoint, gate, deployment (docs/lineage.md)')
    .argument('<id>', 'a record id as it stands in a SIEM, a run, a commit, a build, a deployment, an attempt or a dead letter; also as build:NAME and so on')
    .option('--repository <name>', 'where several have a commit, build or deployment of this name')
    .option('--as-of <sizes>', 'as an answer prints them, or a time: the same chain as then')
    .addOption(new Option('--json', 'answer in JSON, for machines'))
    .addHelpText('after', exits('0 found, 1 not there, 4 unavailable'))
    .action((id: string, options) =>
      run(options, async (terminal, signal) => (await import('./lineage.ts')).lineage(id, options, terminal, signal)),
    )
} // oxfmt-ignore
