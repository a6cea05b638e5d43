import type { ReportAnswer } from '../api/report-shapes.ts'
import { printPercent } from '../record/percent.ts'
import { printBy } from './print-by.ts'
import { oneLine, printTable } from './terminal.ts'
import { count } from './count.ts'

/** A report for people: pure. */

const shownFiles = 15
const shownRuns = 10

export function printReport(answer: ReportAnswer): string {
  const { repository, subject, as_of: asOf, rules, runs, left_out: left, refused, hidden } = answer
  const named = [
    `commit ${subject.commit}`,
    ...(subject.build === undefined ? [] : [`build ${subject.build.build}`]),
    ...(subject.deployment === undefined ? [] : [`deployment ${subject.deployment.deployment} of ${subject.deployment.recorded_at.slice(0, 16)}Z`]),
  ]
  return [
    oneLine(`${repository}, ${named.join(', ')}`),
    `as of ${asOf}, by ${rules}`,
    ...printStanding(answer),
    ...answer.figures.flatMap(printFigures),
    ...(answer.figures.length === 0 ? ['', 'nothing was measured'] : []),
    ...section(hidden, 'where integration hides a unit gap', ({ path, lines, unit, ranges }) => [path, count(lines, 'line'), unit === 'missed' ? 'unit misses them' : 'unit did not measure it', ranges.slice(0, 60)]),
    ...(answer.not_measured === null ? [] : section(answer.not_measured, 'production files that no test measured', (path) => [path])),
    ...section(answer.not_comparable, 'measured by different definitions', ({ path, unit, integration }) => [path, `unit ${unit.join(', ')}`, `integration ${integration.join(', ')}`]),
    ...section(answer.blob_differs, 'of which runs name different contents', (path) => [path]),
    ...section(answer.dispositions, 'notes on files', ({ path, lines, note, verdict, lapsed, by }) => [lines === undefined ? path : `${path}:${lines}`, lapsed === undefined ? (verdict ?? '') : `lapsed (${lapsed})`, printBy(by), note]),
    ...printChanged(answer),
    ...section(runs, 'runs that count', ({ test_type, suite, run, recorded_at }) => [test_type, suite, run, recorded_at.slice(0, 16)], shownRuns),
    ...section(left, 'runs left out', ({ test_type, suite, run, reasons }) => [test_type, suite, run, reasons.join(', ')], shownRuns),
    ...section(refused, 'refused pushes', ({ test_type, run, reason }) => [test_type, run ?? 'no run', reason], shownRuns),
  ].join('\n')
} // oxfmt-ignore

function printStanding({ complete, reason, missing, answered_from: from, production, own }: ReportAnswer): string[] {
  return [
    ...(complete ? ['complete: every required suite has a run that counts'] : []),
    ...(reason === 'no_contract' ? ['incomplete: no contract says which suites there are to be'] : []),
    ...(reason === 'no_run' ? ['incomplete: no suite is required, and no run counts'] : []),
    ...missing.map((one) => oneLine(`incomplete: ${printMissing(one)}`)),
    ...(from === null ? [] : [`answered from commit ${from.commit}, which has the same production files${own === undefined || own.missing.length === 0 ? '' : ` (of its own it lacks ${own.missing.join(', ')})`}`]),
    ...(production === 'contract' ? [] : ['no contract says what production is: these are all measured files']),
  ]
} // oxfmt-ignore

export function printMissing({ test_type: type, suite, owner, reasons }: ReportAnswer['missing'][number]): string {
  return `no run of ${type}/${suite} counts${owner === null ? '' : ` (${owner})`}: ${reasons.join(', ')}`
}

function printFigures({ definition, unit, integration, both, not_comparable: apart, suites }: ReportAnswer['figures'][number]): string[] {
  const row = (name: string, { files, found, executed }: { files: number; found: number; executed: number }): string[] => [
    name, count(files, 'file'), `${executed} of ${count(found, 'line')}`, printPercent(executed, found),
  ]
  const ofType = (type: 'unit' | 'integration', sums: typeof unit) => [
    ...(sums === null ? [] : [row(type, sums)]),
    ...suites.filter((one) => one.test_type === type).map((one) => row(`  ${one.suite}`, one)),
  ]
  const table = [...ofType('unit', unit), ...ofType('integration', integration), row('together', both)]
  return [
    oneLine(`\n${definition}`).replace(/^/, '\n'),
    printTable(table.map(([name = '', ...cells]) => [`  ${oneLine(name) === name.trim() ? name : oneLine(name)}`, ...cells])).trimEnd(),
    `  only unit ${both.only_unit}, only integration ${both.only_integration}, both ${both.both}, none ${both.none}`,
    ...(apart.files === 0 ? [] : [`  and ${count(apart.files, 'file')} that the other test type measures by another definition`]),
  ]
} // oxfmt-ignore

function printChanged({ changed }: ReportAnswer): string[] {
  if (changed === null) return []
  const { against, suites, figures } = changed
  const since = against.deployment === undefined ? `commit ${against.commit.slice(0, 12)}` : `deployment ${against.deployment}`
  const rows = [
    ...suites.flatMap(({ test_type: type, suite, changes }) => changes.map(({ what, from, to }) => [`${type}/${suite}`, what, `${from ?? 'none'} -> ${to ?? 'none'}`])),
    ...figures.flatMap(({ definition, ...byType }) =>
      (['unit', 'integration'] as const).flatMap((type) => {
        const delta = byType[type]
        if (delta === null || (delta.files === 0 && delta.found === 0 && delta.executed === 0)) return []
        return [[`${type} ${definition}`, `lines ${signed(delta.found)}`, `executed ${signed(delta.executed)}`]]
      }),
    ),
  ]
  return ['', oneLine(`since ${since}${rows.length === 0 ? ': nothing changed' : ''}`), ...(rows.length === 0 ? [] : [indented(rows)])]
} // oxfmt-ignore

export const signed = (n: number): string => (n > 0 ? `+${n}` : String(n))

function section<T>(list: readonly T[], title: string, row: (one: T) => string[], most = shownFiles): string[] {
  if (list.length === 0) return []
  const more = list.length - most
  return ['', `${title}: ${list.length}`, indented(list.slice(0, most).map(row)), ...(more > 0 ? [`  and ${more} more (--json has them all)`] : [])] // oxfmt-ignore
}

const indented = (rows: readonly (readonly string[])[]): string =>
  printTable(rows.map((row) => row.map(oneLine))).trimEnd().replace(/^/gm, '  ') // oxfmt-ignore
