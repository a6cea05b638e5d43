import { hash } from 'node:crypto'
import type { Declaration, SealRequest, Shard, TestTotals } from '../api/runs.ts'
import type { Declared } from '../formats/reading.ts'
import { type RunView, isSameDigest } from '../ledger/decide.ts'
import type { LineMap } from '../record/line-map.ts'
import { Problem } from '../record/problem.ts'
import type { Metric } from '../record/coverage.ts'
import type { Totals } from '../record/run.ts'
import { addTotals } from '../record/totals.ts'

/** Pure: the keys of a run, what clients assert, and what may happen to a run as it stands at the head. */

export const keys = {
  run: (run: string) => `run:${run}`,
  end: (run: string) => `end:${run}`,
  part: (run: string, part: string) => `part:${run}/${part}`,
  /** Not `part:R/P/i`: a part may itself be called `P/0`. */
  slice: (run: string, part: string, index: number) => `slice:${run}/${part}/${index}`,
  inventory: (repository: string, commit: string) => `inventory:${repository}@${commit}`,
  lineMap: (repository: string, { from, to }: Pick<LineMap, 'from' | 'to'>) =>
    `linemap:${repository}/${from.path}@${from.blob}/${to.path}@${to.blob}`,
  comparison: (repository: string, { from, to }: { from: string; to: string }) =>
    `comparison:${repository}@${from}/${to}`,
  build: (repository: string, build: string) =>
    build.includes('/') ? keys.hashedBuild(repository, build) : keys.plainBuild(repository, build),
  /** Builds with a slash in their name had this one too: so `a/b` with build `c` and `a` with build `b/c` were one. */
  plainBuild: (repository: string, build: string) => `build:${repository}/${build}`,
  /** No plain key is without a slash. */
  hashedBuild: (repository: string, build: string) => `build:${digestOf([repository, build]).toString('hex')}`,
}

export function digestOf(asserted: unknown): Buffer {
  return hash('sha256', JSON.stringify(asserted), 'buffer')
}

/** What a declaration asserts: without what differs between two tries of one job (DESIGN.md section 4). */
export function declarationDigest(body: Declaration): Buffer {
  const {
    occurred_at: _at,
    traceparent: _trace,
    first_parents: _parents,
    client: _client,
    late: _late,
    ...asserted
  } = body
  return digestOf(Object.fromEntries(Object.entries(asserted).toSorted(([a], [b]) => (a < b ? -1 : 1))))
}

export interface PartParameters {
  format?: string | undefined
  strip?: string | undefined
  root?: string | undefined
  /** Which of several suites in the report. */
  section?: string | undefined
  shard?: Shard | undefined
}

/** What a part asserts: the decoded body and the parameters that change its meaning. Which job brought it is told, not asserted. */
export function partDigest(artifactSha256: string, { format, strip, root, section, shard }: PartParameters): Buffer {
  const ofShard = shard && [shard.name, shard.attempt ?? 1, shard.parts, shard.outcome, toNumbers(shard.tests)]
  return digestOf({ artifactSha256, format, strip, root, section, shard: ofShard })
}

/** What is absent from the request is no part of the digest: several pushes of one run then ask for the same seal. */
export function sealDigest({ outcome, tests, parts, earlier }: SealRequest): Buffer {
  return digestOf({ outcome, tests: tests === undefined ? undefined : toNumbers(tests), parts, earlier })
}

function toNumbers(tests: TestTotals | null): number[] | null {
  return tests === null ? null : [tests.total, tests.passed, tests.failed, tests.skipped]
}

/**
 * Parts and slices need a declared run that has not ended, and a place among its `maxParts`; a slice or part under a name that holds other
 * content is a conflict. Decided at the head, so however many uploads are under way, at however many services, there are never more.
 */
export function decidePart(
  run: string,
  part: string,
  digest: Buffer,
  maxParts = Infinity,
): (view: RunView) => Problem | undefined {
  return (view) => {
    if (!view.has(keys.run(run))) return new Problem('run_unknown', `declare ${run} first`)
    const first = view.get(keys.part(run, part))
    if (first !== undefined && !isSameDigest(first.digest, digest)) {
      return new Problem('part_conflict', `${part} of ${run} was recorded with other content`)
    }
    if (view.has(keys.end(run))) return new Problem('run_sealed', `${run} has ended`)
    // Whoever has a slice has a place: a part that was begun and may not end would keep its run open.
    if (view.has(keys.slice(run, part, 0)) || partNames(run, view).size < maxParts) return undefined
    return new Problem('too_many_parts', `${run} has ${maxParts} parts already`)
  }
}

/** The parts that are recorded or were begun. */
function partNames(run: string, view: RunView): Set<string> {
  const names = new Set<string>()
  const [parts, slices] = [keys.part(run, ''), `slice:${run}/`]
  for (const key of view.keys()) {
    if (key.startsWith(parts)) names.add(key.slice(parts.length))
    else if (key.startsWith(slices)) names.add(key.slice(slices.length, key.lastIndexOf('/')))
  }
  return names
}

/**
 * A slice follows the slice before it, of the same content. Slices are on their way several at a time: without this, an upload of other
 * content for a part that a crash left open would be refused its first slices and get its later ones in.
 */
export function decideSlice(
  run: string,
  part: string,
  digest: Buffer,
  before: SliceName | undefined,
  maxParts?: number,
): (view: RunView) => Problem | undefined {
  const asPart = decidePart(run, part, digest, maxParts)
  return (view) => {
    const refused = asPart(view)
    if (refused !== undefined || before === undefined) return refused
    const known = view.get(keys.slice(run, part, before.index))
    if (known === undefined)
      return new Problem('unavailable', `slice ${before.index} of ${part} was not recorded; repeating is safe`)
    if (isSameDigest(known.digest, before.digest)) return undefined
    return new Problem('part_conflict', `${part} of ${run} was begun with other content`)
  }
}

export interface SliceName {
  index: number
  digest: Buffer
}

/** A run ends when it was declared and no part is open: every slice belongs to a part that is recorded. */
export function decideEnd(run: string): (view: RunView) => Problem | undefined {
  return (view) => {
    if (!view.has(keys.run(run))) return new Problem('run_unknown', `declare ${run} first`)
    const open = openParts(run, view)
    return open.length === 0
      ? undefined
      : new Problem('part_open', `still being recorded: ${open.slice(0, 5).join(', ')}`)
  }
}

export function openParts(run: string, view: RunView): string[] {
  return [...partNames(run, view)].filter((part) => !view.has(keys.part(run, part))).toSorted()
}

/** Closed seq ranges of a part's slices, joined where they touch. */
export function sliceRanges(run: string, part: string, view: RunView): [number, number][] {
  const prefix = `slice:${run}/${part}/`
  const found: [number, number][] = []
  for (const key of view.keys()) {
    if (!key.startsWith(prefix) || key.lastIndexOf('/') !== prefix.length - 1) continue
    const known = view.get(key)
    if (known !== undefined) found.push([known.firstSeq, known.lastSeq])
  }
  return joinRanges(found)
}

export function joinRanges(ranges: [number, number][]): [number, number][] {
  const joined: [number, number][] = []
  for (const [first, last] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const previous = joined.at(-1)
    if (previous !== undefined && first === previous[1] + 1) previous[1] = last
    else joined.push([first, last])
  }
  return joined
}

export interface PartSummary {
  /** Absent in parts that were recorded before there was another metric than lines. */
  metric?: Metric | undefined
  definition: string
  tool: { name: string; version?: string | undefined } | null
  incomplete: string | null
  artifact_sha256?: string
  shard?: Shard | undefined
  /** Digest over path and blob of the files it measured; absent without an inventory. */
  files_digest?: string | undefined
  totals: { recomputed: Totals; declared: Declared | null }
}

export type MeasureTotals = Totals & {
  metric: Metric
  definition: string
  tool?: { name: string; version?: string | undefined }
  /** How many parts are summed up: with more than one, a file that several of them name is counted in each. */
  parts: number
  /** What the reports say of themselves; absent when one of the parts does not. */
  declared?: Declared
}

/**
 * Sums per measure: different metrics, definitions or tools are never added up. They are sums over parts and no union: that would take reading all
 * coverage records of the run while the append waits, and belongs to a report.
 */
export function totalsByMeasure(parts: readonly PartSummary[]): MeasureTotals[] {
  const byMeasure = new Map<string, MeasureTotals>()
  for (const { metric = 'line', definition, tool, totals } of parts) {
    const key = JSON.stringify([metric, definition, tool])
    const known = byMeasure.get(key)
    const sum = known === undefined ? totals.recomputed : addTotals(known, totals.recomputed)
    const declared = known === undefined ? (totals.declared ?? undefined) : addDeclared(known.declared, totals.declared)
    byMeasure.set(key, {
      metric,
      definition,
      ...(tool === null ? {} : { tool }),
      parts: (known?.parts ?? 0) + 1,
      ...sum,
      ...(declared === undefined ? {} : { declared }),
    })
  }
  return [...byMeasure.keys()].toSorted().flatMap((key) => byMeasure.get(key) ?? [])
}

/** Members that both have; undefined when none is left. */
function addDeclared(a: Declared | undefined, b: Declared | null): Declared | undefined {
  const sum: Declared = {}
  if (a?.lines !== undefined && b?.lines !== undefined)
    sum.lines = { found: a.lines.found + b.lines.found, executed: a.lines.executed + b.lines.executed }
  for (const kind of ['branches', 'statements'] as const) {
    const [x, y] = [a?.[kind], b?.[kind]]
    if (x !== undefined && y !== undefined) sum[kind] = { found: x.found + y.found, covered: x.covered + y.covered }
  }
  return Object.keys(sum).length === 0 ? undefined : sum
}
