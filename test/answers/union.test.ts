import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RunEvidence } from '../../src/answers/run-evidence.ts'
import { hiddenLines, sumBoth, sumStates, uniteRuns, uniteStates } from '../../src/answers/union.ts'
import type { LineStates } from '../../src/history/states.ts'
import { fromSorted, intersect, parseLines, printLines } from '../../src/record/lines.ts'
import { type TestType, testTypes } from '../../src/record/record.ts'

const names = ['covered', 'partial', 'missed'] as const

/** A state for each of some lines, in an array: what the plain loops below work on. */
const plainStates = fc.array(fc.constantFrom(undefined, ...names), { maxLength: 24 })
type Plain = readonly ((typeof names)[number] | undefined)[]

const toStates = (plain: Plain): LineStates => {
  const of = (name: string) => fromSorted(plain.flatMap((state, i) => (state === name ? [i + 1] : [])))
  return { covered: of('covered'), partial: of('partial'), missed: of('missed') }
}
const toPlain = (states: LineStates): Plain => {
  const plain: (typeof names)[number][] = []
  for (const name of names)
    for (let i = 0; i < states[name].length; i += 2)
      for (let line = states[name][i]!; line <= states[name][i + 1]!; line++) plain[line - 1] = name
  return Array.from(plain)
}

/** Line by line: the best that one of them says. */
function uniteByLoop(all: readonly Plain[]): Plain {
  const lines: (typeof names)[number][] = []
  for (const plain of all)
    for (const [i, state] of plain.entries()) {
      const known = lines[i]
      if (state !== undefined && (known === undefined || names.indexOf(state) < names.indexOf(known))) lines[i] = state
    }
  return Array.from(lines)
}

const aRun = fc.record({
  testType: fc.constantFrom(...testTypes),
  suite: fc.constantFrom('api', 'web'),
  files: fc.uniqueArray(
    fc.record({
      path: fc.constantFrom('a.c', 'b.c', 'c.c'),
      definition: fc.constantFrom('gcov@1', 'lcov.da@1'),
      plain: plainStates,
    }),
    { selector: ({ path, definition }) => `${path} ${definition}`, maxLength: 6 },
  ),
})
type PlainRun = { testType: TestType; suite: string; files: { path: string; definition: string; plain: Plain }[] }

const toEvidence = ({ testType, suite, files }: PlainRun, i: number): RunEvidence => ({
  ledger: `main/${testType}`,
  testType,
  run: `r${i}`,
  suite,
  commit: '',
  seq: i,
  seal: {},
  totals: [],
  files: files.map(({ plain, ...rest }) => ({ ...rest, blob: undefined, states: toStates(plain) })),
})

describe('intersect', () => {
  it('has the lines that both sets have', () => {
    fc.assert(
      fc.property(plainStates, plainStates, (a, b) => {
        const [x, y] = [toStates(a).covered, toStates(b).covered]
        const both = a.flatMap((state, i) => (state === 'covered' && b[i] === 'covered' ? [i + 1] : []))
        expect(printLines(intersect(x, y))).toBe(printLines(fromSorted(both)))
      }),
    )
    expect(printLines(intersect(parseLines('1-9,20-30'), parseLines('5-25')))).toBe('5-9,20-25')
  })
})

describe('uniteStates', () => {
  it('says of each line the best that one of them says', () => {
    fc.assert(
      fc.property(fc.array(plainStates, { maxLength: 5 }), (all) => {
        expect(toPlain(uniteStates(all.map(toStates)))).toEqual(uniteByLoop(all))
      }),
    )
  })
})

describe('uniteRuns', () => {
  it('unites each path by definition, test type and suite, whatever the order of the runs', () => {
    fc.assert(
      fc.property(fc.array(aRun, { maxLength: 5 }), (runs) => {
        const evidence = runs.map(toEvidence)
        const united = uniteRuns(evidence)
        expect(uniteRuns(evidence.toReversed())).toEqual(united)
        const told = runs.flatMap(({ testType, suite, files }) => files.map((file) => ({ testType, suite, ...file })))
        expect(united.map(({ path }) => path)).toEqual([...new Set(told.map(({ path }) => path))].sort())
        for (const { path, measures } of united) {
          const ofPath = told.filter((one) => one.path === path)
          expect(measures.map(({ definition }) => definition)).toEqual([...new Set(ofPath.map((one) => one.definition))].sort()) // oxfmt-ignore
          for (const { definition, suites, comparable, ...byType } of measures) {
            const of = ofPath.filter((one) => one.definition === definition)
            for (const type of testTypes) {
              const own = of.filter(({ testType }) => testType === type).map(({ plain }) => plain)
              const states = byType[type]
              expect(states && toPlain(states)).toEqual(own.length === 0 ? undefined : uniteByLoop(own))
            }
            for (const { testType, suite, states } of suites)
              expect(toPlain(states)).toEqual(uniteByLoop(of.filter((one) => one.testType === testType && one.suite === suite).map(({ plain }) => plain))) // oxfmt-ignore
            const typesOf = (some: typeof of) => new Set(some.map(({ testType }) => testType)).size
            expect(comparable).toBe(typesOf(of) === typesOf(ofPath))
          }
        }
      }),
    )
  })
})

describe('the sums', () => {
  it('are those of counting line by line, and add up', () => {
    fc.assert(
      fc.property(fc.option(plainStates), fc.option(plainStates), (a, b) => {
        const [unit, integration] = [a, b].map((one) => one?.map((state) => state) ?? undefined)
        const measure = { unit: unit && toStates(unit), integration: integration && toStates(integration) }
        const length = Math.max(unit?.length ?? 0, integration?.length ?? 0)
        const counted = { found: 0, executed: 0, only_unit: 0, only_integration: 0, both: 0, none: 0 }
        const hidden: number[] = []
        for (let i = 0; i < length; i++) {
          const [x, y] = [unit?.[i], integration?.[i]]
          if (x === undefined && y === undefined) continue
          const [isUnit, isIntegration] = [x, y].map((state) => state === 'covered' || state === 'partial')
          counted.found += 1
          if (isUnit || isIntegration) counted.executed += 1
          if (isUnit && isIntegration) counted.both += 1
          else if (isUnit) counted.only_unit += 1
          else if (isIntegration) counted.only_integration += 1
          else counted.none += 1
          if (isIntegration && !isUnit) hidden.push(i + 1)
        }
        expect(sumBoth([measure])).toEqual({ files: 1, ...counted })
        expect(counted.only_unit + counted.only_integration + counted.both + counted.none).toBe(counted.found)
        expect(hiddenLines(measure)).toEqual(fromSorted(hidden))
        const sums = sumStates(measure.unit === undefined ? [] : [measure.unit])
        expect(sums.covered + sums.partial + sums.missed).toBe(sums.found)
        expect(sums.found).toBe((unit ?? []).filter((state) => state !== undefined).length)
      }),
    )
  })
})
