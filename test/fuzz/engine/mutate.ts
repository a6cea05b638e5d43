import { join, toBytes } from './bytes.ts'
import { type Random, pick } from './random.ts'

/** What makes a hostile input out of a good one. Knows nothing of formats but the words that it is given. */

export interface Soil {
  /** Good inputs, and what was found to be answered in a way of its own. */
  corpus: readonly Uint8Array[]
  /** Words of the format. */
  dictionary: readonly string[]
}

export const maxInputBytes = 262_144

const text = (items: readonly string[]): Uint8Array[] => items.map(toBytes)
const spices = [
  ...text(['\n', '\r\n', '\r', '\t', ' ', ',', '-', '"', "'", '{', '}', '[', ']', ':', '\\', '/', '../', '=', '+', '%00', '\0', 'é', '\u{1f600}']),
  ...text(['null', 'true', '""', '[]', '{}', '"__proto__":', '{"toString":1,"valueOf":1}', '"constructor":', '\\u0000', '\\ud800', '&amp;', '&x;', '<!--', '<![CDATA[', '<!DOCTYPE a [', '</', '/>', '--- ', '*a', '&a ']),
  ...text(['\ufeff', '\u0085', '\u2028', '\u00a0', '\u202e', '٧']),
  Uint8Array.of(0xff), Uint8Array.of(0xc0, 0x80), Uint8Array.of(0xed, 0xa0, 0x80), Uint8Array.of(0xf4, 0x90, 0x80, 0x80), Uint8Array.of(0xe2, 0x82), Uint8Array.of(0x80),
] // oxfmt-ignore
const numbers = text(['0', '-0', '-1', '1', '007', '1e3', '1e400', '-1e-400', '0.5', '255', '256', '65535', '65536', '2147483647', '2147483648', '4294967295', '4294967296',
  '9007199254740991', '9007199254740992', '9223372036854775808', '18446744073709551616', '9'.repeat(400), 'NaN', 'Infinity', '0x10']) // oxfmt-ignore
const openers = text(['[', '{"a":', '(', '<a>', '- ', '{', '"', '&a;', '**/'])

const isDigit = (c: number | undefined): boolean => c !== undefined && c >= 0x30 && c <= 0x39
const isLetter = (c: number | undefined): boolean =>
  c !== undefined && ((c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a) || c === 0x5f)

type Mutator = (input: Uint8Array, random: Random, soil: Soil) => Uint8Array

const replace = (input: Uint8Array, from: number, to: number, by: Uint8Array): Uint8Array =>
  join(input.subarray(0, from), by, input.subarray(to))

/** The run of such bytes behind a random place; empty at the end when there is none. */
function runOf(input: Uint8Array, random: Random, is: (c: number | undefined) => boolean): [number, number] {
  let from = random(input.length)
  while (from < input.length && !is(input[from])) from += 1
  let to = from
  while (to < input.length && is(input[to])) to += 1
  return [from, to]
}

const span = (input: Uint8Array, random: Random): [number, number] => {
  const from = random(input.length + 1)
  return [from, Math.min(input.length, from + 1 + random(random(8) === 0 ? 2_000 : 60))]
}

/** A piece that stands for itself: a line, what is in a pair of brackets, an element without content, what is in quotes. */
function pieceOf(input: Uint8Array, random: Random): [number, number] {
  const [open = 0x0a, close = 0x0a] = pick(random, [[0x0a, 0x0a], [0x7b, 0x7d], [0x5b, 0x5d], [0x3c, 0x3e], [0x22, 0x22], [0x2c, 0x2c]]) // oxfmt-ignore
  const from = input.indexOf(open, random(input.length))
  if (from < 0) return span(input, random)
  for (let at = from + 1, depth = 1; at < input.length; at += 1) {
    if (input[at] === close) depth -= 1
    else if (input[at] === open) depth += 1
    if (depth === 0) return open === close ? [from + 1, at] : [from, at + 1]
  }
  return [from, input.length]
}

/** Changes that may leave the form as it is. */
const gentle: readonly Mutator[] = [
  function changeNumber(input, random) {
    return replace(input, ...runOf(input, random, isDigit), pick(random, numbers))
  },
  function changeWord(input, random, { corpus }) {
    const other = pick(random, corpus)
    return replace(input, ...runOf(input, random, isLetter), other.subarray(...runOf(other, random, isLetter)))
  },
  function removePiece(input, random) {
    return replace(input, ...pieceOf(input, random), new Uint8Array())
  },
  function doublePiece(input, random) {
    const [from, to] = pieceOf(input, random)
    const between = pick(random, [[], [0x2c], [0x0a]])
    return replace(input, to, to, join(Uint8Array.from(between), input.subarray(from, to)))
  },
  function otherPiece(input, random, { corpus }) {
    const other = pick(random, corpus)
    return replace(input, ...pieceOf(input, random), other.subarray(...pieceOf(other, random)))
  },
  function wordForPiece(input, random, { dictionary }) {
    const word = dictionary.length === 0 ? pick(random, spices) : toBytes(pick(random, dictionary))
    return replace(input, ...pieceOf(input, random), word)
  },
]

const rough: readonly Mutator[] = [
  function changeByte(input, random) {
    const at = random(input.length)
    return replace(
      input,
      at,
      at + 1,
      Uint8Array.of(random(3) === 0 ? (input[at] ?? 0) ^ (1 << random(8)) : random(256)),
    )
  },
  function remove(input, random) {
    return replace(input, ...span(input, random), new Uint8Array())
  },
  function insertSpice(input, random) {
    const at = random(input.length + 1)
    return replace(input, at, at, pick(random, spices))
  },
  function insertWord(input, random, { dictionary }) {
    const at = random(input.length + 1)
    return replace(input, at, at, dictionary.length === 0 ? pick(random, spices) : toBytes(pick(random, dictionary)))
  },
  function repeat(input, random) {
    const [from, to] = span(input, random)
    const piece = input.subarray(from, to)
    const times = random(10) === 0 ? random(1_000) : 1 + random(3)
    return replace(input, to, to, join(...Array.from({ length: times }, () => piece)))
  },
  function moveSpan(input, random) {
    const [from, to] = span(input, random)
    const rest = replace(input, from, to, new Uint8Array())
    const at = random(rest.length + 1)
    return replace(rest, at, at, input.subarray(from, to))
  },
  function splice(input, random, { corpus }) {
    const other = pick(random, corpus)
    return join(input.subarray(0, random(input.length + 1)), other.subarray(random(other.length + 1)))
  },
  function insertOther(input, random, { corpus }) {
    const at = random(input.length + 1)
    const other = pick(random, corpus)
    return replace(input, at, at, other.subarray(...span(other, random)))
  },
  function truncate(input, random) {
    return input.subarray(0, random(input.length + 1))
  },
  function nest(input, random) {
    const at = random(input.length + 1)
    const opener = pick(random, openers)
    const depth = random(4) === 0 ? random(20_000) : random(100)
    return replace(input, at, at, join(...Array.from({ length: depth }, () => opener)))
  },
  function changeLineEnds(input, random) {
    const by = pick(random, [[0x0d, 0x0a], [0x0d], [0x0a, 0x0a], [0x20]])
    const lines: Uint8Array[] = []
    for (let from = 0; from < input.length; ) {
      const end = input.indexOf(0x0a, from)
      lines.push(input.subarray(from, end < 0 ? input.length : end), Uint8Array.from(end < 0 ? [] : by))
      from = end < 0 ? input.length : end + 1
    }
    return join(...lines)
  }, // oxfmt-ignore
  function prependMark(input, random) {
    return join(pick(random, [Uint8Array.of(0xef, 0xbb, 0xbf), Uint8Array.of(0xff, 0xfe), Uint8Array.of(0xfe, 0xff), Uint8Array.of(0)]), input) // oxfmt-ignore
  },
]

/** One to five changes, one after the other. */
export function mutate(input: Uint8Array, random: Random, soil: Soil): Uint8Array {
  let now = input
  for (let n = 1 + random(random(3) === 0 ? 5 : 2); n > 0; n -= 1)
    now = pick(random, random(5) < 3 ? gentle : rough)(now, random, soil).subarray(0, maxInputBytes)
  return Uint8Array.from(now)
}
