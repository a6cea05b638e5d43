import { writeFile } from 'node:fs/promises'
import { problems, Problem } from '../record/problem.ts'
import { readEnvironment } from '../producer/ci.ts'
import { callOf, type Client } from '../producer/client.ts'
import { planRun, readTests, toRunId, type PushOptions } from '../producer/plan.ts'
import { mayPass, upload, type Plan, type Progress, type Uploaded } from '../producer/upload.ts'
import { connect } from './connect.ts'
import { collectEvidence, printLineMaps, printReceipt } from './receipt.ts'
import { printBar, type ExitCode, type Terminal } from './terminal.ts'
import { version } from './version.ts'

/** `proofline push` and `proofline seal`. */

export interface PushCommand extends Omit<PushOptions, 'testType'> {
  testType?: PushOptions['testType']
  receipt?: string
  dryRun?: boolean
  onUnavailable: 'fail' | 'spool' | 'warn'
  spool?: string
  drain?: string
  retryFor?: number
}

export async function push(
  files: readonly string[],
  options: PushCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  if (options.drain !== undefined) return drain(options.drain, options, terminal, signal)
  if (files.length === 0)
    throw new Problem(
      'request_invalid',
      'name the coverage reports to push, for example: proofline push coverage/lcov.info --test-type unit',
    )
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
  if (options.onUnavailable === 'spool' && options.spool === undefined)
    throw new Problem('request_invalid', '--on-unavailable spool needs --spool DIR')
  const { env, event } = readEnvironment()
  const cwd = process.cwd()
  const { plan, warnings } = await planRun(
    files,
    { ...options, testType },
    { cwd, env, event, version: version(), now: () => new Date() },
  )
  for (const warning of warnings) terminal.say(`note: ${warning}`)
  const client = await connect()
  try {
    const uploaded = await upload(plan, client, uploading(options, terminal, signal))
    await report(uploaded, plan, options, { client, terminal, signal })
    return 0
  } catch (error) {
    if (!mayPass(error) || options.onUnavailable === 'fail') throw error
    return await putAside(plan, error, options, terminal)
  } finally {
    client.close()
  }
}

export interface SealCommand extends Pick<PushOptions, 'testType' | 'suite' | 'junit' | 'tests' | 'outcome'> {
  run: string
}

/** Ends a run whose parts were pushed with --no-seal. */
export async function seal(options: SealCommand, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const run = toRunId(options.run, options)
  const request = { outcome: options.outcome, tests: await readTests(options, process.cwd()) }
  const client = await connect()
  try {
    const body = Buffer.from(JSON.stringify(request))
    const headers = { 'content-type': 'application/json' }
    const { status, bytes } = await client.send({ ...callOf('sealRun', run), headers, body, signal })
    const { sealReceipt } = await import('../api/runs.ts')
    const receipt = sealReceipt.parse(JSON.parse(bytes.toString('utf8')))
    const heading = `${status === 200 ? 'already sealed' : 'sealed'}: ${run} in ${receipt.ledger}\n`
    terminal.print(
      { repeated: status === 200, ...receipt },
      () =>
        `${heading}seq ${receipt.seq} at ${receipt.recorded_at}, ${receipt.outcome}, ${receipt.parts} parts\nadmitted: ${receipt.admitted ? 'yes' : `no: ${receipt.reasons.join(', ')}`}\n`,
    )
    if (request.tests === null) sayTests(terminal)
    return 0
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
  if (plan.seal?.tests === null) sayTests(terminal)
}

function sayTests(terminal: Terminal): void {
  terminal.say(
    "note: without test totals the run is on record but does not count, and it has ended: push it again under another name, with --run NAME and --junit 'path/to/*.xml' or --tests total,passed,failed,skipped",
  )
}

function uploading(options: PushCommand, terminal: Terminal, signal: AbortSignal): Parameters<typeof upload>[2] {
  const onProgress = (step: Progress): void => {
    if (step.kind === 'sending') terminal.progress(printBar(step.part, step.bytes, step.of))
    else if (step.kind === 'recording') terminal.progress(`${step.part}: sent, being recorded`)
    else if (step.kind === 'comparing') terminal.progress(`comparing with ${step.from.slice(0, 12)}`)
    else if (step.kind === 'fetching')
      terminal.say(
        `fetching ${step.commits.map((commit) => commit.slice(0, 12)).join(' and ')} from ${step.remote} for line maps (--no-fetch forbids it)`,
      )
    else terminal.say(`waiting ${(step.delayMs / 1000).toFixed(1)} s: ${step.reason}`)
  }
  return { signal, retryForMs: (options.retryFor ?? defaultRetryS()) * 1000, firstDelayMs: 500, onProgress }
}

/** A configured service may be restarting; one on this machine that does not answer was probably never started. */
const defaultRetryS = (): number => (readEnvironment().env['PROOFLINE_URL'] === undefined ? 5 : 60)

/** Coverage must not stop a build unless its owner wants that; what was not sent is kept or named, never forgotten. */
async function putAside(plan: Plan, error: Problem, options: PushCommand, terminal: Terminal): Promise<ExitCode> {
  if (options.onUnavailable === 'spool' && options.spool !== undefined) {
    const { writeSpool } = await import('../producer/spool.ts')
    const folder = await writeSpool(plan, options.spool)
    terminal.say(`warning: ${error.message}`)
    terminal.print({ run: plan.run, spooled: folder }, () => `spooled ${plan.run} to ${folder}\n`)
    terminal.say(`  send it later with: proofline push --drain ${options.spool}`)
  } else {
    terminal.say(`warning: ${plan.run} was not recorded: ${error.message}`)
    terminal.print({ run: plan.run, recorded: false, code: error.code }, () => '')
  }
  return 0
}

/** Sends every spooled run. One that is refused stays where it is and does not stop the others; an unreachable service does. */
async function drain(folder: string, options: PushCommand, terminal: Terminal, signal: AbortSignal): Promise<ExitCode> {
  const { listSpool, readSpool, removeSpool } = await import('../producer/spool.ts')
  const spooled = await listSpool(folder)
  const client = await connect()
  let worst: ExitCode = 0
  try {
    for (const one of spooled) {
      try {
        const plan = await readSpool(one)
        const uploaded = await upload(plan, client, uploading(options, terminal, signal))
        await removeSpool(one)
        terminal.print({ run: plan.run, repeated: uploaded.repeated, drained: one }, () => printReceipt(uploaded))
      } catch (error) {
        if (mayPass(error) || !(error instanceof Problem)) throw error
        terminal.say(`${one} stays: ${error.message} [${error.code}]`)
        worst = problems[error.code].exit
      }
    }
  } finally {
    client.close()
  }
  if (spooled.length === 0) terminal.say(`nothing is spooled in ${folder}`)
  return worst
}
