import { createHash } from 'node:crypto'
import type { SealRequest, TestTotals } from '../api/runs.ts'
import { Problem } from '../record/problem.ts'
import type { TestType } from '../record/record.ts'
import type { Artifact } from './artifact.ts'
import type { Ci, Environment } from './ci-facts.ts'
import { ciRunName, readCi } from './ci.ts'
import { readConfiguration, readGivenConfiguration } from './configuration.ts'
import { type DeclareOptions, declare } from './declare.ts'
import { expandFiles } from './files.ts'
import { findCheckout, findCommit, type Checkout } from './git.ts'
import { type Outcome, outcomeOf, warnOfFailed } from './outcome.ts'
import { type PartOptions, planParts } from './parts.ts'
import { localRunName, printRunId } from './run-identity.ts'
import { type Share, type SharingOptions, readShare } from './sharing.ts'
import type { Plan, PlannedPart } from './upload.ts'

/** What will be sent for `push`: what the user said, else what CI says, else what the checkout says. */

export interface PushOptions extends DeclareOptions, PartOptions, SharingOptions {
  run?: string
  junit?: string[]
  tests?: string
  /** Absent: what the test totals say. */
  outcome?: Outcome
  repository?: string
  commit?: string
  configuration?: string[]
  /** False with --no-fetch. */
  fetch: boolean
}

export interface Place {
  cwd: string
  env: Environment
  /** GitHub's webhook event, parsed. */
  event: unknown
  version: string
  now: () => Date
}

export interface Planned {
  plan: Plan
  /** What the user should know before anything is sent. */
  warnings: string[]
}

/** Reads files, checkout and environment; sends nothing. Throws `request_invalid` for what cannot be made a run. */
export async function planRun(patterns: readonly string[], options: PushOptions, place: Place): Promise<Planned> {
  const { cwd } = place
  assertBackfill(options)
  const around = readCi(place.env, place.event)
  const ci = options.backfill === true ? undefined : around
  const share = readShare(options, ci)
  const [checkout, tests] = await Promise.all([findCheckout(cwd), readTests(options, cwd)])
  const { repository, commit } = findMeasured(options, checkout, ci, around)
  const files = await expandFiles(patterns, cwd)
  const outcome = outcomeOf(options.outcome, tests)
  const parts = await planParts(files, options, { cwd, checkout, share, outcome, tests })
  const history = checkout?.commit === commit ? checkout : checkout && (await findCommit(checkout.folder, commit))
  const plan: Plan = {
    run: toRunId(options.run ?? runName(ci, share, options, commit, parts), options),
    declaration: declare({
      options,
      ci,
      repository,
      repositoryId: repository === around?.repository ? around.repositoryId : undefined,
      commit,
      history,
      checkoutRef: checkout?.ref,
      configuration: await configurationOf(checkout, ci, options, cwd),
      shared: share !== undefined,
      version: place.version,
      now: place.now(),
    }),
    inventory: checkout && history && { kind: 'git', folder: checkout.folder, commit },
    lineMaps: checkout && { folder: checkout.folder, env: place.env, fetch: options.fetch },
    parts,
    seal: options.seal ? sealOf(share, outcome, tests) : undefined,
  }
  const warnings = [
    ...warn(options, ci, checkout, commit, history !== undefined),
    ...warnOfSource(parts),
    ...warnOfFailed(options.outcome, tests),
  ]
  return { plan, warnings }
}

/** What was measured. A backfill has the repository of the job that sends it, and not its commit. */
export function findMeasured(
  options: Pick<PushOptions, 'repository' | 'commit'>,
  checkout: Checkout | undefined,
  ci: Ci | undefined,
  around = ci,
): { repository: string; commit: string } {
  const commit = options.commit ?? checkout?.commit ?? ci?.commit
  const repository = options.repository ?? around?.repository ?? checkout?.repository
  if (commit === undefined)
    throw new Problem('request_invalid', 'no commit is known here: run this in a git checkout, or say --commit')
  if (repository === undefined)
    throw new Problem('request_invalid', 'no repository is known here: run this in a git checkout, or say --repository')
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(commit))
    throw new Problem('request_invalid', `--commit takes a full commit id of 40 or 64 hex digits, not ${commit}`)
  return { repository, commit }
}

/** The totals that the options give; null when they give none. */
export async function readTests(
  options: Pick<PushOptions, 'junit' | 'tests'>,
  cwd: string,
): Promise<TestTotals | null> {
  if (options.tests !== undefined && options.junit !== undefined)
    throw new Problem('request_invalid', 'say either --junit or --tests: they could differ')
  if (options.tests === undefined && options.junit === undefined) return null
  const { parseTests, readJunit } = await import('./junit.ts') // with an XML parser, which most pushes do without
  return options.tests === undefined ? readJunit(options.junit ?? [], cwd) : parseTests(options.tests)
}

export function toRunId(name: string, { suite, testType }: { suite: string; testType: TestType }): string {
  try {
    return printRunId({ name, suite, testType })
  } catch (cause) {
    throw new Problem('request_invalid', cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

function assertBackfill({ backfill, commit, occurredAt }: PushOptions): void {
  if (backfill === true && commit === undefined)
    throw new Problem('request_invalid', '--backfill needs --commit: an old report says nothing of what it measured')
  if (backfill !== true && occurredAt !== undefined)
    throw new Problem('request_invalid', '--occurred-at goes with --backfill: every other push happens now')
}

/** Several pushes must name the run alike; what each of them sends is no name for that. */
function runName(
  ci: Ci | undefined,
  share: Share | undefined,
  { backfill }: PushOptions,
  commit: string,
  parts: readonly PlannedPart[],
): string {
  if (ci !== undefined) return ciRunName(ci, share !== undefined)
  if (share?.total !== undefined)
    throw new Problem(
      'request_invalid',
      'no CI system is recognized here: name the run that the pushes make up with --run',
    )
  const local = localRunName(commit, digestOf(parts))
  return backfill === true ? local.replace(/^local\./, 'backfill.') : local
}

function sealOf(share: Share | undefined, outcome: Outcome, tests: TestTotals | null): SealRequest {
  return share?.total === undefined ? { outcome, tests } : { parts: share.total }
}

/** The work tree is configured as the commit only where the commit is built: in CI. */
function configurationOf(
  checkout: Checkout | undefined,
  ci: Ci | undefined,
  { configuration = [] }: PushOptions,
  cwd: string,
): ReturnType<typeof readConfiguration> {
  return ci === undefined || checkout === undefined
    ? readGivenConfiguration(checkout?.folder ?? cwd, cwd, configuration)
    : readConfiguration(checkout.folder, cwd, configuration)
}

function warn(
  options: PushOptions,
  ci: Ci | undefined,
  checkout: Checkout | undefined,
  commit: string,
  known: boolean,
): string[] {
  const warnings: string[] = []
  const short = commit.slice(0, 12)
  if (checkout === undefined)
    warnings.push('no git checkout here: the files of the commit are not sent, so paths cannot be checked against it')
  else if (!known)
    warnings.push(
      `commit ${short} is not in this checkout: its files are not sent, so paths cannot be checked against it`,
    )
  if (checkout?.modified === true && ci === undefined && checkout.commit === commit)
    warnings.push(`tracked files differ from commit ${short}: line numbers are recorded as of that commit`)
  if (ci?.commit !== undefined && options.commit === undefined && ci.commit !== commit && ci.headCommit !== commit)
    warnings.push(
      `${ci.provider} builds ${ci.commit.slice(0, 12)}, but ${short} is checked out and is what is recorded`,
    )
  return warnings
}

/** Artifacts go as they are: who takes care that source stays on the CI machine is told where it does not. */
function warnOfSource(parts: readonly PlannedPart[]): string[] {
  return parts.flatMap(({ artifact: { file, embedsSource } }) =>
    embedsSource === undefined ? [] : [`${file} holds source text (${embedsSource}), and is kept as it is`],
  )
}

/** One report: its own digest. Several: the digest of theirs, whatever order they were named in. */
function digestOf(parts: readonly PlannedPart[]): string {
  const digests = parts.map(({ artifact }: { artifact: Artifact }) => artifact.sha256).toSorted()
  const [only] = digests
  return only !== undefined && digests.length === 1
    ? only
    : createHash('sha256').update(digests.join('\n')).digest('hex')
}
