import { writeFile } from 'node:fs/promises'
import { Problem } from '../record/problem.ts'
import { readCi, readEnvironment } from '../producer/ci.ts'
import type { Client } from '../producer/client.ts'
import { planRun, type PushOptions } from '../producer/plan.ts'
import { mayPass, upload, type Plan, type Uploaded } from '../producer/upload.ts'
import { connect } from './connect.ts'
import { withoutIdentity } from './no-identity.ts'
import { collectEvidence, printLineMaps, printReceipt } from './receipt.ts'
import { assertWritable } from './receipt-file.ts'
import type { ExitCode, Terminal } from './terminal.ts'
import { uploading } from './uploading.ts'
import { version } from './version.ts'

/** `proofline push`. */

export interface PushCommand extends Omit<PushOptions, 'testType'> {
  testType?: PushOptions['testType']
  receipt?: string
  /** The key of a producer. */
  statement?: string
  dryRun?: boolean
  /** Default spool where --spool is given, else fail. */
  onUnavailable?: 'fail' | 'spool' | 'warn'
  spool?: string
  drain?: string
  retryFor?: number
  atomic?: boolean
}

export async function push(
  files: readonly string[],
  options: PushCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  if (options.drain !== undefined) {
    if (files.length > 0)
      throw new Problem('request_invalid', '--drain sends what was spooled: push other reports by themselves')
    const { drain } = await import('./drain.ts')
    return drain(options.drain, options.statement, terminal, uploading(options, terminal, signal))
  }
  if (files.length === 0)
    throw new Problem(
      'request_invalid',
      'name the coverage reports to push, for example: proofline push coverage/lcov.info --test-type unit',
    )
  if (options.format !== undefined) (await import('../producer/dry-run.ts')).assertFormat(options.format)
  if (options.dryRun === true) {
    const { dryRun } = await import('./dry-run.ts')
    return dryRun(files, options, terminal)
  }
  const { testType } = options
  if (testType === undefined)
    throw new Problem(
      'request_invalid',
      'say --test-type unit or --test-type integration: the two are kept apart for ever',
    )
  const onUnavailable = options.onUnavailable ?? (options.spool === undefined ? 'fail' : 'spool')
  if (onUnavailable === 'spool' && options.spool === undefined)
    throw new Problem('request_invalid', '--on-unavailable spool needs --spool DIR')
  if (options.receipt !== undefined) await assertWritable(options.receipt)
  const { env, event } = readEnvironment()
  const cwd = process.cwd()
  const { plan, warnings } = await planRun(
    files,
    { ...options, testType },
    { cwd, env, event, version: version(), now: () => new Date() },
  )
  for (const warning of warnings) terminal.say(`note: ${warning}`)
  const { statement } = options
  const refused =
    statement === undefined ? await withoutIdentity(readCi(env, event), plan.run, env, terminal) : undefined
  if (refused !== undefined) return refused
  const client = await connect(undefined, {
    say: terminal.say,
    ...(statement === undefined ? {} : { signing: (await import('./sign-requests.ts')).signingOf(statement, plan) }),
  })
  try {
    const send = options.atomic === true ? (await import('../producer/atomic.ts')).pushAtOnce : upload
    const uploaded = await send(plan, client, uploading(options, terminal, signal))
    await report(uploaded, plan, options, { client, terminal, signal })
    return 0
  } catch (error) {
    if (!mayPass(error) || onUnavailable === 'fail') throw error
    const spool = onUnavailable === 'spool' ? options.spool : undefined
    if (spool !== undefined) await (await import('../producer/dry-run.ts')).assertReadable(plan)
    return await putAside(plan, error, spool, terminal)
  } finally {
    client.close()
  }
}

interface Means {
  client: Client
  terminal: Terminal
  signal: AbortSignal
}

async function report(
  uploaded: Uploaded,
  plan: Plan,
  options: PushCommand,
  { client, terminal, signal }: Means,
): Promise<void> {
  for (const sent of uploaded.lineMaps) terminal.say(printLineMaps(sent))
  if (terminal.json || options.receipt !== undefined) {
    const { document, missing } = await collectEvidence(uploaded, client, signal)
    if (missing !== undefined) terminal.say(`note: the receipt holds no proofs: ${missing}`)
    if (options.receipt !== undefined) await writeFile(options.receipt, `${JSON.stringify(document, undefined, 2)}\n`)
    terminal.print(document, () => printReceipt(uploaded))
  } else terminal.print(undefined, () => printReceipt(uploaded))
  sayTests(uploaded, plan, terminal)
}

/** A run without test totals never counts; the sooner its owner knows how to give them the better. */
function sayTests({ seal, waiting }: Uploaded, plan: Plan, terminal: Terminal): void {
  const how = "--junit 'path/to/*.xml' or --tests total,passed,failed,skipped"
  const shared = plan.parts[0]?.query.shard !== undefined
  if (shared && plan.parts[0]?.query.tests === undefined)
    terminal.say(
      `note: this push brought no test totals: without those of every shard the run does not count. Give them with ${how}${seal === undefined ? ', or to `proofline seal`' : ''}`,
    )
  else if (!shared && plan.seal?.tests === null)
    terminal.say(
      `note: without test totals the run is on record but does not count, and it has ended: push it again under another name, with --run NAME and ${how}`,
    )
  if (waiting !== undefined)
    terminal.say(
      'note: the run ends with its last shard. Where only failed jobs are run again, end it after them with `proofline seal --parts N`: the others count from the earlier attempt',
    )
}

/** Coverage must not stop a build unless its owner wants that; what was not sent is kept or named, never forgotten. */
async function putAside(plan: Plan, error: Problem, spool: string | undefined, terminal: Terminal): Promise<ExitCode> {
  if (spool !== undefined) {
    const { writeSpool } = await import('../producer/spool.ts')
    const folder = await writeSpool(plan, spool)
    terminal.say(`warning: ${error.message}`)
    terminal.print({ run: plan.run, spooled: folder }, () => `spooled ${plan.run} to ${folder}\n`)
    terminal.say(`  send it later with: proofline push --drain ${spool}`)
  } else {
    terminal.say(`warning: ${plan.run} was not recorded: ${error.message}`)
    terminal.print({ run: plan.run, recorded: false, code: error.code }, () => '')
  }
  return 0
}
