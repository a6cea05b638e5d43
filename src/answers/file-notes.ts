import { type Placement, placedAt } from '../history/resolve-line.ts'
import { type LineRanges, fromSorted, intersect, parseLines, printLines } from '../record/lines.ts'
import { type ShownDisposition, toDisposed } from './dispositions.ts'
import type { OpenedFile } from './open-file.ts'

/** What people said of a file and of lines of it, beside its history: it changes no state. */

export interface PlacedNote extends ShownDisposition {
  /** As it was noted: an earlier name, and the numbers of then. */
  path: string
  /** Absent for a note on the whole file. */
  lines?: string
  /** Which of the lines that are asked about these are; null when none of them. */
  at?: string | null
  /** Not joined by line maps: the numbers are those of the note. */
  by_number?: true
}

/** Where one of the lines asked about stands; in ascending order of the lines. */
export interface PlacedLine {
  line: number
  placement: Placement
}

/** Nothing where as_of names no changes: then the answer has the bytes that it had before notes were shown. */
export function printNotes(opened: OpenedFile, placed: readonly PlacedLine[], shows: (note: PlacedNote) => boolean = () => true) {
  const { changes } = opened.resolved.asOf
  return changes === undefined ? {} : { dispositions: placeNotes(opened, placed).filter(shows) }
} // oxfmt-ignore

/** In the order in which they were recorded. A note of which the blob is not on the ref in this time goes by number, as lines do. */
function placeNotes({ facts, timeline, anchor, notes, notedUntil }: OpenedFile, placed: readonly PlacedLine[]): PlacedNote[] {
  const asked = fromSorted(placed.map(({ line }) => line))
  // The same content under another name is what was spoken of.
  const blobOf = anchor.blob === undefined ? undefined : (): string | undefined => anchor.blob
  return notes.flatMap((decision): PlacedNote[] => {
    const { target, blob, shown } = toDisposed(decision, notedUntil, blobOf)
    if (target.kind === 'file') return [{ path: target.path, ...shown }]
    if (target.kind !== 'lines') return []
    const { path, lines } = target
    const name = facts.paths.indexOf(path)
    const stretch = timeline.stretches.findIndex((presences) => isVersion(presences[name], blob))
    const at = stretch >= 0 ? followed(placed, { stretch, name, lines: parseLines(lines) }) : byNumber(name === anchor.path ? intersect(parseLines(lines), asked) : []) // oxfmt-ignore
    return [{ path, lines, at: at.lines.length === 0 ? null : printLines(at.lines), ...(at.byNumber && at.lines.length > 0 ? { by_number: true as const } : {}), ...shown }] // oxfmt-ignore
  })
} // oxfmt-ignore

type Presence = OpenedFile['timeline']['stretches'][number][number]

const isVersion = (presence: Presence | undefined, blob: string | undefined): boolean =>
  blob !== undefined && presence?.kind === 'blob' && presence.blob === blob

interface Found {
  lines: LineRanges
  byNumber: boolean
}

const byNumber = (lines: LineRanges): Found => ({ lines, byNumber: true })

function followed(placed: readonly PlacedLine[], { stretch, name, lines }: { stretch: number; name: number; lines: LineRanges }): Found {
  const noted = createContains(lines)
  const found = placed.flatMap(({ line, placement }) => {
    const { path, line: there, byNumber: guessed } = placedAt(placement, stretch)
    return path === name && noted(there) ? [{ line, guessed }] : []
  })
  return { lines: fromSorted(found.map(({ line }) => line)), byNumber: found.some(({ guessed }) => guessed) }
} // oxfmt-ignore

/** By halving: a note may name thousands of stretches, and the file have thousands of lines. */
function createContains(ranges: LineRanges): (line: number) => boolean {
  return (line) => {
    let [low, high] = [0, ranges.length / 2]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((ranges[middle * 2 + 1] ?? 0) < line) low = middle + 1
      else high = middle
    }
    return line > 0 && (ranges[low * 2] ?? Infinity) <= line
  }
}
