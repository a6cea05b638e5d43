import type { DifferenceAnswer } from '../api/difference.ts'
import { oneLine, printTable } from './terminal.ts'
import { count } from './count.ts'

/** A difference for people: the two numbers, what leads from one to the other with the largest first, and where. Pure. */

type Side = DifferenceAnswer['a']
type Step = DifferenceAnswer['steps'][number]

const shownFiles = 10

export function printDifference(answer: DifferenceAnswer): string {
  const { repository, a, b, as_of: asOf, same } = answer
  return [
    `${oneLine(repository)}, as of ${asOf}`,
    '',
    printTable([sideRow('A', a), sideRow('B', b)]).trimEnd(),
    ...[...remarks('A', a), ...remarks('B', b)].map((line) => oneLine(line)),
    '',
    printTable(alignRight(['', 'found', 'executed', ''], walk(answer))).trimEnd(),
    '',
    `of ${count(same, 'line')} both say the same`,
    ...onlyLines(answer),
    ...(answer.files.length === 0
      ? []
      : ['', 'files', printTable(alignRight([], answer.files.slice(0, shownFiles).map((one) => [`  ${oneLine(one.path)}`, signed(one.found), signed(one.executed)]))).trimEnd()]),
  ].join('\n')
} // oxfmt-ignore

export function differenceMarkdown(answer: DifferenceAnswer): string {
  const { repository, a, b, as_of: asOf, same } = answer
  const cell = (text: string): string => oneLine(text).replaceAll('|', '\\|')
  const rows = walk(answer).map(([what = '', found = '', executed = '', percent = '']) => `| ${cell(what)} | ${found} | ${executed} | ${percent} |`) // oxfmt-ignore
  const files = answer.files.slice(0, shownFiles).map(({ path, found, executed }) => `| \`${cell(path)}\` | ${signed(found)} | ${signed(executed)} |`) // oxfmt-ignore
  return [
    `**${cell(a.subject)}** says ${percentOf(a.executed, a.found)}, **${cell(b.subject)}** says ${percentOf(b.executed, b.found)}. Why:`,
    '',
    '| | found | executed | |',
    '|---|---:|---:|---:|',
    ...rows,
    '',
    `Of ${count(same, 'line')} both say the same.`,
    ...[...remarks('A', a), ...remarks('B', b), ...onlyLines(answer)].map((line) => `- ${cell(line)}`),
    ...(files.length === 0 ? [] : ['', '| file | found | executed |', '|---|---:|---:|', ...files]),
    '',
    `<sub>\`proofline difference '${cell(a.subject)}' '${cell(b.subject)}' --repository ${cell(repository)} --as-of ${asOf}\`</sub>`,
    '',
  ].join('\n')
}

/** As reports print it: never rounded up, and 100 only where all of it was executed. */
export function percentOf(executed: number, found: number): string {
  if (found === 0) return 'no lines'
  const hundredths = Number((BigInt(executed) * 10_000n) / BigInt(found))
  return `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')} %`
}

function sideRow(letter: string, { subject, found, executed, files, definition, counts, tools }: Side): string[] {
  const of = `${files}${counts === 'all' ? '' : ' production'} ${files === 1 ? 'file' : 'files'}${counts === 'all' ? ', all that were measured' : ''}`
  const by = tools.length === 0 ? definition : `${definition} by ${tools.join(', ')}`
  return [
    letter,
    percentOf(executed, found),
    `${executed} of ${count(found, 'line')}`,
    oneLine(subject),
    of,
    oneLine(by),
  ]
}

function remarks(letter: string, { commit, answered_from: from, missing, runs }: Side): string[] {
  const left = runs.filter(({ admitted }) => !admitted)
  return [
    ...(from === undefined ? [] : [`${letter} has no complete runs of ${commit.slice(0, 12)}: answered from ${from.commit.slice(0, 12)}, which has the same production files`]),
    ...(missing.length === 0 ? [] : [`${letter} is incomplete: ${missing.map(({ test_type: type, suite, reasons }) => `${type} ${suite} (${reasons.join(', ')})`).join(', ')}`]),
    ...(left.length === 0 ? [] : [`${letter} is a run that does not count in reports`]),
  ]
} // oxfmt-ignore

/** From A to B, the step that changes most first: each row with where the number stands behind it. */
function walk({ a, b, steps }: DifferenceAnswer): string[][] {
  const rows = [['A', String(a.found), String(a.executed), percentOf(a.executed, a.found)]]
  let { found, executed } = a
  const size = (one: Step): number => Math.abs(one.found) + Math.abs(one.executed)
  for (const step of steps.toSorted((x, y) => size(y) - size(x))) {
    found += step.found
    executed += step.executed
    rows.push([`  ${explain(step, a, b)}`, signed(step.found), signed(step.executed), percentOf(executed, found)])
    for (const { glob, reason, files, found: of, executed: ran } of step.exclusions ?? [])
      rows.push([`    ${glob === null ? 'not included' : oneLine(`${glob}: ${reason ?? ''}`)} (${files})`, signed(of), signed(ran), '']) // oxfmt-ignore
  }
  return [...rows, ['B', String(b.found), String(b.executed), percentOf(b.executed, b.found)]]
}

function explain({ kind, side, reason, files, by = [], lines_a: linesA, lines_b: linesB }: Step, a: Side, b: Side): string {
  const [own, other] = side === 'b' ? ['B', 'A'] : ['A', 'B']
  const lines = count(Math.max(linesA, linesB), 'line')
  const of = count(files, 'file')
  const suites = by.map((one) => `${one.test_type} ${one.suite}`).join(', ')
  switch (kind) {
    case 'file_only':
      return `${of} only in ${own}: ${absences[reason ?? 'not_measured'](other)}`
    case 'line_only':
      return `${lines} that only ${own} counts as code${a.definition === b.definition ? '' : ` (${side === 'b' ? b.definition : a.definition})`}`
    case 'changed_line':
      return `${lines} that ${side === 'b' ? 'only B has' : 'B has no more'}, of ${of}`
    case 'changed_file':
      return `${of} changed, without line maps`
    case 'executed_by_other_suite':
      return `${lines} executed in ${own}, by suites that ${other} has not: ${suites}`
    case 'executed_only':
      return `${lines} executed in ${own}, and not by the same suite in ${other}: ${suites}`
  }
} // oxfmt-ignore

const absences: Record<NonNullable<Step['reason']>, (other: string) => string> = {
  excluded: (other) => `no production files, which is all that ${other} counts`,
  not_measured: (other) => `not measured by the runs of ${other}`,
  other_definition: (other) => `measured by another definition in ${other}`,
  not_comparable: (other) => `measured by different definitions in unit and integration of ${other}`,
  not_in_commit: (other) => `not in the inventory of ${other}'s commit`,
  no_inventory: (other) => `not measured in ${other}, whose commit has no inventory`,
}

function onlyLines({ only_a: onlyA, only_b: onlyB }: DifferenceAnswer): string[] {
  const print = (letter: string, { suites, runs }: DifferenceAnswer['only_a']): string[] => [
    ...(suites.length === 0 ? [] : [`suites only in ${letter}: ${suites.map((one) => `${one.test_type} ${one.suite}`).join(', ')}`]),
    ...(runs.length === 0 ? [] : [`runs only in ${letter}: ${runs.slice(0, 5).map(({ run }) => run).join(', ')}${runs.length > 5 ? `, and ${runs.length - 5} more` : ''}`]),
  ]
  return [...print('A', onlyA), ...print('B', onlyB)]
} // oxfmt-ignore

const signed = (value: number): string => (value > 0 ? `+${value}` : String(value))

/** Numbers end under each other; the first column stays as it is. */
function alignRight(head: readonly string[], rows: readonly (readonly string[])[]): string[][] {
  const all = head.length === 0 ? rows : [head, ...rows]
  const widths = (all[0] ?? []).map((_, i) => Math.max(...all.map((row) => (row[i] ?? '').length)))
  return all.map((row) => row.map((cell, i) => (i === 0 ? cell : cell.padStart(widths[i] ?? 0))))
}
