import { hash } from 'node:crypto'
import { appendRange, printLines } from '../record/lines.ts'

/** What a coverage record says of its file, apart from where and when: pure, by bytes, since a follower does it for each record there is. */
export interface FileState {
  /** The path; of a record that is a window of it also which one. */
  name: string
  /** Equal for equal lines, counts, blob and measure. */
  state: string
}

const pathName = Buffer.from(',"path":"')
const artifactName = Buffer.from(',"artifact_sha256":"')
const artifactLength = artifactName.length + 65

/** Undefined for a record that is none of coverage. The quotes of these names cannot stand within a JSON string. */
export function fileState(record: Uint8Array): FileState | undefined {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.length)
  const from = bytes.indexOf(pathName)
  const artifact = bytes.indexOf(artifactName, from)
  if (from < 0 || artifact < 0) return undefined
  const before = bytes.toString('utf8', from, artifact)
  const after = bytes.toString('utf8', artifact + artifactLength)
  const path = /^,"path":("(?:[^"\\]|\\.)*")/.exec(before)?.[1]
  if (path === undefined) return undefined
  const window = /,"window":\{"index":(\d+)/.exec(after)?.[1]
  const name = JSON.parse(path) as string // a JSON string by the pattern
  return {
    name: window === undefined ? name : nameOf(name, Number(window)),
    state: hash('sha256', before + after, 'base64').slice(0, 20),
  }
}

/** No path holds a zero. */
export const nameOf = (path: string, window: number): string => `${path}\0${window}`

/** Ordinals, from 1, of what differs from the part before or was not in it. */
export function changedOrdinals(before: ReadonlyMap<string, string>, now: readonly FileState[]): string {
  const ranges: number[] = []
  for (const [i, { name, state }] of now.entries()) if (before.get(name) !== state) appendRange(ranges, i + 1, i + 1)
  return printLines(ranges)
}

/** Ordinals, from 0, of a file's records among the names of a layout. */
export function ordinalsOf(names: readonly string[], path: string): number[] {
  const found: number[] = []
  for (const [i, name] of names.entries()) if (name === path || name.startsWith(`${path}\0`)) found.push(i)
  return found
}
