import { type Hunks, findWrongHunk, noHunks } from '../record/hunks.ts'
import type { FileAt } from '../record/line-map.ts'
import { type RawEntry, createRawReader } from './diff-raw.ts'

/**
 * Reads `git diff-tree -r -z --raw -p -U0 -M`: first all pairs of files, ended by NUL and so whatever they are called, then the patches in
 * the same order. Of the patches only the numbers are read; source text is passed over byte by byte and never held, however long its lines.
 */

export interface FileDiff {
  from: FileAt
  to: FileAt
  /** Undefined when there is no map: `unmapped` says why. */
  hunks: Hunks | undefined
  unmapped: 'binary' | 'too_many_hunks' | 'no_hunks' | undefined
}

/** More than the service takes for one file. */
const maxHunks = 10_000
const maxHeaderLine = 65_536
const [newline, minus, plus, backslash] = [10, 0x2d, 0x2b, 0x5c]

/**
 * The regular files that changed or were renamed, in git's order: not those added or deleted, of another mode only, symbolic links, or
 * of names that are no UTF-8. Throws an Error for anything that git would not print, also for an output that ends early.
 */
export async function* parseDiff(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<FileDiff> {
  const raw = createRawReader()
  let patches: PatchReader | undefined
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    if (patches === undefined) {
      const rest = raw.take(bytes)
      if (rest === undefined) continue
      patches = createPatchReader(raw.end())
      yield* patches.take(rest)
    } else yield* patches.take(bytes)
  }
  patches ??= createPatchReader(raw.end())
  yield* patches.end()
}

interface PatchReader {
  take(bytes: Buffer): FileDiff[]
  end(): FileDiff[]
}

function createPatchReader(entries: readonly RawEntry[]): PatchReader {
  // What changes its type is printed as two patches, one that deletes and one that adds.
  const expected = entries.flatMap((entry) => (entry.status === 'T' ? [entry, entry] : [entry]))
  let at = -1
  let hunks: number[] = []
  let isBinary = false
  let left = 0 // lines of the hunk's text that are still to come
  let inText = false // within a line of text
  let held: Buffer[] = [] // the beginning of a line that the last chunk ended in
  let heldBytes = 0

  const finish = (): FileDiff[] => {
    const entry = expected[at]
    if (left > 0) throw new Error('the output of git ends within a hunk')
    const diff = entry === undefined ? undefined : toFileDiff(entry, hunks, isBinary)
    hunks = []
    isBinary = false
    return diff === undefined ? [] : [diff]
  }

  const takeHeader = (text: string): FileDiff[] => {
    if (text.startsWith('@@ ')) {
      left = takeHunk(text, hunks)
      return []
    }
    if (text.startsWith('diff --git ')) {
      const finished = finish()
      if (++at >= expected.length) throw new Error('git printed more patches than files')
      return finished
    }
    if (at < 0) throw new Error('the output of git is no diff')
    if (text.startsWith('index ')) checkBlobs(text, expected[at])
    else if (text.startsWith('Binary files ')) isBinary = true
    return []
  }

  return {
    take(bytes) {
      const found: FileDiff[] = []
      for (let i = 0; i < bytes.length;) {
        const end = bytes.indexOf(newline, i)
        if (inText) {
          if (end < 0) return found
          inText = false
          i = end + 1
          continue
        }
        // Held bytes are always of a header: a line of text is recognised by its first byte.
        const first = bytes[i]
        if (held.length === 0 && (left > 0 || first === backslash)) {
          if (first === minus || first === plus) left--
          else if (first !== backslash) throw new Error('git printed lines that did not change')
          inText = true
          continue
        }
        const piece = bytes.subarray(i, end < 0 ? bytes.length : end)
        heldBytes += piece.length
        if (heldBytes > maxHeaderLine) throw new Error('git printed a header of endless length')
        if (end < 0) {
          held.push(Buffer.from(piece))
          return found
        }
        found.push(...takeHeader((held.length === 0 ? piece : Buffer.concat([...held, piece])).toString('latin1')))
        held = []
        heldBytes = 0
        i = end + 1
      }
      return found
    },
    end() {
      if (inText || heldBytes > 0 || at + 1 < expected.length) throw new Error('the output of git ends early')
      return finish()
    },
  }
}

/** `@@ -12,3 +14 @@`: a count that is left out is 1. Answers how many lines of text follow. */
function takeHunk(text: string, hunks: number[]): number {
  const match = /^@@ -(\d{1,10})(?:,(\d{1,10}))? \+(\d{1,10})(?:,(\d{1,10}))? @@/.exec(text)
  if (match === null) throw new Error(`git printed a hunk of another form: ${text.slice(0, 60)}`)
  const [, from, count = '1', to, newCount = '1'] = match
  // Past the limit they are only counted: the file gets no map, and memory stays bounded.
  if (hunks.length <= 4 * maxHunks) hunks.push(Number(from), Number(count), Number(to), Number(newCount))
  return Number(count) + Number(newCount)
}

/** The patches stand in the order of the pairs; this would show if they did not. */
function checkBlobs(text: string, entry: RawEntry | undefined): void {
  if (entry === undefined || entry.status === 'T') return
  if (!text.startsWith(`index ${entry.fromBlob}..${entry.toBlob}`))
    throw new Error(`git printed another patch than that of ${entry.toBlob}`)
}

function toFileDiff(entry: RawEntry, hunks: Hunks, isBinary: boolean): FileDiff | undefined {
  const { status, from, to, fromBlob, toBlob } = entry
  if (from === undefined || to === undefined || !/^[MR]/.test(status)) return undefined
  if (!entry.isRegular || (fromBlob === toBlob && from === to)) return undefined
  const pair = { from: { path: from, blob: fromBlob }, to: { path: to, blob: toBlob } }
  const unmapped = (reason: FileDiff['unmapped']): FileDiff => ({ ...pair, hunks: undefined, unmapped: reason })
  if (fromBlob === toBlob) return { ...pair, hunks: noHunks, unmapped: undefined }
  if (isBinary) return unmapped('binary')
  if (hunks.length === 0) return unmapped('no_hunks')
  if (hunks.length > 4 * maxHunks) return unmapped('too_many_hunks')
  if (findWrongHunk(hunks) !== undefined) throw new Error(`the hunks that git printed for ${to} do not fit together`)
  return { ...pair, hunks, unmapped: undefined }
}
