import { type Command, InvalidArgumentError, Option } from 'commander'
import { addOrders, exits, ledgerOption } from './order-options.ts'
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

/** Seconds of `90s`, `10m`, `2h`. */
const timeOf = (text: string): number => {
  const [, count = '', unit = ''] = /^([1-9]\d{0,4})(s|m|h)$/.exec(text) ?? []
  const units: Record<string, number> = { s: 1, m: 60, h: 3_600 }
  const value = Number(count) * (units[unit] ?? 0)
  if (value < 10) throw new InvalidArgumentError('a time such as 90s, 10m or 2h is needed, 10s at least')
  return value
}

export function addDestinations(program: Command, run: Run): void {
  const destinations = program.command('destinations').description('the SIEMs that records are pushed to')
  const about = (name: string, description: string): Command =>
    destinations.command(name).description(description).argument('<name>', 'as in the configuration').addOption(json())

  destinations
    .command('list', { isDefault: true })
    .description('how far each is with each ledger, what is in doubt or parked, and why one takes nothing')
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
    .addHelpText('after', exits('0 all is well or a warning, 1 a step failed'))
    .action((name: string, options) =>
      run(options, async (terminal, signal) => (await import('./operate.ts')).check(name, options, terminal, signal)),
    )

  about('reconcile', 'compare it with the ledgers now: what is missing, there twice, altered or foreign')
    .addHelpText('after', exits('0 all is there once, 1 something differs, 3 it could not be asked, or not yet'))
    .action((name: string, options) =>
      run(options, async (terminal, signal) => (await import('./watch.ts')).reconcile(name, terminal, signal)),
    )

  addOrders(about, run)

  about('drill', 'hold one ledger for a while, measure what is missing there, let it go and prove that it caught up')
    .requiredOption('--reason <text>', 'why, for who reads the record')
    .addOption(ledgerOption('which one; default: whose last drill is the longest ago'))
    .option('--for <time>', 'how long it is held, such as 10m; default: as the settings say', timeOf)
    .option('--no-wait', 'begin it and go; `destinations drills` tells how it ended')
    .addHelpText('after', exits('0 it held, or was begun with --no-wait, 1 it did not, 3 it proved neither'))
    .action((name: string, options) =>
      run(options, async (terminal, signal) => (await import('./drill.ts')).drill(name, options, terminal, signal)),
    )

  destinations
    .command('drills')
    .description('drills and how they ended, newest first')
    .addOption(json())
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./drill.ts')).drills(terminal, signal)),
    )

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
    .description('those that are not closed; docs/playbooks has a page for each code, the word before the colon')
    .option('--all', 'closed ones too')
    .addOption(json())
    .addHelpText('after', exits('0 none is open, 1 one is, acknowledged or not'))
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./watch.ts')).alerts(options, terminal, signal)),
    )
  alerts
    .command('acknowledge')
    .description('somebody has seen it and takes care')
    .argument('<alert...>', 'its name, as the list shows it')
    .requiredOption('--reason <text>', 'who does what about it')
    .addOption(json())
    // Names have a space before the ledger: quoted or not, it is one name.
    .action((alert: string[], options: { reason: string; json?: boolean }) =>
      run(options, async (terminal, signal) =>
        (await import('./watch.ts')).acknowledge(alert.join(' '), options, terminal, signal),
      ),
    )
}
