import { type LineRanges, parseLines } from '../record/lines.ts'
import type { LineStates } from './states.ts'

/**
 * A coverage record as the projection reads it. Nearly all of them say what the same file of an earlier run said: so a record is cut to what
 * could differ, compared as text, and parsed only when it does (1.5 us a record against 12 us).
 */

export interface CoverageText {
  /** The path as JSON, byte by byte (latin1). Kept like that everywhere here: a path may hold what a database's text cannot. */
  path: string
  /** All from the path on, without the artifact's digest: equal texts are equal states. */
  text: string
}

const pathMark = Buffer.from(',"path":')
const artifactMark = Buffer.from(',"artifact_sha256":"')
const artifactLength = artifactMark.length + 64 + 1

/** `bytes` are those of a record. A mark cannot stand within a string, where quotes are escaped; members before `path` are plain strings. */
export function cutCoverage(bytes: Buffer): CoverageText {
  const at = bytes.indexOf(pathMark)
  const artifact = bytes.indexOf(artifactMark, at)
  if (at < 0 || artifact < 0) throw new Error('a coverage record without path or artifact')
  const begin = at + pathMark.length
  // Of JSON's strings none but the end is a quote that no backslash stands before, and a path ends before the comma of the next member.
  let end = begin + 1
  while (bytes[end] !== 0x22) end += bytes[end] === 0x5c ? 2 : 1
  const path = bytes.toString('latin1', begin, end + 1)
  return { path, text: bytes.toString('latin1', begin, artifact) + bytes.toString('latin1', artifact + artifactLength) }
}

export interface ParsedCoverage {
  definition: string
  blob: string | undefined
  states: LineStates
}

const blobMark = ',"blob":"'
const measureMark = ',"metric":"line","definition":"'
const setMarks = ['"ranges":{"covered":"', '","partial":"', '","missed":"'] as const

/** Of our own records of metric line, by their marks: to parse the whole takes three times as long, and most of it is not asked for. */
export function parseCoverage({ text }: CoverageText): ParsedCoverage {
  const measure = text.indexOf(measureMark)
  const blob = text.lastIndexOf(blobMark, measure)
  let at = text.lastIndexOf(setMarks[0])
  if (measure < 0 || at < 0) throw new Error('a coverage record without lines')
  const [covered, partial, missed] = setMarks.map((mark) => {
    if (!text.startsWith(mark, at)) throw new Error('a coverage record without lines')
    const begin = at + mark.length
    at = text.indexOf('"', begin)
    return parseLines(text.slice(begin, at))
  }) as [LineRanges, LineRanges, LineRanges] // one for each mark
  return {
    definition: stringAt(text, measure + measureMark.length),
    blob: blob < 0 ? undefined : stringAt(text, blob + blobMark.length),
    states: { covered, partial, missed },
  }
}

/** The string of JSON whose first character stands here, out of bytes. */
function stringAt(text: string, begin: number): string {
  let end = begin
  while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1
  const plain = text.slice(begin, end)
  if (/^[\w@.:/+ -]*$/.test(plain)) return plain
  return JSON.parse(Buffer.from(`"${plain}"`, 'latin1').toString()) as string // a string, as it was cut
}
