import { type Command, InvalidArgumentError, Option } from 'commander'
import type { ExitCode, Terminal } from './terminal.ts'

/** The options of `push` and `seal`, apart from those of the other commands; what they do is loaded when it is called. */

type Run = (
  options: { json?: boolean },
  action: (terminal: Terminal, signal: AbortSignal) => Promise<ExitCode>,
) => Promise<void>

const each = (text: string, before: string[] | undefined): string[] => [...(before ?? []), text]
const testType = (): Option =>
  new Option('--test-type <type>', 'which ledger: the two are kept apart').choices(['unit', 'integration'])
const suite = (): Option => new Option('--suite <name>', 'name of the test suite').default('default')
const outcome = (what: string): Option =>
  new Option('--outcome <outcome>', what).choices(['completed', 'failed', 'aborted'])
const junit = (): Option =>
  new Option('--junit <glob>', 'count the tests in JUnit XML files; may be repeated').argParser(each)
const tests = (): Option => new Option('--tests <total,passed,failed,skipped>', 'the test totals themselves')
const statement = (): Option =>
  new Option('--statement <keyfile>', 'sign what is sent with this key (`proofline key producer create`)')
const retryFor = (number: (text: string) => number): Option =>
  new Option(
    '--retry-for <seconds>',
    'how long to try again while the service is unavailable; default 60, or 5 for one on this machine',
  ).argParser(number)
const parts = (what: string): Option =>
  new Option('--parts <count>', what).argParser((text) => {
    if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('a whole number from 1 to 9999 is needed')
    return Number(text)
  })

export function addPushCommands(program: Command, run: Run, number: (text: string) => number): void {
  program
    .command('push')
    .description('record coverage reports: declare the run, send inventory, line maps and parts, seal it')
    .argument('[files...]', 'coverage reports, or patterns of them; gzip and zstd are taken as they are')
    .addOption(testType())
    .addOption(suite())
    .option('--run <name>', 'name of the run where CI gives none or several are needed; suite and test type are added')
    .option('--build <name>', 'the build that these tests belong to')
    .option('--part <name>', 'name of the part; default the path of the file')
    .addOption(parts('how many pushes make up the run: it ends with the last; default what CI says of parallel jobs'))
    .option('--shard <name>', 'which of them this is, where CI does not tell; stands behind the path as path#shard')
    .addOption(junit())
    .addOption(tests())
    .addOption(outcome('how the tests ended; default failed where the test totals say so, else completed'))
    .option('--repository <name>', 'for example github.com/acme/payments')
    .option('--commit <id>', 'the commit that was tested')
    .option('--ref <ref>', 'for example refs/heads/main')
    .option('--stage <name>', 'stage of the pipeline')
    .option('--environment <name>', 'environment that the tests ran against')
    .option('--format <name>', 'format of the reports, only where it cannot be told from them')
    .option('--section <name>', "which suite of a report that has several (SimpleCov), or '*' for all of them together")
    .option('--strip <prefix>', 'prefix to take off every path in the reports')
    .option('--root <folder>', 'folder of the checkout as the reports name it')
    .option('--configuration <file>', 'a file that decides what is measured; may be repeated', each)
    .option('--flags <flags>', 'flags that the coverage tool was given; may be repeated', each)
    .option('--backfill', 'an old report, with --commit: recorded as such, never as on time')
    .option('--occurred-at <time>', 'when its tests ran (RFC 3339), with --backfill')
    .option('--no-fetch', 'never fetch commits that line maps need and a shallow clone lacks')
    .option('--no-seal', 'leave the run open for more parts; end it with `proofline seal`')
    .option(
      '--atomic',
      'one small report in one request, durable once it is answered: for machines that may die at any moment',
    )
    .addOption(statement())
    .option('--receipt <file>', 'write the receipt with its proofs, for `proofline verify`')
    .option('--dry-run', 'tell what would be recorded, without a service')
    .addOption(
      new Option(
        '--on-unavailable <what>',
        'when the service cannot be reached; default spool with --spool, else fail',
      ).choices(['fail', 'spool', 'warn']),
    )
    .option('--spool <folder>', 'keep the run there when the service cannot be reached')
    .option('--drain <folder>', 'send the runs that were spooled there; they are flagged late')
    .addOption(retryFor(number))
    .option('--json', 'answer in JSON, for machines')
    .action((files: string[], options) =>
      run(options, async (terminal, signal) => (await import('./push.ts')).push(files, options, terminal, signal)),
    )

  program
    .command('seal')
    .description('end a run that several jobs pushed to, or one that was pushed with --no-seal')
    .option('--run <name>', 'name or id of the run; default the one of this CI run')
    .addOption(testType().makeOptionMandatory())
    .addOption(suite())
    .addOption(parts('how many shards it must have; exit 3 while there are fewer'))
    .option(
      '--earlier <run>',
      'name or id of an earlier attempt whose parts count for shards that were not run again; default what CI says',
      each,
    )
    .addOption(junit())
    .addOption(tests())
    .addOption(
      outcome('how the tests ended; default the worst of its shards, and failed where totals given here say so'),
    )
    .addOption(statement())
    .option('--repository <name>', 'with --statement, where the run is of another than that of this checkout')
    .option('--commit <id>', 'with --statement, where the run is of another than what is checked out')
    .addOption(retryFor(number))
    .option('--json', 'answer in JSON, for machines')
    .action((options) =>
      run(options, async (terminal, signal) => (await import('./seal.ts')).seal(options, terminal, signal)),
    )
}
