import { type TestType, testTypes } from '../record/record.ts'
import { type BothSums, type FileMeasure, type MeasuredFile, type Sums, sumBoth, sumStates } from './union.ts'

/** The sums of a report, per definition: what different definitions count is never added up. Pure. */

export interface DefinitionFigures {
  definition: string
  /** Null where no file was measured by this definition in tests of this type. */
  unit: Sums | null
  integration: Sums | null
  /** Of the files whose lines can be compared: the others are in `not_comparable`, and both together are all of them. */
  both: BothSums
  not_comparable: { files: number; unit: Sums | null; integration: Sums | null }
  suites: ({ test_type: TestType; suite: string } & Sums)[]
}

/** In order of the definitions. */
export function figuresOf(files: readonly MeasuredFile[]): DefinitionFigures[] {
  const measures = files.flatMap((file) => file.measures)
  return [...Map.groupBy(measures, ({ definition }) => definition)].toSorted(byName).map(([definition, of]) => {
    const apart = of.filter(({ comparable }) => !comparable)
    return {
      definition,
      unit: sumOfType(of, 'unit'),
      integration: sumOfType(of, 'integration'),
      both: sumBoth(of.filter(({ comparable }) => comparable)),
      not_comparable: { files: apart.length, unit: sumOfType(apart, 'unit'), integration: sumOfType(apart, 'integration') },
      suites: suitesOf(of),
    }
  })
} // oxfmt-ignore

const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : a > b ? 1 : 0)

function sumOfType(measures: readonly FileMeasure[], type: TestType): Sums | null {
  const own = measures.flatMap((one) => one[type] ?? [])
  return own.length === 0 ? null : sumStates(own)
}

function suitesOf(measures: readonly FileMeasure[]): DefinitionFigures['suites'] {
  const all = measures.flatMap(({ suites }) => suites)
  return testTypes.flatMap((type) => {
    const own = all.filter(({ testType }) => testType === type)
    return [...Map.groupBy(own, ({ suite }) => suite)]
      .toSorted(byName)
      .map(([suite, of]) => ({ test_type: type, suite, ...sumStates(of.map(({ states }) => states)) }))
  })
}
