import { describe, expect, it } from 'vitest'
import { type GapsInput, findGaps } from '../../src/answers/find-gaps.ts'
import type { WantedSuite } from '../../src/answers/wanted-suites.ts'
import { dayMicros } from '../../src/history/evidence-days.ts'
import type { DeclaredRun, Rejection, RunFacts } from '../../src/history/ledger-history.ts'
import { createRandom } from '../history/random-history.ts'
import { askGapsModel } from './gaps-model.ts'

/** Gaps of random histories must be what the model says of them. PROOFLINE_GAPS sets how many, PROOFLINE_SEED where they begin. */
const histories = Number(process.env['PROOFLINE_GAPS'] ?? 3_000)
const firstSeed = Number(process.env['PROOFLINE_SEED'] ?? 1)

/** Eight steps a day, so that much happens at the same time and at the very edges. */
const step = dayMicros / 8
const stepsOfDay = 8
const suites = ['api', 'web', 'docs', 'stray']
const reasons = ['no_tests', 'outcome_failed', 'late', 'abandoned']
const main = 'refs/heads/main'

function makeInput(seed: number): GapsInput {
  const random = createRandom(seed)
  const chance = (n: number): boolean => random(n) === 0
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T // not empty
  const length = 8 + random(60)
  const commits = Array.from({ length: 1 + random(8) }, (_, i) => ({ commit: `c${i}`, at: random(length) })).sort((a, b) => a.at - b.at || (a.commit < b.commit ? -1 : 1)) // oxfmt-ignore
  // A commit has one set of production files, and some have the same.
  const production = new Map(commits.map(({ commit }) => [commit, chance(2) ? `p${random(5)}` : undefined]))
  const factsOf = () => {
    const runs: RunFacts[] = []
    const declared: DeclaredRun[] = []
    const rejections: Rejection[] = []
    for (let i = random(24); i > 0; i--) {
      const at = random(length)
      const own = { seq: at, run: `r${i}`, suite: pick([...suites, 'stray', 'stray']), ref: chance(4) ? 'refs/heads/x' : main, commit: pick(commits).commit, recordedAt: at } // oxfmt-ignore
      if (!chance(6)) declared.push(own)
      const why = chance(2) ? [] : [pick(reasons), ...(chance(3) ? ['no_parts'] : [])]
      const sealedAt = Math.min(length, at + random(4))
      if (!chance(4)) runs.push({ ...own, recordedAt: sealedAt, seq: sealedAt, reasons: why, production: production.get(own.commit), base: -1, parts: [] }) // oxfmt-ignore
      if (chance(4)) rejections.push({ seq: at, recordedAt: Math.min(length, at + random(9)), run: chance(4) ? undefined : `r${random(26)}`, commit: chance(3) ? undefined : pick(commits).commit, reason: pick(['part_conflict', 'run_conflict']) }) // oxfmt-ignore
    }
    const inOrder = (a: { seq: number }, b: { seq: number }): number => a.seq - b.seq
    return { runs: runs.sort(inOrder), declared: declared.sort(inOrder), rejections: rejections.sort(inOrder) }
  }
  const facts = { unit: factsOf(), integration: factsOf() }
  const told = [facts.unit, facts.integration].flatMap((one) => [...one.runs, ...one.declared, ...one.rejections])
  // Often that of the last record, as asked; at times a later one, since other ledgers have records too.
  const newest = Math.max(1, ...told.map(({ recordedAt }) => recordedAt))
  const moment = chance(3) ? newest + random(20) : newest
  const from = chance(5) ? moment + random(6) - 1 : random(length)
  const wanted = (suite: string, cadence: WantedSuite['cadence']): WantedSuite => {
    const testType = pick(['unit', 'integration'] as const)
    return { testType, suite, since: chance(2) ? 0 : random(length), cadence, named: { name: suite, test_type: testType, required: true } } // oxfmt-ignore
  }
  const stray: WantedSuite = { testType: 'unit', suite: 'stray', since: 0, cadence: undefined, named: undefined }
  return {
    suites: [wanted('api', 1 + random(12)), wanted('web', 'commit'), wanted('docs', undefined), stray],
    facts, commits, moment,
    isTracked: (ref) => ref === main,
    window: { from, to: chance(6) ? Math.max(from + 1, moment) : from + 1 + random(60) },
  } // oxfmt-ignore
}

/** The same with every time in microseconds. */
function toMicros(input: GapsInput): GapsInput {
  const move = <T extends { recordedAt: number }>(rows: readonly T[]): T[] => rows.map((row) => ({ ...row, recordedAt: row.recordedAt * step })) // oxfmt-ignore
  const moveFacts = ({ runs, declared, rejections }: GapsInput['facts']['unit']) => ({ runs: move(runs), declared: move(declared), rejections: move(rejections) }) // oxfmt-ignore
  return {
    isTracked: input.isTracked,
    suites: input.suites.map((one) => ({ ...one, since: one.since * step, cadence: typeof one.cadence === 'number' ? one.cadence * step : one.cadence })),
    facts: { unit: moveFacts(input.facts.unit), integration: moveFacts(input.facts.integration) },
    commits: input.commits.map(({ commit, at }) => ({ commit, at: at * step })),
    window: { from: input.window.from * step, to: input.window.to * step },
    moment: input.moment * step,
  }
} // oxfmt-ignore

/** In the form of the model. */
const ask = (input: GapsInput) =>
  findGaps(toMicros(input)).map(({ gaps }) =>
    gaps.map(({ commit, from, to, days, open, reasons: why, runs }) => ({
      ...(commit === undefined ? {} : { commit }),
      from: from / step,
      to: to === undefined ? undefined : to / step,
      ...(days === undefined ? {} : { days }),
      open,
      reasons: Object.fromEntries(why),
      runs: runs.map(({ run }) => run),
    })),
  )

describe('gaps of random histories', () => {
  it('are those of the model, for every cadence, as of any moment and in any window', () => {
    const seen = new Map<string, number>()
    const count = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1)
    for (let seed = firstSeed; seed < firstSeed + histories; seed++) {
      const input = makeInput(seed)
      const found = ask(input)
      for (const [i, wanted] of input.suites.entries()) {
        const expected = askGapsModel(input, wanted, stepsOfDay)
        expect({ seed, suite: wanted.suite, gaps: found[i] }).toEqual({ seed, suite: wanted.suite, gaps: expected })
        for (const { open, reasons: why, from } of expected) {
          count(wanted.suite)
          if (open) count(`${wanted.suite} open`)
          if (from < input.window.from) count('from before the window')
          for (const reason of Object.keys(why)) count(`${wanted.suite} ${reason}`)
        }
        if (input.window.from >= input.moment) count('window behind the moment')
        const tried = [...input.facts[wanted.testType].runs, ...input.facts[wanted.testType].rejections]
        if (expected.some(({ open, days, to }) => open && days === undefined && tried.some(({ recordedAt }) => recordedAt === to))) count('ends with what was tried last') // oxfmt-ignore
      }
    }
    // The histories have what is difficult in them.
    const cases = suites.flatMap((suite) => [suite, ...['no_run', 'unsealed', 'part_conflict', ...reasons].map((reason) => `${suite} ${reason}`), ...(suite === 'web' ? [] : [`${suite} open`])]) // oxfmt-ignore
    const rare = [...cases, 'from before the window', 'window behind the moment', 'ends with what was tried last'].filter((what) => (seen.get(what) ?? 0) < histories / 300) // oxfmt-ignore
    expect(rare).toEqual([])
  })
})
