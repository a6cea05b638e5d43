import type { ReportAnswer } from '../api/report-shapes.ts'
import { printPercent } from '../record/percent.ts'
import { printMissing, signed } from './print-report.ts'
import { printBy } from './print-by.ts'
import { oneLine } from './terminal.ts'
import { count } from './count.ts'

/** A report for a pull request: short, what speaks against the number first. Pure. */

const shownHidden = 5
const shownFiles = 10
const shownNotes = 10

export function reportMarkdown(answer: ReportAnswer): string {
  const { subject, missing, reason, answered_from: from, figures, hidden, not_measured: unmeasured } = answer
  const paragraphs = [
    `### Coverage of ${code(subject.build?.build ?? subject.deployment?.deployment ?? subject.commit.slice(0, 12))}`,
    bullets([
      ...missing.map((one) => `**incomplete:** ${text(printMissing(one))}`),
      ...(reason === 'no_contract' ? ['no contract says which suites there are to be'] : []),
      ...(reason === 'no_run' ? ['no suite is required, and no run counts'] : []),
      ...(from === null ? [] : [`answered from ${code(from.commit.slice(0, 12))}, which has the same production files`]),
      ...(hidden.length === 0 ? [] : [`**integration hides a unit gap** of ${count(hidden.reduce((sum, { lines }) => sum + lines, 0), 'line')} in ${count(hidden.length, 'file')}: ${hidden.slice(0, shownHidden).map(({ path, lines }) => `${code(path)} ${lines}`).join(', ')}${hidden.length > shownHidden ? ', ...' : ''}`]),
      ...(unmeasured === null || unmeasured.length === 0 ? [] : [`**${count(unmeasured.length, 'production file')}** that no test measured: ${unmeasured.slice(0, shownHidden).map(code).join(', ')}${unmeasured.length > shownHidden ? ', ...' : ''}`]),
    ]),
    ...(figures.length === 0 ? ['nothing was measured'] : [headline(figures)]),
    bullets(changes(answer)),
    worstFiles(answer),
    bullets(notes(answer)),
    again(answer),
  ]
  return `${paragraphs.filter((one) => one !== '').join('\n\n')}\n`
} // oxfmt-ignore

function headline(figures: ReportAnswer['figures']): string {
  const cell = (sums: { executed: number; found: number } | null): string =>
    sums === null ? 'not measured' : `${printPercent(sums.executed, sums.found)} (${sums.executed} of ${sums.found})`
  return table(
    ['lines executed by', 'unit tests', 'integration tests', 'together', 'only integration'],
    figures.map(({ definition, unit, integration, both }) => [code(definition), cell(unit), cell(integration), cell(both), String(both.only_integration)]),
  )
} // oxfmt-ignore

function changes({ changed }: ReportAnswer): string[] {
  if (changed === null) return []
  const { against, suites, figures } = changed
  const since = code(against.deployment ?? against.commit.slice(0, 12))
  const moved = figures.flatMap(({ definition, ...byType }) =>
    (['unit', 'integration'] as const).flatMap((type) => {
      const delta = byType[type]
      if (delta === null || (delta.found === 0 && delta.executed === 0)) return []
      return [`${type} by ${code(definition)}: executed ${signed(delta.executed)}, lines ${signed(delta.found)}`]
    }),
  )
  const how = suites.flatMap(({ test_type: type, suite, changes: all }) =>
    all.map(({ what, from, to }) => `${type} ${code(suite)}: ${what} ${code(from ?? 'none')} -> ${code(to ?? 'none')}`),
  )
  return [...moved, ...how].map((one) => `since ${since}: ${one}`)
}

/** Those with the most lines that no test executes. */
function worstFiles({ files }: ReportAnswer): string {
  const rows = files.flatMap(({ path, figures }) =>
    figures.flatMap(({ definition, unit, integration, both }) => {
      const sums = both ?? unit ?? integration
      if (sums === null || sums.executed === sums.found) return []
      const cell = (one: typeof unit): string => (one === null ? 'not measured' : printPercent(one.executed, one.found))
      return [{ open: sums.found - sums.executed, path, cells: [code(path), code(definition), String(sums.found - sums.executed), cell(unit), cell(integration)] }]
    }),
  )
  if (rows.length === 0) return ''
  const worst = rows.toSorted((a, b) => b.open - a.open || (a.path < b.path ? -1 : 1)).slice(0, shownFiles)
  return table(['file', 'definition', 'lines not executed', 'unit', 'integration'], worst.map(({ cells }) => cells))
} // oxfmt-ignore

/** What people said of files: that it still holds, or why not, stands with it. */
function notes({ dispositions }: ReportAnswer): string[] {
  const shown = dispositions.slice(0, shownNotes).map(({ path, lines, note, verdict, lapsed, by }) => {
    const state = lapsed === undefined ? (verdict ?? '') : `lapsed (${lapsed})`
    return `${code(lines === undefined ? path : `${path}:${lines}`)}${state === '' ? '' : ` ${state}`}: ${text(note)} (${text(printBy(by))})`
  })
  const more = dispositions.length - shown.length
  return more > 0 ? [...shown, `and ${count(more, 'more note')} (--json has them all)`] : shown
}

function again({ repository, subject, as_of: asOf, rules }: ReportAnswer): string {
  const { commit, build, deployment } = subject
  const named = deployment !== undefined ? `--deployment ${deployment.deployment}` : build !== undefined ? `--build ${build.build}` : commit // oxfmt-ignore
  return `as of ${code(asOf)} by ${code(rules)}; the same again: ${code(`proofline report ${named} --repository ${repository} --as-of ${asOf}`)}`
}

const bullets = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join('\n')

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Names come from whoever pushes: in a span of code nothing is a link, a mention or HTML, and no table cell ends. */
export const code = (name: string): string => `\`${oneLine(name).replaceAll('`', "'").replaceAll('|', '\\|')}\``
const text = (line: string): string => oneLine(line).replaceAll(/[\\`*_[\]<>|@#]/g, (char) => `\\${char}`)
