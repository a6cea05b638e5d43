import type { FilesAnswer } from '../../src/answers/files.ts'
import type { askModel } from './model.ts'

/** What a picture of a file says of one line, and what the model of lines says, in one form: letters, with the runs that they stand for. */

interface Stretch {
  letter: string
  runs: number
  late: number
  first: unknown
  last: unknown
}

/** From docs/history.md. */
const letters: Record<string, string> = {
  covered: 'c',
  partial: 'p',
  missed: 'm',
  'not instrumented': '.',
  'line absent': '-',
  'not measured': '?',
  'file absent': 'x',
}

/** By series, current and rewritten. */
export type DrawnLine = Record<string, [current: Stretch[], rewritten: Stretch[]]>

export function lineOfPicture({ series }: FilesAnswer, line: number): DrawnLine {
  type Columns = FilesAnswer['series'][number]['columns']
  const draw = (columns: Columns = []): Stretch[] =>
    columns.map(({ states, runs, late = 0, first, last }) => {
      const text = states.replace(/(\d+)(\D)/g, (_, count: string, letter: string) => letter.repeat(Number(count)))
      return { letter: text.charAt(line - 1), runs, late, first: endOf(first), last: endOf(last) }
    })
  return Object.fromEntries(
    series.map(({ test_type, suite, definition, columns, ...more }) => [
      `main/${test_type} ${suite} ${definition}`,
      [join(draw(columns)), join(draw(more.rewritten))],
    ]),
  )
}

interface Interval {
  /** State, and whether it is by number. */
  key: string
  runs: number
  late: number
  first: { run: string; commit: string }
  last: { run: string; commit: string }
}

export function lineOfModel(told: ReturnType<typeof askModel>): DrawnLine {
  const draw = (intervals: readonly Interval[]): Stretch[] =>
    intervals.map(({ key, runs, late, first, last }) => {
      const letter = letters[key.slice(0, key.lastIndexOf(' '))] ?? key
      return { letter: key.endsWith(' true') ? letter.toUpperCase() : letter, runs, late, first: endOf(first), last: endOf(last) } // oxfmt-ignore
    })
  const series = told as Record<string, { intervals: Interval[]; rewritten: Interval[] }> // askModel prints them so
  return Object.fromEntries(
    Object.entries(series).map(([name, { intervals, rewritten }]) => [name, [join(draw(intervals)), join(draw(rewritten))]]),
  ) // oxfmt-ignore
}

const endOf = ({ run, commit }: { run: string; commit: string }) => ({ run, commit })

/** Neighbours of one letter are one. */
function join(stretches: readonly Stretch[]): Stretch[] {
  const joined: Stretch[] = []
  for (const one of stretches) {
    const before = joined.at(-1)
    if (before?.letter !== one.letter) joined.push({ ...one })
    else Object.assign(before, { runs: before.runs + one.runs, late: before.late + one.late, last: one.last })
  }
  return joined
}
