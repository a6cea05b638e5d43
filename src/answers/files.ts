import { type LineState, statesOf } from '../history/intervals.ts'
import { type Placed, resolveLine } from '../history/resolve-line.ts'
import { type MeasuredState, unpackStates } from '../history/states.ts'
import type { PlacedRun } from '../history/ref-runs.ts'
import type { Block, Series } from '../history/timeline.ts'
import { type LedgerName, type TestType, printTime } from '../record/record.ts'
import { nameOf, printEvidence, printHead, shownSeries } from './lines.ts'
import { type FileQuestion, type HistoryDeps, type OpenedFile, openFile } from './open-file.ts'

/** `GET /v1/history/files`: all lines of a file by the runs at which something about it changed, for a picture. */

export interface FilesQuestion extends FileQuestion {
  testType?: TestType | undefined
}

export type FilesAnswer = Awaited<ReturnType<typeof answerFiles>>

/** One letter for each state; those with a capital go by number. */
const letters: Record<LineState, string> = {
  covered: 'c',
  partial: 'p',
  missed: 'm',
  'not instrumented': '.',
  'line absent': '-',
  'not measured': '?',
  'file absent': 'x',
}

export const stateLetters: Readonly<Record<LineState, string>> = letters

export async function answerFiles(deps: HistoryDeps, ledgers: readonly LedgerName[], question: FilesQuestion) {
  const opened = await openFile(deps, ledgers, question)
  const { facts, timeline, versions, anchor } = opened
  const series = shownSeries(opened, question.testType)
  const lines = lastLine(opened)
  const placed = Array.from({ length: lines }, (_, i) => resolveLine(facts, timeline, versions, anchor, i + 1))
  return {
    ...printHead(opened, question),
    lines,
    letters,
    series: series.map((one) => {
      const picture = createPicture(opened, one, placed)
      return {
        ...nameOf(opened, one.of),
        columns: picture(one.blocks),
        ...(one.left.length === 0 ? {} : { rewritten: picture(one.left) }),
      }
    }),
    evidence: series.map(({ of }) => printEvidence(opened, of)),
  }
}

/** The source is not here: the file ends at the last line that some run has a state for, at the version that the numbers are of. */
function lastLine({ facts, timeline, anchor }: OpenedFile): number {
  let last = 0
  for (const series of timeline.series) {
    const states = statesOf(facts, series.of)
    for (const block of [...series.blocks, ...series.left]) {
      if (!isSameVersion(timeline.stretches[block.stretch]?.[anchor.path], anchor.blob)) continue
      const packed = states(anchor.path, block.first)
      if (packed === undefined) continue
      const { covered, partial, missed } = unpackStates(packed)
      last = Math.max(last, covered.at(-1) ?? 0, partial.at(-1) ?? 0, missed.at(-1) ?? 0)
    }
  }
  return Math.min(last, maxLines)
}

/** More than a picture can show, or a question may cost. */
const maxLines = 20_000

type Presence = OpenedFile['timeline']['stretches'][number][number]

function isSameVersion(presence: Presence | undefined, blob: string | undefined): boolean {
  return blob === undefined ? presence?.kind === 'file' : presence?.kind === 'blob' && presence.blob === blob
}

function createPicture({ facts }: OpenedFile, one: Series, placed: readonly (readonly Placed[])[]) {
  const states = statesOf(facts, one.of)
  const lookUp = createLookUp()
  const letterAt = (block: Block, at: Placed | undefined): string => {
    if (at === undefined || at.path < 0) return letters['file absent']
    if (at.line === 0) return letters['line absent']
    const packed = states(at.path, block.first)
    if (packed === undefined) return letters['not measured']
    const letter = letters[lookUp(packed, at.line) ?? 'not instrumented']
    return at.byNumber ? letter.toUpperCase() : letter
  }
  return (blocks: readonly Block[]) => {
    const columns: { text: string; runs: number; late: number; first: PlacedRun; last: PlacedRun }[] = []
    for (const block of blocks) {
      let text = ''
      for (const line of placed) text += letterAt(block, line[block.stretch])
      const last = columns.at(-1)
      if (last?.text === text) Object.assign(last, { runs: last.runs + block.runs, late: last.late + block.late, last: block.last })
      else columns.push({ text, runs: block.runs, late: block.late, first: block.first, last: block.last })
    }
    return columns.map(({ text, runs, late, first, last }) => ({
      first: printEnd(first),
      last: printEnd(last),
      runs,
      ...(late > 0 ? { late } : {}),
      states: printStretches(text),
    }))
  } // oxfmt-ignore
}

function printEnd({ run: { run, commit, recordedAt } }: PlacedRun) {
  return { run, commit, recorded_at: printTime(recordedAt) }
}

/** `12c3m`: twelve lines covered, three missed. */
function printStretches(text: string): string {
  let printed = ''
  for (let at = 0; at < text.length;) {
    let end = at + 1
    while (text[end] === text[at]) end += 1
    printed += `${end - at}${text[at]}`
    at = end
  }
  return printed
}

/** All lines are asked of the same packed states: each is unpacked once, to an array by line. */
function createLookUp(): (packed: Buffer, line: number) => MeasuredState | undefined {
  const unpacked = new Map<Buffer, readonly (MeasuredState | undefined)[]>()
  return (packed, line) => {
    let lines = unpacked.get(packed)
    if (lines === undefined) {
      const sets = unpackStates(packed)
      const made: (MeasuredState | undefined)[] = []
      for (const state of ['covered', 'partial', 'missed'] as const)
        for (let i = 0; i < sets[state].length; i += 2)
          for (let n = sets[state][i] ?? 0; n <= Math.min(sets[state][i + 1] ?? 0, 2 * maxLines); n++) made[n] = state
      unpacked.set(packed, made)
      lines = made
    }
    return lines[line]
  }
}
