import type { FilesAnswer, LinesAnswer } from '../api/history.ts'
import { oneLine, printTable } from './terminal.ts'
import { count } from './count.ts'
import { printBy } from './print-by.ts'

/** Histories for people: pure. */

type Head = Pick<
  LinesAnswer,
  | 'dispositions'
  | 'dispositions_left_out'
  | 'as_of'
  | 'repository'
  | 'path'
  | 'ref'
  | 'from'
  | 'to'
  | 'at'
  | 'order'
  | 'evidence'
>

export function printLineHistory(answer: LinesAnswer): string {
  const lines = answer.lines.flatMap(({ line, series }) => [
    `\nline ${line}`,
    ...series.flatMap(({ intervals, rewritten = [], ...name }) => [
      `  ${printName(name)}`,
      indent(printTable([...intervals.map((one) => row(one)), ...rewritten.map((one) => [...row(one), 'on commits that the ref left behind'])])),
    ]),
  ]) // oxfmt-ignore
  return [printHead(answer), ...lines, ...printNotes(answer), '', printEvidence(answer)].join('\n')
}

type Interval = LinesAnswer['lines'][number]['series'][number]['intervals'][number]

function row({ state, by_number: byNumber, runs, late, first, last }: Interval): string[] {
  const remarks = [
    ...(byNumber === true ? ['by number'] : []),
    ...(late === undefined ? [] : [`${late} late`]),
    ...(first.path === last.path ? [] : [oneLine(`${first.path ?? 'no file'} -> ${last.path ?? 'no file'}`)]),
  ]
  return [
    first.recorded_at.slice(0, 10),
    first.commit.slice(0, 12),
    state,
    count(runs, 'run'),
    `to ${last.recorded_at.slice(0, 10)} ${last.commit.slice(0, 12)}`,
    first.line === null ? '' : first.line === last.line ? `line ${first.line}` : `line ${first.line} -> ${last.line ?? 'none'}`,
    remarks.join(', '),
  ] // oxfmt-ignore
}

/** Lines that look the same at all columns are one row; columns are named below. */
export function printFileHistory(answer: FilesAnswer): string {
  const series = answer.series.flatMap(({ columns, rewritten = [], ...name }) => {
    const texts = columns.map(({ states }) => unfold(states))
    const rows: { from: number; to: number; text: string }[] = []
    for (let i = 0; i < answer.lines; i++) {
      const text = texts.map((column) => column[i] ?? ' ').join('')
      const last = rows.at(-1)
      if (last?.text === text) last.to = i + 1
      else rows.push({ from: i + 1, to: i + 1, text })
    }
    const table = rows.map(({ from, to, text }) => [from === to ? `${from}` : `${from}-${to}`, text])
    const named = columns.map(({ first, last, runs }, i) => [
      `${i + 1}`, first.recorded_at.slice(0, 10), first.commit.slice(0, 12), count(runs, 'run'), `to ${last.commit.slice(0, 12)}`,
    ])
    const left = rewritten.reduce((sum, { runs }) => sum + runs, 0)
    return [
      `\n${printName(name)}`,
      indent(printTable(table)),
      indent(printTable(named)),
      ...(left === 0 ? [] : [`  and ${count(left, 'run')} on commits that the ref left behind`]),
    ]
  }) // oxfmt-ignore
  const letters = Object.entries(answer.letters).map(([state, letter]) => `${letter} ${state}`)
  return [printHead(answer), ...series, ...printNotes(answer), '', `${letters.join(', ')}; capital letters go by number`, printEvidence(answer)].join('\n') // oxfmt-ignore
}

function printHead({ as_of: asOf, repository, path, ref, from, to, at, order }: Head): string {
  const by = order.by === 'ancestry' ? 'in the order of git' : `in the order of git, at ${count(order.undecided, 'place')} by ${order.by}` // oxfmt-ignore
  const where = ref === '' ? 'without a ref' : `on ${ref}`
  return [
    oneLine(`${path} of ${repository} ${where}, numbers as of ${at.commit.slice(0, 12)}`),
    `${from.slice(0, 10)} to ${to.slice(0, 10)}, as of ${asOf}: ${count(order.commits, 'commit')} ${by}`,
  ].join('\n')
}

function printNotes({ dispositions = [], dispositions_left_out: leftOut = 0, path: file }: Head): string[] {
  if (dispositions.length === 0 && leftOut === 0) return []
  const rows = dispositions.map(({ recorded_at: recordedAt, path, lines, at, by_number: isByNumber, verdict, lapsed, by, note }) => [
    recordedAt.slice(0, 10),
    at === undefined ? (path === file ? 'the file' : path) : at === null ? `${path}:${lines ?? ''}, not here` : `line ${at}${isByNumber === true ? ' by number' : ''}`,
    lapsed === undefined ? (verdict ?? '') : `lapsed (${lapsed})`,
    printBy(by),
    note,
  ])
  const shown = rows.length === 0 ? [] : [indent(printTable(rows.map((cells) => cells.map(oneLine))))]
  const more = leftOut === 0 ? [] : [`    and ${leftOut} older ones of the file, which were not looked at`]
  return ['\nnotes', ...shown, ...more]
} // oxfmt-ignore

function printName({
  test_type: testType,
  suite,
  definition,
}: {
  test_type: string
  suite: string
  definition: string
}) {
  return oneLine(`${testType} ${suite} (${definition})`)
}

const shownRanges = 8

function printEvidence({ evidence }: Head): string {
  return evidence
    .map(({ runs, left_out: leftOut, no_evidence: none, before_first_record: before = 0, same_production: same, ...name }) => {
      const days = none.reduce((sum, one) => sum + one.days, 0)
      const ranges = none.slice(-shownRanges).map(({ from, days: n }) => (n === 1 ? from : `${from} +${n}`))
      const more = none.length > shownRanges ? 'the last ' : ''
      const reasons = Object.entries(leftOut.reasons).map(([reason, count]) => `${reason} ${count}`)
      return [
        `${printName(name)}: ${count(runs, 'run counts', 'runs count')}${leftOut.runs === 0 ? '' : `, ${leftOut.runs} do not (${reasons.join(', ')})`}`,
        ...(days === 0 ? [] : [`  no evidence on ${count(days, 'day')}${ranges.length === 0 ? '' : `: ${more}${ranges.join(', ')}`}`]),
        ...(before === 0 ? [] : [`  ${count(before, 'day lies', 'days lie')} before the first record`]),
        ...(same.length === 0 ? [] : [`  the same production files as one that was measured on ${count(same.length, 'day')}`]),
      ].join('\n')
    })
    .join('\n')
} // oxfmt-ignore

function unfold(states: string): string {
  return states.replace(/(\d{1,15})(\D)/g, (_, count: string, letter: string) => letter.repeat(Number(count)))
}

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, '    ')
}
