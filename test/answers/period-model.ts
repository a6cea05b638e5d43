import type { ModelRecord } from '../history/model.ts'
import { orderRuns } from '../history/model-order.ts'
import { type ModelContract, askReportModel } from './report-model.ts'

/** The report of a period in plain loops: that of the model at both ends, and at each deployment between them. Rules from docs/reports.md. */

export interface ModelPeriod {
  repository: string
  ref: string
  /** recorded_at, half-open. */
  from: number
  to: number
}

const text = (record: ModelRecord, field: string): string => record.fields[field] as string

export function askPeriodModel(all: readonly ModelRecord[], contract: ModelContract | undefined, { repository, ref, from, to }: ModelPeriod) {
  const records = all.filter((one) => text(one, 'repository') === repository)
  const reportOf = (commit: string, before: number, reason: string) => {
    const { complete, missing, answered_from, figures, not_measured } = askReportModel(records, contract, { repository, commit, before, reason })
    return { complete, missing, answered_from, figures, not_measured: not_measured?.length ?? null }
  }
  const standing = (before: number) => {
    const runs = records
      .filter((one) => text(one, 'kind') === 'seal' && one.fields['admitted'] === true)
      .filter((seal) => ((seal.fields['ref'] as string | undefined) ?? '') === ref && seal.recordedAt < before)
      .map((seal) => ({ seal, commit: text(seal, 'commit') }))
    if (runs.length === 0) return null
    const { order, isLeft } = orderRuns(records, runs)
    const commit = order.filter((one) => !isLeft(one)).at(-1)!
    return { commit, ...reportOf(commit, before, 'after_period') }
  }
  const deployments = records
    .filter((one) => text(one, 'kind') === 'deployment' && one.recordedAt >= from && one.recordedAt < to)
    .sort((a, b) => a.seq - b.seq)
    .map((one) => {
      const { not_measured: _, figures, ...report } = reportOf(text(one, 'commit'), one.recordedAt, 'after_deployment')
      const sums = Object.entries(figures).map(([definition, { suites: __, ...rest }]) => [definition, rest])
      return { deployment: text(one, 'deployment'), ...report, figures: Object.fromEntries(sums) }
    })
  return { start: standing(from), end: standing(to), deployments }
} // oxfmt-ignore
