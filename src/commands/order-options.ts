import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Run } from './destinations.ts'

/** What operators order about records, as cli.ts has its commands. */

const json = (): Option => new Option('--json', 'answer in JSON, for machines')
const because = (command: Command): Command =>
  command.requiredOption('--reason <text>', 'why, for who reads the record').addOption(json())

const days = (text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 365) throw new InvalidArgumentError('1 to 365 days')
  return value
}

export const ledgerOption = (what: string): Option =>
  new Option('--ledger <name>', what).choices(['unit', 'integration', 'changes', 'operations'])

const letterKinds = ['refused', 'unresolved', 'unproved', 'missing', 'duplicated', 'altered', 'foreign']

/** What a script goes by, below a command's help. */
export const exits = (codes: string): string => `\nExit codes: ${codes}; 2 and 4 as of every command.`

type About = (name: string, description: string) => Command

/** Below `proofline destinations`; `about` begins a command that takes a destination's name. */
export function addOrders(about: About, run: Run): void {
  about('redeliver', 'send a stretch of a ledger again, or what is missing')
    .addOption(ledgerOption('of which one'))
    .option('--from <seq or time>', 'the first record')
    .option('--to <seq or time>', 'the last record by its seq; a time is not included')
    .option('--missing', 'what the last comparison found missing, of all ledgers or one')
    .requiredOption('--reason <text>', 'why, for who reads the record')
    .addHelpText('after', exits('0 ordered, or nothing to order, 3 more is missing than a comparison notes'))
    .action((name: string, options) =>
      run(options, async (terminal, signal) =>
        (await import('./orders.ts')).redeliver(name, options, terminal, signal),
      ),
    )

  about('lookup', 'print the Splunk searches that tell what became of everything unresolved').action(
    (name: string, options) =>
      run(options, async (terminal, signal) => (await import('./orders.ts')).lookUp(name, terminal, signal)),
  )

  about('settle', 'settle what is unresolved by the export of these searches')
    .requiredOption('--from <file>', 'CSV as Splunk exports it')
    .option('--complete', 'the searches ended without a warning: what is not there is sent again')
    .option('--reason <text>', 'why, for who reads the record')
    .addHelpText('after', exits('0 nothing is open any more, 3 something is'))
    .action((name: string, options) =>
      run(options, async (terminal, signal) => (await import('./orders.ts')).settle(name, options, terminal, signal)),
    )

  about('estimate', 'what it would get a day, from what was recorded lately')
    .option('--days <days>', 'how many days are looked at; default 7', days)
    .action((name: string, options) =>
      run(options, async (terminal, signal) =>
        (await import('./orders.ts')).estimated(name, options, terminal, signal),
      ),
    )

  about('moved', 'the address in the configuration is the same SIEM as before')
    .requiredOption('--reason <text>', 'why, for who reads the record')
    .action((name: string, options) =>
      run(options, async (terminal, signal) => (await import('./orders.ts')).move(name, options, terminal, signal)),
    )
}

const chosen = (command: Command): Command =>
  command
    .option('--destination <name>', 'only those of this destination')
    .addOption(ledgerOption('only those of this ledger'))
    .addOption(new Option('--kind <kind>', 'only those of this kind').choices(letterKinds))

export function addDeadLetters(program: Command, run: Run): void {
  const letters = program.command('dead-letters').description('records that wait for a decision, by destination')
  chosen(
    letters.command('list', { isDefault: true }).description('what waits, with its reason; --json has the answers'),
  )
    .addOption(json())
    .addHelpText('after', exits('0 there is none, 1 there is one'))
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./orders.ts')).deadLetters(options, terminal, signal)),
    )
  for (const [word, description] of [
    ['retry', 'send them again: parked records, and what a comparison found missing'],
    ['discard', 'take them off the list for good'],
  ] as const) {
    because(chosen(letters.command(word).description(description)))
      .argument('[letters...]', 'their names, as the list shows them; else all that the options choose')
      .action((names: string[], options) =>
        run(options, async (terminal, signal) =>
          (await import('./orders.ts')).decide(word, names, options, terminal, signal),
        ),
      )
  }
}
