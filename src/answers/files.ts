import { type LineState, statesOf } from '../history/intervals.ts'
import { type Placement, resolveLine } from '../history/resolve-line.ts'
import { measuredStates, unpackStates } from '../history/states.ts'
import type { PlacedRun } from '../history/ref-runs.ts'
import type { Block, Series } from '../history/timeline.ts'
import { type LedgerName, type TestType, printTime } from '../record/record.ts'
import { printNotes } from './file-notes.ts'
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

const codes = Object.fromEntries(
  Object.entries(letters).map(([state, letter]) => [state, letter.charCodeAt(0)]),
) as Record<LineState, number>

/** A full stop has none. */
const toCapital = (letter: number): number => (letter >= 0x61 ? letter - 0x20 : letter)

export async function answerFiles(deps: HistoryDeps, ledgers: readonly LedgerName[], question: FilesQuestion) {
  const opened = await openFile(deps, ledgers, question)
  const { facts, timeline, versions, anchor } = opened
  const series = shownSeries(opened, question.testType)
  const lines = lastLine(opened)
  const placements = Array.from({ length: lines }, (_, i) => resolveLine(facts, timeline, versions, anchor, i + 1))
  return {
    ...printHead(opened, question),
    lines,
    letters,
    series: series.map((one) => {
      const picture = createPicture(opened, one, placements)
      return {
        ...nameOf(opened, one.of),
        columns: picture(one.blocks),
        ...(one.left.length === 0 ? {} : { rewritten: picture(one.left) }),
      }
    }),
    ...printNotes(opened, placements.map((placement, i) => ({ line: i + 1, placement }))), // oxfmt-ignore
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

function createPicture({ facts }: OpenedFile, one: Series, placements: readonly Placement[]) {
  const states = statesOf(facts, one.of)
  const lettersOf = createLetters()
  const draw = ({ stretch, first }: Block): Buffer => {
    const text = Buffer.alloc(placements.length)
    let [path, known] = [-1, undefined as Uint8Array | undefined]
    for (let i = 0; i < placements.length; i++) {
      const { paths, lines, byNumber } = placements[i] as Placement // below the length
      const [there, line] = [paths[stretch] ?? -1, lines[stretch] ?? 0]
      if (there < 0) text[i] = codes['file absent']
      else if (line === 0) text[i] = codes['line absent']
      else {
        if (there !== path) {
          path = there
          const packed = states(path, first)
          known = packed === undefined ? undefined : lettersOf(packed)
        }
        const letter = known === undefined ? codes['not measured'] : (known[line] ?? codes['not instrumented'])
        text[i] = byNumber[stretch] === 1 ? toCapital(letter) : letter
      }
    }
    return text
  }
  return (blocks: readonly Block[]) => {
    const columns: { text: Buffer; runs: number; late: number; first: PlacedRun; last: PlacedRun }[] = []
    for (const block of blocks) {
      const text = draw(block)
      const last = columns.at(-1)
      if (last?.text.equals(text) === true) Object.assign(last, { runs: last.runs + block.runs, late: last.late + block.late, last: block.last })
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
function printStretches(text: Buffer): string {
  let printed = ''
  for (let at = 0; at < text.length;) {
    let end = at + 1
    while (text[end] === text[at]) end += 1
    printed += `${end - at}${String.fromCharCode(text[at] ?? 0)}`
    at = end
  }
  return printed
}

/** All lines are asked of the same packed states: each is unpacked once, to the letters of its lines. */
function createLetters(): (packed: Buffer) => Uint8Array {
  const unpacked = new Map<Buffer, Uint8Array>()
  return (packed) => {
    const known = unpacked.get(packed)
    if (known !== undefined) return known
    const sets = unpackStates(packed)
    const end = Math.max(...measuredStates.map((state) => sets[state].at(-1) ?? 0)) + 1
    const made = new Uint8Array(Math.min(end, 2 * maxLines + 1)).fill(codes['not instrumented'])
    for (const state of measuredStates)
      for (let i = 0; i < sets[state].length; i += 2)
        made.fill(codes[state], sets[state][i] ?? 0, (sets[state][i + 1] ?? 0) + 1)
    unpacked.set(packed, made)
    return made
  }
}
