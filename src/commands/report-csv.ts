import type { ReportAnswer } from '../api/report-shapes.ts'
import { csvLine } from '../verify/csv.ts'

const columns = ['repository', 'commit', 'as_of', 'path', 'blob', 'definition', 'test_type', 'found', 'covered', 'partial', 'missed', 'executed'] // oxfmt-ignore

/** One line for each file, definition and test type that measured it; a production file that nobody measured has one without figures. Pure. */
export function reportCsv({ repository, subject, as_of: asOf, files, not_measured: unmeasured }: ReportAnswer): string {
  const of = [repository, subject.commit, asOf]
  const lines = files.flatMap(({ path, blob, figures }) =>
    figures.flatMap(({ definition, ...byType }) =>
      (['unit', 'integration'] as const).flatMap((type) => {
        const sums = byType[type]
        if (sums === null) return []
        const { found, covered, partial, missed, executed } = sums
        return [csvLine([...of, path, blob, definition, type, found, covered, partial, missed, executed])]
      }),
    ),
  )
  const nothing = columns.slice(of.length + 1).map(() => undefined)
  const without = (unmeasured ?? []).map((path) => csvLine([...of, path, ...nothing]))
  return [csvLine(columns), ...lines, ...without].join('')
}
