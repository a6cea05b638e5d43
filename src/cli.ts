import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { addArchiveCommands } from './commands/archive-options.ts'
import { tellCrashes } from './commands/crash.ts'
import { addContractCommands } from './commands/contract-options.ts'
import { addAlerts, addDestinations } from './commands/destinations.ts'
import { addDifferenceCommands } from './commands/difference-options.ts'
import { addEvidence } from './commands/evidence-options.ts'
import { addGateCommands } from './commands/gate-options.ts'
import { addKeyCommands } from './commands/key-options.ts'
import { addFeedCommands } from './commands/feed-options.ts'
import { addGapCommands } from './commands/gaps-options.ts'
import { addHistoryCommands } from './commands/history-options.ts'
import { addLineageCommand } from './commands/lineage-options.ts'
import { addDeadLetters, exits } from './commands/order-options.ts'
import { addPushCommands } from './commands/push-options.ts'
import { addRecoverCommands } from './commands/recover-options.ts'
import { addReportCommands } from './commands/report-options.ts'
import { addSessionCommands } from './commands/session-options.ts'
import { openTerminal, type ExitCode, type Terminal } from './commands/terminal.ts'
import { version } from './commands/version.ts'
import { addWitnessCommands } from './commands/witness-options.ts'

/**
 * The `proofline` program: one line per command. What a command needs is loaded when it is called, so that `push` does not wait for the
 * server's libraries. Exit codes: 0 done, 1 no, 2 usage, 3 incomplete, 4 unavailable and safe to repeat.
 */

type Action = (terminal: Terminal, signal: AbortSignal) => Promise<ExitCode>

const program = new Command('proofline')
tellCrashes()

async function run(options: { json?: boolean }, action: Action): Promise<void> {
  const terminal = openTerminal(options.json === true)
  const stop = new AbortController()
  let stopped: 'SIGINT' | 'SIGTERM' | undefined
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (stopped !== undefined) process.exit(130) // asked twice: do not wait for anything
      stopped = name
      stop.abort(new Error(`stopped by ${name}`))
    })
  }
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0) // `proofline feed | head` has seen enough
    throw error
  })
  try {
    process.exitCode = await action(terminal, stop.signal)
  } catch (error) {
    process.exitCode = stopped === undefined ? terminal.fail(error) : stopped === 'SIGINT' ? 130 : 143
    if (stopped !== undefined) terminal.progress(undefined)
  }
}

const number = (text: string): number => {
  const value = Number(text)
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('a number of 0 or more is needed')
  return value
}
const list = (text: string, before: string[] | undefined): string[] => [
  ...(before ?? []),
  ...text.split(',').filter(Boolean),
]
const each = (text: string, before: string[] | undefined): string[] => [...(before ?? []), text]

const json = (): Option => new Option('--json', 'answer in JSON, for machines')
const configuration = (command: Command): Command =>
  command
    .option('--config <file>', 'configuration file, default proofline.yaml where there is one')
    .option('--data-dir <folder>', 'data folder, default .proofline')

program
  .description('The write-once compliance sink for code coverage')
  .version(version(), '-V, --version')
  .exitOverride()
  .showSuggestionAfterError()
  .addHelpText(
    'after',
    '\nExit codes: 0 done, 1 no, 2 usage, 3 incomplete, 4 unavailable and safe to repeat.\nThe service is found by PROOFLINE_URL and PROOFLINE_TOKEN, else on this machine.',
  )

configuration(program.command('serve').description('run the service'))
  .option('--host <address>', 'address to listen on')
  .option('--port <port>', 'port to listen on')
  .option('--public-host <name>', 'name in the origin of the log; fixed at the first start')
  .action((options) =>
    run(options, async (terminal, signal) => {
      // Starts the process anew, so before the service is loaded: that takes longer than the rest of a start, and would be done twice.
      const { keepMemorySteady } = await import('./commands/steady-memory.ts')
      // What already tells it to stop would be forgotten.
      if (!signal.aborted) keepMemorySteady()
      return (await import('./commands/serve.ts')).serve(options, terminal, signal)
    }),
  )

configuration(program.command('signer').description('run the signer that several services share'))
  .option('--socket <path>', 'Unix socket to listen on')
  .option('--socket-mode <mode>', '0600, or 0660 for services that run as another user of the same group')
  .option('--public-host <name>', 'name in the origin of the log; fixed at the first start')
  .action((options) =>
    run(options, async (terminal, signal) => (await import('./commands/signer.ts')).signer(options, terminal, signal)),
  )

addPushCommands(program, run, number)

addContractCommands(program, run, number)
addHistoryCommands(program, run)
addGateCommands(program, run)
addDifferenceCommands(program, run)
addLineageCommand(program, run)
addReportCommands(program, run)
addGapCommands(program, run)
addArchiveCommands(program, run)

addEvidence(program, run)
addKeyCommands(program, run)
addWitnessCommands(program, run)
addRecoverCommands(program, run)

addFeedCommands(program, run)

program
  .command('artifact')
  .description('the reports themselves')
  .command('get')
  .description('fetch the bytes that a part was made from')
  .argument('<sha256>', 'digest, as in the receipt')
  .option('-o, --output <file>', 'default: standard output')
  .action((sha256: string, options) =>
    run(options, async (terminal, signal) =>
      (await import('./commands/ask.ts')).artifactGet(sha256, options, terminal, signal),
    ),
  )

program
  .command('status')
  .description('what is recorded, published and delivered')
  .addOption(json())
  .action((options) =>
    run(options, async (terminal, signal) => (await import('./commands/ask.ts')).status(terminal, signal)),
  )

addDestinations(program, run)
addDeadLetters(program, run)
addAlerts(program, run)

configuration(program.command('verify').description('find out whether records are what the signed log says'))
  .argument(
    '[target]',
    'a receipt of `push --receipt`, an evidence pack, a folder of day files, or the address of a service; default the service found here',
  )
  .option('--database', 'verify the database itself')
  .option('--ca <file>', 'for a pack: certificates (PEM) of the time-stamping authorities that are believed')
  .option(
    '--policy <file>',
    'the tlog-policy whose logs, witnesses and quorum are believed: for a pack, a service, a published copy',
  )
  .option('--published <folder or url>', 'verify a published copy of the logs: no service, no credential')
  .option('--max-age <seconds>', 'fail when the newest record or cosignature is older', number)
  .option('--key <vkey or file>', 'whose signatures are believed; default <data folder>/keys/*.vkey', each)
  .option('--since <file>', 'remember verified checkpoints here, and demand that the log extends them')
  .option('--org <name>', 'the org', 'main')
  .option('--ledger <names>', 'only these ledgers', list)
  .addOption(json())
  .addHelpText('after', exits('0 all is as it was signed, 1 something differs, 3 something could not be found out'))
  .action((target: string | undefined, options) =>
    run(options, async (terminal, signal) =>
      (await import('./commands/verify.ts')).verify(target, options, terminal, signal),
    ),
  )

const token = program.command('token').description('tokens of people, SIEMs and CI jobs, kept in the database')
configuration(token.command('create'))
  .argument('[label]', 'what it is for')
  .option('--scope <scopes>', 'push, feed, audit, operate; several with commas', list)
  .option(
    '--repository <names>',
    'only these, such as github.com/acme/payments or github.com/acme/*; several with commas',
    list,
  )
  .option('--days <days>', 'how long it is valid', number)
  .addOption(json())
  .action((label: string | undefined, options) =>
    run(options, async (terminal) =>
      (await import('./commands/access.ts')).token(
        { action: 'create', ...(label === undefined ? {} : { label }), ...options },
        terminal,
      ),
    ),
  )
configuration(token.command('list'))
  .addOption(json())
  .action((options) =>
    run(options, async (terminal) =>
      (await import('./commands/access.ts')).token({ action: 'list', ...options }, terminal),
    ),
  )
configuration(token.command('revoke'))
  .argument('<id>', 'as `token list` shows it')
  .addOption(json())
  .action((id: string, options) =>
    run(options, async (terminal) =>
      (await import('./commands/access.ts')).token({ action: 'revoke', id, ...options }, terminal),
    ),
  )

addSessionCommands(program, run)

configuration(program.command('migrate').description('bring the database to the newest schema'))
  .addOption(json())
  .action((options) =>
    run(options, async (terminal) => (await import('./commands/maintain.ts')).migrate(options, terminal)),
  )

configuration(
  program.command('rebuild').description('drop what is derived from the ledgers and make it anew (docs/history.md)'),
)
  .addOption(json())
  .action((options) =>
    run(options, async (terminal, signal) =>
      (await import('./commands/maintain.ts')).rebuild(options, terminal, signal),
    ),
  )

configuration(program.command('config').description('show the configuration in force, without its secrets'))
  .addOption(json())
  .action((options) =>
    run(options, async (terminal) => (await import('./commands/maintain.ts')).showConfig(options, terminal)),
  )

program
  .command('openapi')
  .description('print the description of the public routes')
  .option('--write <file>', 'write it there')
  .option('--check <file>', 'fail when that file is not up to date')
  .action((options) =>
    run(options, async (terminal) => (await import('./commands/maintain.ts')).openapi(options, terminal)),
  )

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  // Commander has said what is wrong; what it says for --help and --version is no error.
  process.exitCode = error.exitCode === 0 ? 0 : 2
}
