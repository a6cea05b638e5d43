import { parseLines } from '../record/lines.ts'
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

export function parseCoverage({ text }: CoverageText): ParsedCoverage {
  const fields = JSON.parse(`{"path":${Buffer.from(text, 'latin1').toString()}`) as {
    definition: string
    blob?: string
    ranges: { covered: string; partial: string; missed: string }
  } // our own record of metric line
  const { covered, partial, missed } = fields.ranges
  return {
    definition: fields.definition,
    blob: fields.blob,
    states: { covered: parseLines(covered), partial: parseLines(partial), missed: parseLines(missed) },
  }
}
