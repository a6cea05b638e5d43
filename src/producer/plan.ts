import { createHash, randomBytes } from 'node:crypto'
import { relative, resolve } from 'node:path'
import type { Declaration, SealRequest } from '../api/runs.ts'
import type { TestType } from '../record/record.ts'
import { Problem } from '../record/problem.ts'
import { readArtifact, type Artifact } from './artifact.ts'
import { ciRunName, readCi, type Ci, type Environment } from './ci.ts'
import { readConfiguration } from './configuration.ts'
import { findCheckout, type Checkout } from './git.ts'
import { localRunName, printRunId, toPartName } from './run-identity.ts'
import type { Plan, PlannedPart } from './upload.ts'

/** What will be sent for `push`: what the user said, else what CI says, else what the checkout says. */

export interface PushOptions {
  testType: TestType
  suite: string
  run?: string
  build?: string
  part?: string
  junit?: string[]
  tests?: string
  outcome: SealRequest['outcome']
  repository?: string
  commit?: string
  ref?: string
  format?: string
  section?: string
  strip?: string
  root?: string
  stage?: string
  environment?: string
  /** False with --no-seal. */
  seal: boolean
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
export async function planRun(files: readonly string[], options: PushOptions, place: Place): Promise<Planned> {
  const ci = readCi(place.env, place.event)
  const [checkout, tests] = await Promise.all([findCheckout(place.cwd), readTests(options, place.cwd)])
  const commit = options.commit ?? checkout?.commit ?? ci?.commit
  const repository = options.repository ?? ci?.repository ?? checkout?.repository
  if (commit === undefined)
    throw new Problem('request_invalid', 'no commit is known here: run this in a git checkout, or say --commit')
  if (repository === undefined)
    throw new Problem('request_invalid', 'no repository is known here: run this in a git checkout, or say --repository')
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(commit))
    throw new Problem('request_invalid', `--commit takes a full commit id of 40 or 64 hex digits, not ${commit}`)
  const parts = await planParts(files, options, place.cwd, checkout)
  const name = options.run ?? (ci === undefined ? localRunName(commit, digestOf(parts)) : ciRunName(ci))
  const plan: Plan = {
    run: toRunId(name, options),
    declaration: await declare({ options, ci, checkout, commit, repository, place }),
    inventory: checkout && { kind: 'git', folder: checkout.folder, commit },
    lineMaps: checkout && { folder: checkout.folder, env: place.env, fetch: options.fetch },
    parts,
    seal: options.seal ? { outcome: options.outcome, tests } : undefined,
  }
  return { plan, warnings: [...warn(options, ci, checkout, commit), ...warnOfSource(parts)] }
}

/** The totals that the options give; null when they give none. */
export async function readTests(
  options: Pick<PushOptions, 'junit' | 'tests'>,
  cwd: string,
): Promise<SealRequest['tests']> {
  if (options.tests !== undefined && options.junit !== undefined)
    throw new Problem('request_invalid', 'say either --junit or --tests: they could differ')
  if (options.tests === undefined && options.junit === undefined) return null
  const { parseTests, readJunit } = await import('./junit.ts') // with an XML parser, which most pushes do without
  return options.tests === undefined ? readJunit(options.junit ?? [], cwd) : parseTests(options.tests)
}

export function toRunId(name: string, { suite, testType }: Pick<PushOptions, 'suite' | 'testType'>): string {
  try {
    return printRunId({ name, suite, testType })
  } catch (cause) {
    throw new Problem('request_invalid', cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

async function planParts(
  files: readonly string[],
  options: PushOptions,
  cwd: string,
  checkout: Checkout | undefined,
): Promise<PlannedPart[]> {
  if (options.part !== undefined && files.length !== 1)
    throw new Problem('request_invalid', '--part names one file; push the others by themselves')
  const parts: PlannedPart[] = []
  const names = new Map<string, string>()
  for (const file of files) {
    const path = resolve(cwd, file)
    const artifact = await readArtifact(path, checkout === undefined ? '' : checkout.folder)
    const name = options.part ?? toPartName(relative(checkout?.folder ?? cwd, path))
    const other = names.get(name)
    if (other !== undefined)
      throw new Problem(
        'request_invalid',
        `${other} and ${file} would both be part ${name}: push one of them with --part`,
      )
    names.set(name, file)
    // The folder of the checkout is told only where the report names it: it differs from machine to machine, and the part must not.
    const root = options.root ?? (artifact.mentions ? checkout?.folder : undefined)
    parts.push({
      artifact,
      query: { name, ...defined({ format: options.format, section: options.section, strip: options.strip, root }) },
    })
  }
  return parts
}

interface Facts {
  options: PushOptions
  ci: Ci | undefined
  checkout: Checkout | undefined
  commit: string
  repository: string
  place: Place
}

async function declare({ options, ci, checkout, commit, repository, place }: Facts): Promise<Declaration> {
  const here = checkout?.commit === commit ? checkout : undefined // what the checkout says of another commit is not asked
  // Outside CI the work tree may change between two pushes of the same bytes; that must not make another run of them.
  const configured = ci !== undefined && checkout !== undefined ? await readConfiguration(checkout.folder) : undefined
  return {
    repository,
    test_type: options.testType,
    suite: options.suite,
    commit,
    ...defined({
      repository_id: ci?.repositoryId,
      head_commit: ci?.headCommit === commit ? undefined : ci?.headCommit,
      ref: options.ref ?? ci?.ref ?? checkout?.ref,
      change: ci?.change,
      parents: here?.parents,
      committed_at: here?.committedAt,
      first_parents: here?.firstParents,
      build: options.build ?? ci?.build,
      url: ci?.url,
      environment: options.environment,
      stage: options.stage,
      ci: ci && {
        provider: ci.provider,
        pipeline: ci.pipeline,
        ...defined({ job: ci.job, attempt: ci.attempt, actor_id: ci.actorId }),
      },
      configuration: configured?.files,
      contract: configured?.contract,
      traceparent: ci?.traceparent ?? newTraceparent(),
    }),
    client: { name: 'proofline', version: place.version },
    occurred_at: place.now().toISOString(),
  }
}

/** W3C trace context of a push that no CI job gave one: its requests, and the deliveries that follow, are one trace. */
function newTraceparent(): string {
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`
}

function warn(options: PushOptions, ci: Ci | undefined, checkout: Checkout | undefined, commit: string): string[] {
  const warnings: string[] = []
  if (checkout === undefined)
    warnings.push('no git checkout here: the files of the commit are not sent, so paths cannot be checked against it')
  if (checkout?.modified === true && ci === undefined && checkout.commit === commit) {
    warnings.push(
      `tracked files differ from commit ${commit.slice(0, 12)}: line numbers are recorded as of that commit`,
    )
  }
  if (ci?.commit !== undefined && options.commit === undefined && ci.commit !== commit && ci.headCommit !== commit) {
    warnings.push(
      `${ci.provider} builds ${ci.commit.slice(0, 12)}, but ${commit.slice(0, 12)} is checked out and is what is recorded`,
    )
  }
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

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without the members that are undefined. */
function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Defined<T> // just filtered
}
