import { readEnvironment, readCi, ciRunName, earlierRunNames } from '../producer/ci.ts'
import type { Ci } from '../producer/ci-facts.ts'
import { callOf } from '../producer/client.ts'
import { warnOfFailed } from '../producer/outcome.ts'
import { findCheckout } from '../producer/git.ts'
import { findMeasured, readTests, toRunId, type PushOptions } from '../producer/plan.ts'
import { isRunId } from '../producer/run-identity.ts'
import { json, putOnce, retried, shapes, splitSeal } from '../producer/upload.ts'
import type { SealReceipt, SealRequest, SealWaiting } from '../api/runs.ts'
import { Problem } from '../record/problem.ts'
import { connect } from './connect.ts'
import { withoutIdentity } from './no-identity.ts'
import { printList, sealNotes } from './receipt.ts'
import type { Signing } from './sign-requests.ts'
import type { ExitCode, Terminal } from './terminal.ts'
import { uploading } from './uploading.ts'
import { count } from './count.ts'

/** `proofline seal`: ends a run that several jobs pushed to, or one that was pushed with --no-seal. */

export interface SealCommand extends Pick<
  PushOptions,
  'suite' | 'junit' | 'tests' | 'parts' | 'repository' | 'commit'
> {
  testType: PushOptions['testType']
  run?: string
  outcome?: NonNullable<SealRequest['outcome']>
  /** Names or ids of earlier attempts; with CI they are found. */
  earlier?: string[]
  /** The key of a producer: it signs for the run's repository and commit. */
  statement?: string
  retryFor?: number
}

/** 0 when the run has ended, 3 while shards are missing. */
export async function seal(options: SealCommand, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const { env, event } = readEnvironment()
  const ci = readCi(env, event)
  const name = options.run ?? (ci && ciRunName(ci, true))
  if (name === undefined)
    throw new Problem('request_invalid', 'say with --run which run ends: no CI system is recognized here')
  const run = toRunId(name, options)
  const tests = await readTests(options, process.cwd())
  const request: SealRequest = {
    ...(options.outcome === undefined ? {} : { outcome: options.outcome }),
    ...(tests === null ? {} : { tests }),
    ...(options.parts === undefined ? {} : { parts: options.parts }),
    ...earlierOf(options, ci),
  }
  const signing = await signingFor(options, run, ci)
  const refused = signing === undefined ? await withoutIdentity(ci, run, env, terminal) : undefined
  if (refused !== undefined) return refused
  for (const warning of warnOfFailed(options.outcome, tests)) terminal.say(`note: ${warning}`)
  const client = await connect(undefined, { say: terminal.say, ...(signing === undefined ? {} : { signing }) })
  try {
    const means = uploading(options, terminal, signal)
    const { status, answer } = await retried(
      () => putOnce(client, shapes.sealAnswer, { ...callOf('sealRun', run), ...json(request), signal }),
      performance.now() + means.retryForMs,
      means,
    )
    const [sealed, waiting] = splitSeal(answer)
    if (waiting !== undefined) return sayWaiting(waiting, terminal)
    if (sealed !== undefined) report(sealed, status === 200, terminal)
    return 0
  } finally {
    client.close()
  }
}

async function signingFor(options: SealCommand, run: string, ci: Ci | undefined): Promise<Signing | undefined> {
  const { statement, repository, commit } = options
  if (statement === undefined) {
    if (repository === undefined && commit === undefined) return undefined
    throw new Problem('request_invalid', '--repository and --commit go with --statement: the run says them itself')
  }
  return { keyFile: statement, run, ...findMeasured(options, await findCheckout(process.cwd()), ci) }
}

/** What CI says of earlier attempts is worked out: one that died before it declared anything is no mistake. */
function earlierOf(options: SealCommand, ci: Ci | undefined): Pick<SealRequest, 'earlier' | 'earlier_found'> {
  const { earlier, run } = options
  if (earlier !== undefined) return { earlier: earlier.map((name) => (isRunId(name) ? name : toRunId(name, options))) }
  const names = run === undefined && ci !== undefined ? earlierRunNames(ci) : []
  return names.length === 0 ? {} : { earlier: names.map((name) => toRunId(name, options)), earlier_found: true }
}

function report(sealed: SealReceipt, repeated: boolean, terminal: Terminal): void {
  const heading = `${repeated ? 'already sealed' : 'sealed'}: ${sealed.run} in ${sealed.ledger}\n`
  terminal.print({ repeated, ...sealed }, () => {
    const { seq, recorded_at, outcome, parts, shards, tests, admitted, reasons } = sealed
    const of = shards === undefined ? '' : ` of ${count(shards, 'shard')}`
    const counted = tests === null ? '' : `, ${count(tests.total, 'test')}`
    return `${heading}seq ${seq} at ${recorded_at}, ${outcome}, ${count(parts, 'part')}${of}${counted}\n${sealNotes(sealed)}admitted: ${admitted ? 'yes' : `no: ${reasons.join(', ')}`}\n`
  })
  if (sealed.tests === null)
    terminal.say(
      "note: without test totals the run is on record but does not count, and it has ended: give them with each push, or here, with --junit 'path/to/*.xml' or --tests total,passed,failed,skipped",
    )
}

function sayWaiting(waiting: SealWaiting, terminal: Terminal): ExitCode {
  const { run, expected, arrived, shards, incomplete, unknown } = waiting
  terminal.print(
    { sealed: false, ...waiting },
    () => `not sealed: ${run}: ${arrived} of ${expected} shards are there\n`,
  )
  if (shards.length > 0) terminal.say(`  there: ${printList(shards)}`)
  if (incomplete.length > 0) terminal.say(`  of these parts are missing: ${printList(incomplete)}`)
  if (unknown.length > 0) terminal.say(`  earlier attempts that were never declared: ${printList(unknown)}`)
  terminal.say(
    '  push the missing ones, or end the run with what is there, without --parts: --outcome aborted says that it is not whole',
  )
  return 3
}
