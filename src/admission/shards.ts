import type { Shard, TestTotals } from '../api/runs.ts'
import type { PartSummary } from './run.ts'

/**
 * Pure: which parts of a run count when it is sealed. A run may be pushed by several jobs, each with one or more parts: a shard. A part that
 * says nothing of a shard is one by itself. Of each shard the highest complete attempt counts; a shard that this run did not bring may come
 * from an earlier attempt of the same tests ("re-run failed jobs").
 */

export interface RecordedPart {
  run: string
  part: string
  /** Of its part record. */
  seq: number
  summary: PartSummary
}

export interface ShardState {
  name: string
  complete: boolean
  parts: RecordedPart[]
  outcome: Shard['outcome']
  /** null: unknown. */
  tests: TestTotals | null
}

export interface Counting {
  shards: ShardState[]
  /** Names of own shards that do not count because parts are missing. */
  incomplete: string[]
  /** Own parts that do not count: of an older attempt of a shard, or of one that is not complete. */
  leftOut: string[]
  outcome: Shard['outcome']
  tests: TestTotals | null
}

/** `earlier` are the parts of earlier attempts, the newest attempt first. */
export function countingShards(
  own: readonly RecordedPart[],
  earlier: readonly (readonly RecordedPart[])[] = [],
): Counting {
  const counting = new Map<string, ShardState>()
  const seen = new Set<string>()
  for (const [index, parts] of [own, ...earlier].entries()) {
    for (const shard of newestShards(parts)) {
      if (index === 0) seen.add(shard.name)
      if (shard.complete && !counting.has(shard.name)) counting.set(shard.name, shard)
    }
  }
  const shards = [...counting.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const counted = new Set(shards.flatMap(({ parts }) => parts))
  return {
    shards,
    incomplete: [...seen].filter((name) => !counting.has(name)).toSorted(),
    leftOut: own.filter((part) => !counted.has(part)).map(({ part }) => part),
    outcome: worstOf(shards),
    tests: sumTests(shards),
  }
}

/** Of each name the highest attempt that is complete, else the highest. */
function newestShards(parts: readonly RecordedPart[]): ShardState[] {
  const byName = new Map<string, Map<number, RecordedPart[]>>()
  for (const part of parts) {
    const { name, attempt = 1 } = part.summary.shard ?? { name: part.part }
    const attempts = byName.get(name) ?? new Map<number, RecordedPart[]>()
    byName.set(name, attempts.set(attempt, [...(attempts.get(attempt) ?? []), part]))
  }
  return [...byName].flatMap(([name, attempts]) => {
    const newestFirst = [...attempts].toSorted(([a], [b]) => b - a).map(([, found]) => toShard(name, found))
    return newestFirst.find(({ complete }) => complete) ?? newestFirst.slice(0, 1)
  })
}

function toShard(name: string, parts: RecordedPart[]): ShardState {
  const said = parts.map(({ summary }) => summary.shard)
  const [first] = said
  const tests = first?.tests ?? null
  // Every part of a push says the same totals. Where they differ nobody knows which are right.
  const agreed = said.every((shard) => JSON.stringify(shard?.tests ?? null) === JSON.stringify(tests))
  return {
    name,
    complete: parts.length >= Math.max(...said.map((shard) => shard?.parts ?? 1)),
    parts,
    outcome: worstOf(said.map((shard) => ({ outcome: shard?.outcome ?? 'completed' }))),
    tests: agreed ? tests : null,
  }
}

/** Of a seal that says none: the worst of the shards; test totals that it brings itself count with them. */
export function outcomeOf({ outcome }: Counting, brought: TestTotals | null | undefined): Shard['outcome'] {
  return outcome === 'completed' && (brought?.failed ?? 0) > 0 ? 'failed' : outcome
}

function worstOf(outcomes: readonly { outcome: Shard['outcome'] }[]): Shard['outcome'] {
  const found = new Set(outcomes.map(({ outcome }) => outcome))
  return found.has('aborted') ? 'aborted' : found.has('failed') ? 'failed' : 'completed'
}

/** Unknown as soon as one shard's are. */
function sumTests(shards: readonly ShardState[]): TestTotals | null {
  const sum: TestTotals = { total: 0, passed: 0, failed: 0, skipped: 0 }
  for (const { tests } of shards) {
    if (tests === null) return null
    sum.total += tests.total
    sum.passed += tests.passed
    sum.failed += tests.failed
    sum.skipped += tests.skipped
  }
  return shards.length === 0 ? null : sum
}
