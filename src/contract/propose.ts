import { Document } from 'yaml'
import type { TestType } from '../record/record.ts'

/** A first contract for a repository, from what it pushed: pure; a person reads and corrects it before it is registered. */

/** One seal, and the stage that its run named. */
export interface SeenRun {
  suite: string
  test_type: TestType
  ref?: string | undefined
  stage?: string | undefined
  /** Of an old report: it tells what was, not what is done. */
  backfilled?: boolean
  admitted: boolean
  atMs: number
  measures: readonly { definition: string; tool?: { name: string; version?: string | undefined } | null | undefined }[]
}

/** A file that a report measured. */
export interface SeenFile {
  path: string
  /** There when it is a file of the commit. */
  blob?: string | undefined
}

const hourMs = 3_600_000
const dayMs = 86_400_000
const sorted = (texts: readonly string[]): string[] => [...new Set(texts)].toSorted()
const present = <T>(values: readonly (T | undefined)[]): T[] => values.filter((value) => value !== undefined)

/** The YAML. `files` are those that the newest reports measured; one that no commit has is nothing to promise. */
export function proposeContract(repository: string, seen: readonly SeenRun[], files: readonly SeenFile[]): string {
  const runs = seen.filter(({ backfilled }) => backfilled !== true)
  const counting = runs.filter(({ admitted }) => admitted)
  const include = proposeGlobs(files.filter(({ blob }) => blob !== undefined).map(({ path }) => path))
  const keys = sorted(runs.map(({ test_type, suite }) => `${test_type}/${suite}`))
  const document = new Document({
    version: 1,
    repository,
    mode: 'observe',
    refs: [
      mostFrequent(
        present((counting.length > 0 ? counting : runs).map(({ ref }) => ref)).filter(
          (ref) => !/[{}[\]*?\\]/.test(ref),
        ),
      ) ?? 'refs/heads/main',
    ],
    ...(include.length === 0 ? {} : { production: { include, exclude: [] } }),
    suites: keys.map((key) => proposeSuite(runs.filter(({ test_type, suite }) => `${test_type}/${suite}` === key))),
  })
  document.commentBefore =
    ' Proposed from what was pushed. Read every line: a contract is what you promise, not what happened to be.\n' +
    ' `mode: observe` records what it has against runs; `enforce` makes those runs not count.\n' +
    ' Add exclusions with reasons, owners and thresholds: docs/contract.md has every key.'
  return document.toString({ lineWidth: 0 })
}

function proposeSuite(runs: readonly SeenRun[]): Record<string, unknown> {
  const counting = runs.filter(({ admitted }) => admitted)
  const seen = counting.length > 0 ? counting : runs
  const stages = sorted(present(seen.map(({ stage }) => stage)))
  const last = seen.reduce((newest, run) => (run.atMs > newest.atMs ? run : newest))
  const tools = last.measures.map(({ tool }) => tool ?? undefined)
  const known = present(tools)
  const definitions = sorted(last.measures.map(({ definition }) => definition))
  const cadence = proposeCadence(counting.map(({ atMs }) => atMs))
  return {
    name: last.suite,
    test_type: last.test_type,
    // A stage that some runs do not name would keep those from counting.
    ...(stages.length > 0 && seen.every(({ stage }) => stage !== undefined) ? { stage: stages } : {}),
    ...(known.length > 0 && known.length === tools.length ? { tool: sorted(known.map(printMajor)) } : {}),
    ...(definitions.length > 0 ? { definition: definitions } : {}),
    ...(cadence === undefined ? {} : { cadence }),
  }
}

/** `nyc@17` of 17.1.0: patch releases need no new contract. */
function printMajor({ name, version }: { name: string; version?: string | undefined }): string {
  const major = /^v?\d+/.exec(version ?? '')?.[0]
  return major === undefined ? name : `${name}@${major}`
}

/**
 * The longest silence that was seen, in whole days. Runs within an hour of another are one occasion, tried several times or in several jobs;
 * fewer than three show no habit.
 */
function proposeCadence(times: readonly number[]): string | undefined {
  const occasions: number[] = []
  let before = -Infinity
  for (const at of times.toSorted((a, b) => a - b)) {
    if (at - before >= hourMs) occasions.push(at)
    before = at
  }
  if (occasions.length < 3) return undefined
  const gaps = occasions.slice(1).map((at, i) => at - (occasions[i] ?? at))
  return `${Math.max(1, Math.ceil(Math.max(...gaps) / dayMs))}d`
}

const maxGlobs = 20

/** Everything in the first-level folders that were measured; files at the top by their endings. */
function proposeGlobs(paths: readonly string[]): string[] {
  const globs = paths
    .filter((path) => !/^(?:\/|[A-Za-z]:)|[\\{}[\]*?]|\/\/|(?:^|\/)\.\.?(?:\/|$)/.test(path)) // what is no path of the repository, or reads as a glob
    .map((path) => {
      const slash = path.indexOf('/')
      const dot = path.lastIndexOf('.')
      return slash > 0 ? `${path.slice(0, slash)}/**` : dot > 0 ? `*${path.slice(dot)}` : path
    })
  return sorted(globs).slice(0, maxGlobs)
}

function mostFrequent(texts: readonly string[]): string | undefined {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return [...counts].toSorted((a, b) => b[1] - a[1])[0]?.[0]
}
