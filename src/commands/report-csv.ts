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

/** Of the lists that lines are made of, those that have more than is there: a table that ends early does not say so itself. */
export function cutLists({ cut = {}, files, not_measured: unmeasured }: Pick<ReportAnswer, 'cut' | 'files' | 'not_measured'>): string[] {
  const shown = { files: files.length, not_measured: unmeasured?.length ?? 0 }
  return (['files', 'not_measured'] as const).flatMap((name) => {
    const all = cut[name]
    return all === undefined ? [] : [`note: ${shown[name]} of ${all} ${name === 'files' ? 'files' : 'files that no test measured'} are in this table: ask for the others by the beginning of their paths, with --files`]
  })
} // oxfmt-ignore
