/**
 * What differs between two versions of a file, as line numbers and nothing else: the hunk headers of `git diff -U0`. Every line outside
 * the hunks is the same line in both, so with them a line number is carried from one version to the other, in both directions.
 */

/** From, count, to, count of each hunk, one behind the other. As in git, the number of an empty side is that of the line before it. */
export type Hunks = readonly number[]

export const noHunks: Hunks = []

// Below, indices are smaller than lengths that are multiples of four: hence `as number`.

const hunkPattern = /^-(0|[1-9]\d{0,9}),(0|[1-9]\d{0,9})\+(0|[1-9]\d{0,9}),(0|[1-9]\d{0,9})$/

/** Reads exactly what `printHunks` prints. Throws an Error that says what is wrong, also for hunks that cannot be those of one diff. */
export function parseHunks(text: string): Hunks {
  if (text === '') return noHunks
  const hunks: number[] = []
  for (const part of text.split(' ')) {
    const match = hunkPattern.exec(part)
    if (match === null) throw new Error(`not a hunk: ${JSON.stringify(part.slice(0, 60))}`)
    hunks.push(Number(match[1]), Number(match[2]), Number(match[3]), Number(match[4]))
  }
  const wrong = findWrongHunk(hunks)
  if (wrong !== undefined) throw new Error(`${printHunk(hunks, wrong)} cannot follow what is before it`)
  return hunks
}

/** `-10,2+10,3 -40,0+41,5`: the only form in which hunks stand in a record. */
export function printHunks(hunks: Hunks): string {
  let text = ''
  for (let i = 0; i < hunks.length; i += 4) text += `${i === 0 ? '' : ' '}${printHunk(hunks, i)}`
  return text
}

function printHunk(hunks: Hunks, i: number): string {
  return `-${hunks[i]},${hunks[i + 1]}+${hunks[i + 2]},${hunks[i + 3]}`
}

/**
 * Index of the first hunk that no diff could have there; undefined when all fit. Between two hunks lie equally many lines on both sides,
 * at least one: so a number that was mistaken, or a hunk that is missing while its lines count, shows.
 */
export function findWrongHunk(hunks: Hunks): number | undefined {
  let from = 1 // the first lines behind the hunk before
  let to = 1
  for (let i = 0; i < hunks.length; i += 4) {
    const [line, count, newLine, newCount] = hunks.slice(i, i + 4) as [number, number, number, number]
    const start = count === 0 ? line + 1 : line
    const newStart = newCount === 0 ? newLine + 1 : newLine
    const between = start - from
    if (count + newCount === 0 || between !== newStart - to || between < (i === 0 ? 0 : 1)) return i
    from = start + count
    to = newStart + newCount
  }
  return undefined
}
