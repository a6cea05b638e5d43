import type { PeriodAnswer } from '../api/report-shapes.ts'
import { printPercent } from '../record/percent.ts'
import { csvLine } from '../verify/csv.ts'
import { printMissing, signed } from './print-report.ts'
import { code, table } from './report-markdown.ts'
import { oneLine, printTable } from './terminal.ts'
import { count } from './count.ts'

/** A period for people, for a pull request or a page, and for a spreadsheet: pure. */

type Deployment = PeriodAnswer['deployments'][number]
type Standing = NonNullable<PeriodAnswer['start']>

const title = 'production code executed by automated tests before release'

export function printPeriod(answer: PeriodAnswer): string {
  const { repository, ref, from, to, as_of: asOf, rules, start, end, changed, runs, suites, deployments } = answer
  const reasons = Object.entries(runs.reasons).map(([reason, count]) => `${reason} ${count}`)
  return [
    oneLine(`${repository} on ${ref === '' ? 'no ref' : ref}`),
    `${from.slice(0, 16)}Z to ${to.slice(0, 16)}Z, as of ${asOf}, by ${rules}`,
    '',
    ...printStanding('at the beginning', start),
    ...printStanding('at the end', end),
    ...(changed === null ? [] : changed.figures.flatMap(({ definition, both }) => (both === null ? [] : [oneLine(`  ${definition}: lines ${signed(both.found)}, executed ${signed(both.executed)}`).replace(/^/, '  ')]))),
    '',
    `${count(runs.counted, 'run counts', 'runs count')}, ${runs.left_out} do not${reasons.length === 0 ? '' : ` (${oneLine(reasons.join(', '))})`}`,
    printTable(suites.map(({ test_type, suite, runs: own, no_evidence: none, before_first_record: before = 0 }) => [`  ${test_type}`, oneLine(suite), count(own, 'run'), printDays(none, before)])).trimEnd(),
    '',
    `${title}: ${count(deployments.length, 'deployment')}`,
    ...(deployments.length === 0 ? [] : [printTable(rows(deployments).map((row) => [`  ${row[0] ?? ''}`, ...row.slice(1)].map((cell) => cell.trimEnd()))).trimEnd()]),
  ].join('\n')
} // oxfmt-ignore

function printStanding(when: string, standing: Standing | null): string[] {
  if (standing === null) return [`${when}: no evidence`]
  const { commit, figures, missing, not_measured: without } = standing
  const lines = figures.map(({ definition, both: { executed, found, only_unit: unit, only_integration: integration } }) =>
    `  ${definition}: ${executed} of ${count(found, 'line')}, ${printPercent(executed, found)} (only unit ${unit}, only integration ${integration})`,
  )
  return [
    `${when}: commit ${commit}`,
    ...lines.map((line) => `  ${oneLine(line)}`),
    ...missing.map((one) => `  incomplete: ${oneLine(printMissing(one))}`),
    ...(without === null || without === 0 ? [] : [`  ${count(without, 'production file')} that no test measured`]),
  ]
} // oxfmt-ignore

function printDays(none: PeriodAnswer['suites'][number]['no_evidence'], before: number): string {
  const days = none.reduce((sum, one) => sum + one.days, 0)
  const earlier = before === 0 ? '' : `, ${count(before, 'day')} before the first record`
  if (days === 0) return `every day has evidence${earlier}`
  const shown = none.slice(0, 3).map(({ from, days: own }) => (own === 1 ? from : `${from} and ${own - 1} more`))
  return `no evidence on ${count(days, 'day')}: ${shown.join(', ')}${none.length > shown.length ? ', ...' : ''}${earlier}`
}

/** One row for each definition; one without figures has a row that says so. */
function rows(deployments: readonly Deployment[]): string[][] {
  return deployments.flatMap((one) => {
    const head = [one.recorded_at.slice(0, 16), one.deployment, one.environment ?? '', one.decision]
    const state = one.complete ? 'complete' : (one.reason ?? `incomplete: ${one.missing.map(({ test_type, suite }) => `${test_type}/${suite}`).join(', ')}`) // oxfmt-ignore
    if (one.figures.length === 0) return [[...head, 'nothing measured', '', '', state].map(oneLine)]
    return one.figures.map(({ definition, both: { executed, found }, not_comparable: apart }) =>
      [...head, printPercent(executed, found), `${executed} of ${found}${printApart(apart)}`, definition, state].map(
        oneLine,
      ),
    )
  })
}

function printApart({ files, unit, integration }: Deployment['figures'][number]['not_comparable']): string {
  const parts = Object.entries({ unit, integration }).flatMap(([type, sums]) =>
    sums === null ? [] : [`${type} ${sums.executed} of ${sums.found}`],
  )
  return files === 0 ? '' : `, apart in ${count(files, 'file')}: ${parts.join(', ')}`
}

export function periodMarkdown({ repository, ref, from, to, as_of: asOf, rules, deployments }: PeriodAnswer): string {
  const head = ['recorded at', 'deployment', 'environment', 'gate', 'executed', 'lines', 'definition', 'evidence']
  const command = `proofline report --repository ${repository} --ref ${ref} --from ${from} --to ${to} --as-of ${asOf}`
  return [
    `### ${title.replace(/^p/, 'P')}`,
    deployments.length === 0 ? 'nothing was deployed' : table(head, rows(deployments).map((row) => row.map(code))),
    `as of ${code(asOf)} by ${code(rules)}; the same again: ${code(command)}`,
    '',
  ].join('\n\n').trimEnd().concat('\n')
} // oxfmt-ignore

const columns = ['repository', 'as_of', 'deployment', 'environment', 'build', 'commit', 'recorded_at', 'decision', 'complete', 'missing', 'definition', 'found', 'executed', 'percent', 'only_unit', 'only_integration', 'both', 'none', 'unit_found', 'unit_executed', 'integration_found', 'integration_executed'] // oxfmt-ignore

/** One line for each deployment and definition, with the parts that its percentage is made of. */
export function periodCsv({ repository, as_of: asOf, deployments }: PeriodAnswer): string {
  const lines = deployments.flatMap((one) => {
    const missing = one.missing.map(({ test_type: type, suite }) => `${type}/${suite}`).join(' ')
    const head = [repository, asOf, one.deployment, one.environment, one.build, one.commit, one.recorded_at, one.decision, String(one.complete), one.reason ?? missing]
    if (one.figures.length === 0) return [csvLine([...head, ...columns.slice(head.length).map(() => undefined)])]
    return one.figures.map(({ definition, both, unit, integration }) =>
      csvLine([
        ...head, definition, both.found, both.executed, printPercent(both.executed, both.found), both.only_unit, both.only_integration, both.both, both.none,
        unit?.found, unit?.executed, integration?.found, integration?.executed,
      ]),
    )
  })
  return [csvLine(columns), ...lines].join('')
} // oxfmt-ignore
