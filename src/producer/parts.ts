import { relative } from 'node:path'
import type { PartQuery } from '../api/queries.ts'
import type { TestTotals } from '../api/runs.ts'
import { Problem } from '../record/problem.ts'
import { readArtifact } from './artifact.ts'
import type { Checkout } from './git.ts'
import type { Outcome } from './outcome.ts'
import { toPartName } from './run-identity.ts'
import type { Share } from './sharing.ts'
import type { PlannedPart } from './upload.ts'

/** The reports as parts of the run: what they are called, and what they bring to it. */

export interface PartOptions {
  part?: string
  format?: string
  section?: string
  strip?: string
  root?: string
}

export interface PartsPlace {
  cwd: string
  checkout: Checkout | undefined
  share: Share | undefined
  outcome: Outcome
  tests: TestTotals | null
}

/** Throws `request_invalid` for a file that cannot be read and for names that cannot be. */
export async function planParts(
  files: readonly string[],
  options: PartOptions,
  { cwd, checkout, share, outcome, tests }: PartsPlace,
): Promise<PlannedPart[]> {
  if (options.part !== undefined && files.length !== 1)
    throw new Problem('request_invalid', '--part names one file; push the others by themselves')
  const names = options.part === undefined ? nameParts(files, checkout?.folder ?? cwd) : [options.part]
  const suffix = options.part === undefined ? (share?.suffix ?? '') : ''
  const brought = share && shardQuery(share, files.length, outcome, tests, names[0] ?? '')
  const parts: PlannedPart[] = []
  for (const [index, file] of files.entries()) {
    const artifact = await readArtifact(file, checkout === undefined ? '' : checkout.folder)
    // The folder of the checkout is told only where the report names it: it differs from machine to machine, and the part must not.
    const root = options.root ?? (artifact.mentions ? checkout?.folder : undefined)
    const parameters = Object.entries({ format: options.format, section: options.section, strip: options.strip, root })
    const given = Object.fromEntries(parameters.filter(([, value]) => value !== undefined))
    parts.push({ artifact, query: { name: `${names[index] ?? file}${suffix}`, ...given, ...brought } })
  }
  return parts
}

/** What the push brings beside its reports, the same with each of them. */
function shardQuery(
  { name, attempt, job }: Share,
  parts: number,
  outcome: Outcome,
  tests: TestTotals | null,
  first: string,
): Partial<PartQuery> {
  return {
    shard: name ?? first,
    ...(attempt === undefined ? {} : { shard_attempt: attempt }),
    shard_parts: parts,
    ...(job === undefined ? {} : { job }),
    outcome,
    ...(tests === null ? {} : { tests: [tests.total, tests.passed, tests.failed, tests.skipped].join(',') }),
  }
}

/**
 * Paths relative to the checkout. Outside of it files go by their base names, since where a temporary folder lies differs from try to try;
 * those that have the same one are told apart by as many folders before it as it takes.
 */
export function nameParts(files: readonly string[], top: string): string[] {
  const names = files.map((file) => toPartName(relative(top, file)))
  const paths = files.map((file) => file.replaceAll('\\', '/').split('/'))
  for (let folders = 2; new Set(names).size < names.length && folders < 64; folders++) {
    const taken = new Map<string, number>()
    for (const name of names) taken.set(name, (taken.get(name) ?? 0) + 1)
    for (const [index, name] of names.entries()) {
      if ((taken.get(name) ?? 0) > 1) names[index] = (paths[index] ?? []).slice(-folders).filter(Boolean).join('/')
    }
  }
  return names
}
