import { type Command, InvalidArgumentError, Option } from 'commander'
import { exits } from './order-options.ts'
import type { ExitCode, Terminal } from './terminal.ts'

type Run = (
  options: { json?: boolean },
  action: (terminal: Terminal, signal: AbortSignal) => Promise<ExitCode>,
) => Promise<void>

const json = (): Option => new Option('--json', 'answer in JSON, for machines')
const repository = (command: Command): Command =>
  command.option('--repository <name>', 'default: that of the checkout or the CI job')

const duration = (text: string): number => {
  const [, count = '', unit = ''] = /^(\d{1,5})(s|m|h)$/.exec(text) ?? []
  const seconds = { s: 1, m: 60, h: 3_600 }[unit]
  if (seconds === undefined) throw new InvalidArgumentError('a time such as 90s or 10m')
  return Number(count) * seconds
}
const page = (text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 200) throw new InvalidArgumentError('1 to 200')
  return value
}

/** The options of what is decided about the software; what the commands do is loaded when they are called. */
export function addGateCommands(program: Command, run: Run): void {
  const gate = repository(
    program
      .command('gate')
      .description('decide whether a commit may go on, by the contract and what was measured (docs/gates.md)')
      .argument('[commit]', 'default: the one that is checked out')
      .option('--build <name>', 'the build that goes on, instead of a commit; default: that of the CI job'),
  )
    .option('--base <commit>', 'what changed lines are counted against; default: the commit before on a tracked ref')
    .option('--wait <time>', 'how long to wait for suites that are missing, such as 10m', duration)
    .addOption(json())
    .addHelpText('after', exits('0 pass or overridden, or the contract only observes; 1 fail; 3 incomplete'))
    .action((commit: string | undefined, options) =>
      run(options, async (terminal, signal) => (await import('./gate.ts')).gate(commit, options, terminal, signal)),
    )
  gate
    .command('override')
    .description('let go on what a gate did not let pass; the decision stays what it was')
    .argument('<gate>', 'id of the decision')
    .requiredOption('--reason <text>', 'why, for who reads the record')
    .requiredOption('--ticket <id>', 'where it was asked for')
    .addOption(json())
    // --json is an option of both, and the first of them takes it wherever it stands.
    .action((id: string, options) =>
      run({ json: options.json ?? gate.opts()['json'] }, async (terminal, signal) =>
        (await import('./gate.ts')).override(id, options, terminal, signal),
      ),
    )

  repository(
    program
      .command('deployed')
      .description('record a deployment with the gate decision that stands (docs/gates.md)')
      .argument('[commit]', 'default: the one that is checked out')
      .option('--build <name>', 'the build that was deployed, instead of a commit; default: that of the CI job'),
  )
    .option('--environment <name>', 'where to; default: what the CI job says')
    .option('--id <name>', 'its name, once for ever; default in CI: <provider>.<pipeline run>.<environment>')
    .option('--artifact <sha256>', 'digest of what was deployed, such as that of an image')
    .option('--url <url>', 'where it can be looked at; default: the CI job')
    .option('--deployed-at <time>', 'when (RFC 3339), where it is not now')
    .addOption(json())
    .action((commit: string | undefined, options) =>
      run(options, async (terminal, signal) => (await import('./deployed.ts')).deployed(commit, options, terminal, signal)),
    ) // oxfmt-ignore

  ofSubject(
    list(
      program
        .command('gates')
        .description('what was decided whether commits may go on, with what overrode it, newest first'),
    ),
  )
    .addOption(new Option('--verdict <verdict>', 'only these').choices(['pass', 'fail', 'incomplete']))
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./gates.ts')).gates(options, terminal, signal)),
    )

  ofSubject(
    list(
      program.command('deployments').description('what was deployed, with the gate decision that stood, newest first'),
    ),
  )
    .option('--environment <name>', 'only there')
    .addOption(
      new Option('--decision <decision>', 'only these').choices(['pass', 'fail', 'incomplete', 'none', 'overridden']),
    ) // oxfmt-ignore
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./deployed.ts')).deployments(options, terminal, signal)),
    )

  repository(
    program
      .command('dispose')
      .description('say on record what is to be thought of something; changes no number (docs/gates.md)')
      .argument('<target>', 'deployment:ID, gate:ID, run:ID, alert:NAME, day:2026-11-20[/unit[/SUITE]], file:PATH, lines:PATH:12-20 or dead_letter:DESTINATION/ID'),
  )
    .requiredOption('--note <text>', 'what is said')
    .addOption(new Option('--verdict <verdict>', 'in one word').choices(['accepted', 'false_positive', 'planned']))
    .option('--until <day>', 'the last day on which it holds')
    .option('--commit <id>', 'of a file or lines: the version that is meant, an id or what git takes for one; default: the one that is checked out')
    .addOption(json())
    .action((target: string, options) =>
      run(options, async (terminal, signal) => (await import('./dispose.ts')).dispose(target, options, terminal, signal)),
    ) // oxfmt-ignore

  list(program.command('dispositions').description('what was said so, newest first'))
    .option(
      '--commit <id>',
      'tell which notes on files still hold at this commit: an id, or what git takes for one here',
    )
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./dispose.ts')).dispositions(options, terminal, signal)),
    )
}

function ofSubject(command: Command): Command {
  return command
    .option('--commit <commit>', 'only of this one: an id, its beginning, or what git takes for one here')
    .option('--build <name>', 'only of this build')
}

function list(command: Command): Command {
  return repository(command)
    .option('--all', 'of all repositories that the token may see')
    .option('--from <time>', 'recorded from here on: a day or a time')
    .option('--to <time>', 'recorded before this')
    .option('--as-of <sizes>', 'as an answer prints them, or a time: the same answer as then')
    .option('--before <id>', 'the next page: the id of the last one of the page before')
    .option('--limit <count>', 'how many; default 50', page)
    .addOption(json())
}
