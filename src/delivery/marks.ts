import type { Outcome } from './destination.ts'

/**
 * The state of each member of an attempt, one letter each, as stored in `outcomes.marks`. `lost` (no row yet, and the process that
 * opened the attempt is gone) is not a letter of its own: it is `i` for all of them.
 */
export const markNames = {
  d: 'delivered', a: 'accepted', r: 'refused', u: 'unsent', i: 'in_doubt', e: 'held', p: 'parked', n: 'handed_on',
} as const // oxfmt-ignore
export type Mark = keyof typeof markNames

export function isMark(letter: string): letter is Mark {
  return Object.hasOwn(markNames, letter)
}

/** One letter where all members agree, else one each. */
export function packMarks(marks: readonly Mark[]): string {
  const first = marks[0]
  if (first === undefined) throw new Error('an attempt has members')
  return marks.every((mark) => mark === first) ? first : marks.join('')
}

/** Throws on a text that `packMarks` never wrote for `count` members. */
export function unpackMarks(text: string, count: number): Mark[] {
  const letters = text.split('').filter(isMark)
  const first = letters[0]
  if (first === undefined || letters.length !== text.length || (text.length !== 1 && text.length !== count)) {
    throw new Error(`${JSON.stringify(text)} are no marks of ${count} members`)
  }
  return text.length === count ? letters : Array.from({ length: count }, () => first)
}

export function markOf(outcome: Outcome): Mark {
  switch (outcome.kind) {
    case 'delivered':
      return 'd'
    case 'accepted':
      return 'a'
    case 'refused':
      return 'r'
    case 'unsent':
      return 'u'
    case 'in_doubt':
      return outcome.held === true ? 'e' : 'i'
  }
}

export type Tally = Record<Mark, number>

/** What of an attempt's marks is asked for again and again. */
export interface MarkSummary {
  tally: Tally
  /** Place of the first member that is unsent or in doubt, and of the first that is that or unproved; undefined when there is none. */
  firstUnsent: number | undefined
  firstUnproved: number | undefined
}

const summaries = new WeakMap<readonly Mark[], MarkSummary>()

/**
 * Kept per array, since nobody changes marks in place: with thousands of attempts waiting for their proof, counting them anew at every
 * cut would hold the event loop for tens of milliseconds.
 */
export function summarize(marks: readonly Mark[]): MarkSummary {
  const known = summaries.get(marks)
  if (known !== undefined) return known
  const tally: Tally = { d: 0, a: 0, r: 0, u: 0, i: 0, e: 0, p: 0, n: 0 }
  for (const mark of marks) tally[mark]++
  const first = (open: string): number | undefined => {
    const at = marks.findIndex((mark) => open.includes(mark))
    return at < 0 ? undefined : at
  }
  const unproved = tally.u + tally.i + tally.e + tally.a > 0
  const summary = {
    tally,
    firstUnsent: unproved ? first('uie') : undefined,
    firstUnproved: unproved ? first('uiea') : undefined,
  }
  summaries.set(marks, summary)
  return summary
}
