import { type Event, type History, createRandom, makeHistory } from '../history/random-history.ts'
import type { RunToRecord } from '../support/record-runs.ts'
import type { PlainContract, PlainLimits, PlainSuite } from './gate-model.ts'

/** A random history in two halves, with a contract of its own, or none, in each; and all that makes the evidence of a commit incomplete. */
export interface GateWorld extends History {
  /** Indices of events, in the order in which they arrive. */
  halves: [readonly number[], readonly number[]]
  contracts: [PlainContract | undefined, PlainContract | undefined]
  files: readonly string[]
}

/** What repositories inherit in the second half. */
export const orgContract: PlainContract = {
  version: 1,
  refs: ['refs/heads/*'],
  production: { include: ['**/*.ts'], exclude: [{ glob: 'lib/**', reason: 'ours' }] },
  thresholds: { integration: { lines: 33.33 } },
}

const percents = [0, 12.5, 33.33, 33.34, 50, 57.1428, 57.1429, 66.66, 66.67, 75, 80.1, 100, 0.0001]
const notAdmitted = [['no_tests'], ['outcome_aborted'], ['late'], ['outcome_failed', 'late'], ['identity_weak']]

export function makeGateWorld(seed: number): GateWorld {
  const random = createRandom(seed + 9_000_000)
  const chance = (n: number): boolean => random(n) === 0
  const one = <T>(list: readonly T[]): T => list[random(list.length)]!
  const files = one([
    ['src/a.ts', 'src/gen/b.ts', 'lib/c.ts'],
    ['src/a.ts', 'src/b.ts', 'src/c.ts'],
    ['a.ts', 'src/a.ts', 'src/gen/deep/a.ts'],
  ])
  const history = makeHistory(seed, { names: files, merges: true, moreRuns: 2 })
  const events = history.events.map((event) => spoil(event, random))

  const limits = (): PlainLimits => ({
    ...(chance(3) ? {} : { lines: one(percents) }),
    ...(chance(3) ? { changed_lines: one(percents) } : {}),
  })
  const suite = (name: string, test_type: string, required: boolean): PlainSuite => ({
    name,
    test_type,
    ...(required ? {} : { required }),
    ...(chance(2) ? { owner: `team-${name}` } : {}),
    ...(chance(2) ? { thresholds: limits() } : {}),
  })
  const suites = (): PlainSuite[] => [
    suite('api', 'unit', !chance(3)),
    ...(chance(2) ? [suite('e2e', 'integration', chance(3))] : []),
    ...(chance(3) ? [suite('api', 'integration', chance(3))] : []),
    ...(chance(9) ? [suite('slow', 'unit', true)] : []),
  ]
  const globs = ['src/**', 'src/**', '**/*.ts', '**/*.ts', 'src/*.ts', '{src,lib}/**', 'src/**/[ab].ts', '*.ts', '**/gen/**', 'src/[!a].ts']
  const production = (): NonNullable<PlainContract['production']> => ({
    include: chance(2) ? [one(globs)] : [one(globs), one(globs)],
    exclude: chance(3) ? [{ glob: one(globs), reason: 'not ours' }] : [],
  })
  const contract = (): PlainContract => ({
    version: 1,
    refs: one([['refs/heads/main'], ['refs/heads/*'], ['refs/heads/ma[i-k]n', 'refs/heads/other'], ['refs/heads/release/**']]),
    ...(chance(3) ? { inherit: false } : {}),
    ...(chance(4) ? { mode: one(['observe', 'enforce']) } : {}),
    ...(chance(4) ? {} : { production: production() }),
    ...(chance(2) ? {} : { suites: suites() }),
    ...(chance(6) ? {} : { thresholds: { ...(chance(4) ? {} : { unit: limits() }), ...(chance(4) ? { integration: limits() } : {}) } }),
  })
  const first = chance(5) ? undefined : contract()
  const shuffled = events.map((_, at) => [random(1_000_000), at] as const).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, at]) => at)
  const cut = Math.ceil((shuffled.length * (4 + random(6))) / 10)
  return {
    ...history,
    events,
    files,
    halves: [shuffled.slice(0, cut), shuffled.slice(cut)],
    contracts: [first, chance(2) ? first : contract()],
  }
} // oxfmt-ignore

/** Runs that do not count or never end, files that are not in the inventory, or in it as another version. */
function spoil(event: Event, random: (n: number) => number): Event {
  const chance = (n: number): boolean => random(n) === 0
  if (event.kind === 'inventory') {
    const path = Object.keys(event.files).at(-1)
    if (path === undefined || !chance(12)) return event
    const { [path]: _, ...rest } = event.files
    return { ...event, files: chance(2) ? rest : { ...event.files, [path]: 'f'.repeat(40) } }
  }
  if (event.kind === 'maps') return event
  const run: RunToRecord = { ...event.run, reasons: chance(6) ? notAdmitted[random(notAdmitted.length)]! : [] }
  if (chance(12)) run.ending = chance(2) ? 'none' : 'abandoned'
  // All parts of a run take blobs from one inventory.
  const path = run.parts[0]?.files[0]?.path
  if (chance(12)) run.parts = run.parts.map((part) => ({ ...part, files: part.files.map((file) => (file.path === path && file.blob !== undefined ? { ...file, blob: 'e'.repeat(40) } : file)) }))
  return { ...event, run }
} // oxfmt-ignore

/** First-level keys that a contract has not come from the default of the org, each as a whole. */
export function holding(own: PlainContract | undefined, org: PlainContract | undefined): PlainContract | undefined {
  if (own === undefined) return org
  return own.inherit === false ? own : { ...org, ...own }
}
