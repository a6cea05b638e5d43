import { type Hunks, parseHunks } from '../record/hunks.ts'
import type { FileAt } from '../record/line-map.ts'
import { Problem } from '../record/problem.ts'
import { type NumberedLine, parseObject, readLines, toFileAt } from './ndjson.ts'

/** One line of the body: what became of one file between two commits. */
export interface OfferedMap {
  line: number
  from: FileAt
  to: FileAt
  /** Undefined when the client could not map it, and says why. */
  hunks: Hunks | undefined
  unmapped: string | undefined
}

export const maxMaps = 100_000
/** A file that was changed in more places is a file that was made anew; its map would be hundreds of records. */
export const maxHunks = 10_000

/**
 * Reads the NDJSON of line maps: `{"from":{"path","blob"},"to":{"path","blob"},"hunks":"-3,1+3,2"}` a line, or `"unmapped":"<why>"` in the
 * place of the hunks. Strict: one line that is not of this form refuses the whole body, with its number.
 */
export async function readLineMaps(body: AsyncIterable<Uint8Array>): Promise<OfferedMap[]> {
  const maps: OfferedMap[] = []
  for await (const numbered of readLines(body, what, 524_288)) {
    if (maps.length === maxMaps) throw new Problem('too_many_files', `line maps of at most ${maxMaps} files`)
    maps.push(toMap(numbered))
  }
  return maps
}

const what = 'line maps'
const members = new Set(['from', 'to', 'hunks', 'unmapped'])

function toMap(numbered: NumberedLine): OfferedMap {
  const { line } = numbered
  const value = parseObject(numbered, what)
  const from = toFileAt(value['from'], line)
  const to = toFileAt(value['to'], line)
  const { hunks, unmapped } = value
  const stranger = Object.keys(value).find((name) => !members.has(name))
  if (stranger !== undefined) throw refused(line, `has a member ${JSON.stringify(stranger.slice(0, 60))}`)
  if (from === undefined || to === undefined) throw refused(line, 'has no "from" and "to" of {"path","blob"}')
  if ((hunks === undefined) === (unmapped === undefined))
    throw refused(line, 'has to have either "hunks" or "unmapped"')
  if (hunks === undefined) {
    if (typeof unmapped !== 'string' || !/^[a-z_]{1,40}$/.test(unmapped))
      throw refused(line, 'gives no reason of lower-case letters as "unmapped"')
    return { line, from, to, hunks: undefined, unmapped }
  }
  if (typeof hunks !== 'string') throw refused(line, 'has "hunks" that are no text')
  return { line, from, to, hunks: toHunks(hunks, line), unmapped: undefined }
}

function toHunks(text: string, line: number): Hunks {
  try {
    const hunks = parseHunks(text)
    if (hunks.length <= 4 * maxHunks) return hunks
  } catch (cause) {
    throw refused(line, `has "hunks" that are none: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
  throw refused(line, `has more than ${maxHunks} hunks`)
}

const refused = (line: number, why: string): Problem =>
  new Problem('request_invalid', `line ${line} of the ${what} ${why}`)
