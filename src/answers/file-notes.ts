import type { Decision } from '../history/decision-store.ts'
import { versionOf } from '../history/follow-line.ts'
import type { Placement } from '../history/resolve-line.ts'
import { type LineRanges, fromSorted, intersect, noLines, printLines, unite } from '../record/lines.ts'
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

/** The newest of a file: each is looked for on all lines that are asked about, and a picture has up to 20,000. */
const maxNotes = 200

export interface ShownNotes {
  dispositions?: PlacedNote[]
  /** Older ones of the file, which were not looked at. */
  dispositions_left_out?: number
}

/** Nothing where as_of names no changes: then the answer has the bytes that it had before notes were shown. */
export function printNotes(opened: OpenedFile, placed: readonly PlacedLine[], shows: (note: PlacedNote) => boolean = () => true): ShownNotes {
  if (opened.resolved.asOf.changes === undefined) return {}
  const place = createPlacing(opened, placed)
  const left = opened.notes.length - maxNotes
  const dispositions = opened.notes.slice(-maxNotes).flatMap((decision) => place(decision)).filter(shows)
  return left > 0 ? { dispositions, dispositions_left_out: left } : { dispositions }
} // oxfmt-ignore

type Place = (decision: Decision) => PlacedNote[]

/** Empty for a note on another file: one that came to a name that this file has left. */
function createPlacing({ facts, timeline, versions, anchor, notedUntil }: OpenedFile, placed: readonly PlacedLine[]): Place {
  const asked = fromSorted(placed.map(({ line }) => line))
  /** Under which name this file is at a stretch: the same for all of its lines. */
  const nameAt = (stretch: number): number =>
    placed[0]?.placement.paths[stretch] ?? (stretch === anchor.stretch ? anchor.path : -1)
  const versionAt = (name: number, blob: string | undefined): number =>
    blob === undefined ? -1 : (versions.numberOf(versionOf(facts.paths[name] ?? '', blob)) ?? -1)
  const anchored = versionAt(anchor.path, anchor.blob)
  // The same content under another name is what was spoken of.
  const blobOf = anchor.blob === undefined ? undefined : (): string | undefined => anchor.blob

  /** Of which stretch of this file a note is; -1 where its version is not on the ref in this time. Undefined: it is of another file. */
  const findStretch = (name: number, blob: string | undefined): number | undefined => {
    let isOfOther = false
    for (const [stretch, presences] of timeline.stretches.entries()) {
      const presence = presences[name]
      if (blob === undefined || presence?.kind !== 'blob' || presence.blob !== blob) continue
      if (nameAt(stretch) === name) return stretch
      isOfOther = true
    }
    const there = timeline.stretches[anchor.stretch]?.[name]?.kind
    const isTaken = name !== anchor.path && blob === undefined && (there === 'blob' || there === 'file')
    return isOfOther || isTaken ? undefined : -1
  }

  const atStretch = remember((stretch: number): Numbers => ({
    there: Float64Array.from(placed, ({ placement }) => placement.lines[stretch] ?? 0),
    guessed: Uint8Array.from(placed, ({ placement }) => placement.byNumber[stretch] ?? 0),
  }))
  const atVersion = remember((version: number): Numbers => ({
    there: Float64Array.from(placed, ({ line }) => versions.follow(anchored, line)[version] ?? -1),
    guessed: new Uint8Array(placed.length),
  }))
  const findLines = (name: number, blob: string | undefined, stretch: number, noted: LineRanges): Found => {
    if (stretch >= 0) return choose(placed, atStretch(stretch), noted)
    const version = versionAt(name, blob)
    const numbers = version >= 0 && anchored >= 0 ? atVersion(version) : undefined
    // Whether two versions are joined is the same for all lines.
    if (numbers !== undefined && (numbers.there[0] ?? -1) >= 0) return choose(placed, numbers, noted)
    return { lines: name === anchor.path ? intersect(noted, asked) : noLines, byNumber: true }
  }

  return (decision) => {
    const { target, blob, shown } = toDisposed(decision, notedUntil, blobOf)
    if (target.kind !== 'file' && target.kind !== 'lines') return []
    const { path } = target
    const name = facts.paths.indexOf(path)
    const stretch = findStretch(name, blob)
    if (stretch === undefined) return []
    if (target.kind === 'file') return [{ path, ...shown }]
    const { lines, byNumber } = findLines(name, blob, stretch, readNoted(target.lines))
    const at = lines.length === 0 ? { at: null } : { at: printLines(lines), ...(byNumber ? { by_number: true as const } : {}) } // oxfmt-ignore
    return [{ path, lines: target.lines, ...at, ...shown }]
  }
} // oxfmt-ignore

interface Found {
  lines: LineRanges
  byNumber: boolean
}

/** Of each line asked about its number elsewhere: 0 where it is not there, -1 where that is not known; and whether it goes by number. */
interface Numbers {
  there: Float64Array
  guessed: Uint8Array
}

function choose(placed: readonly PlacedLine[], { there, guessed }: Numbers, noted: LineRanges): Found {
  const contains = createContains(noted)
  const lines: number[] = []
  let byNumber = false
  for (const [i, { line }] of placed.entries()) {
    if (!contains(there[i] ?? 0)) continue
    lines.push(line)
    byNumber ||= guessed[i] === 1
  }
  return { lines: fromSorted(lines), byNumber }
}

function remember<T>(make: (key: number) => T): (key: number) => T {
  const made = new Map<number, T>()
  return (key) => {
    const known = made.get(key) ?? make(key)
    made.set(key, known)
    return known
  }
}

/** Whatever stands on record is read: 12-12 and 20-12 were taken once, and can never be put right. */
function readNoted(text: string): LineRanges {
  return text.split(',').reduce<LineRanges>((lines, piece) => {
    const [a = 0, b = a] = piece.split('-').map(Number)
    return unite(lines, [Math.min(a, b), Math.max(a, b)])
  }, noLines)
}

/** By halving. */
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
