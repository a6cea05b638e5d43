import { type Command, InvalidArgumentError, Option } from 'commander'
import { addOrders } from './order-options.ts'
import type { ExitCode, Terminal } from './terminal.ts'

/** `proofline destinations ...` and `proofline alerts ...` as cli.ts has its commands: what a command needs is loaded when it is called. */

export type Run = (
  options: { json?: boolean },
  action: (terminal: Terminal, signal: AbortSignal) => Promise<ExitCode>,
) => Promise<void>

const json = (): Option => new Option('--json', 'answer in JSON, for machines')

const seconds = (text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('whole seconds of 1 or more are needed')
  return value
}

export function addDestinations(program: Command, run: Run): void {
  const destinations = program.command('destinations').description('the SIEMs that records are pushed to')
  const about = (name: string, description: string): Command =>
    destinations.command(name).description(description).argument('<name>', 'as in the configuration').addOption(json())

  destinations
    .command('list', { isDefault: true })
    .addOption(json())
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./ask.ts')).destinations(terminal, signal)),
    )

  about('setup', 'install pipeline, lifecycle, templates and aliases in Elasticsearch or OpenSearch')
    .option('--dry-run', 'print the requests, send none that changes anything')
    .action((name: string, options) =>
      run(options, async (terminal, signal) => (await import('./operate.ts')).setUp(name, options, terminal, signal)),
    )

  about('check', 'go through everything that delivery needs, up to a canary that is sent and found again')
    .option('--wait <seconds>', 'how long a canary is waited for; default 60', seconds)
    .action((name: string, options) =>
      run(options, async (terminal, signal) => (await import('./operate.ts')).check(name, options, terminal, signal)),
    )

  about('reconcile', 'compare it with the ledgers now: what is missing, there twice, altered or foreign').action(
    (name: string, options) =>
      run(options, async (terminal, signal) => (await import('./watch.ts')).reconcile(name, terminal, signal)),
  )

  addOrders(about, run)

  for (const [word, pause, description] of [
    ['pause', true, 'send nothing to it until it is resumed'],
    ['resume', false, 'let it go on from where it is'],
  ] as const) {
    about(word, description)
      .requiredOption('--reason <text>', 'why, for who reads the record')
      .action((name: string, options: { reason: string; json?: boolean }) =>
        run(options, async (terminal, signal) =>
          (await import('./operate.ts')).hold(name, { pause, reason: options.reason }, terminal, signal),
        ),
      )
  }
}

export function addAlerts(program: Command, run: Run): void {
  const alerts = program.command('alerts').description('what is wrong; every alert has a playbook in docs/playbooks')
  alerts
    .command('list', { isDefault: true })
    .option('--all', 'closed ones too')
    .addOption(json())
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./watch.ts')).alerts(options, terminal, signal)),
    )
  alerts
    .command('acknowledge')
    .description('somebody has seen it and takes care')
    .argument('<alert>', 'its name, as the list shows it')
    .requiredOption('--reason <text>', 'who does what about it')
    .addOption(json())
    .action((alert: string, options: { reason: string; json?: boolean }) =>
      run(options, async (terminal, signal) =>
        (await import('./watch.ts')).acknowledge(alert, options, terminal, signal),
      ),
    )
}
