/**
 * Globs over paths of a repository. A contract is written by whoever may push, and is matched against every path of a commit, so no
 * pattern may take more than its length times that of the path: matchers that go by way of a regular expression have patterns
 * (`*a*a*a*a*b`) that take exponents of it. The loop below goes back to the last star only, which is enough: an earlier one cannot match more than the last one can.
 */

/** A character of a name, or what stands for one: `?` for any, `*` for any number. */
type Token = string | ClassTest
type ClassTest = (char: string) => boolean
/** A segment of a pattern: a whole name, what a name is made of, or `**` for any number of segments. */
type Segment = string | readonly Token[]

export const maxGlobLength = 256
const maxAlternatives = 64
/** Characters of all alternatives together: a path of 1,024 bytes is compared with each, in up to 2 million steps. */
const maxExpanded = 2_048

/**
 * `*` and `?` within a segment, `**` as a whole segment for any number of them, `{a,b}`, `[a-z]`, `[!a-z]`. Files that begin with a dot
 * are files like others; upper and lower case differ. Throws an Error that says what is wrong with the pattern.
 */
export function compileGlob(pattern: string): (path: string) => boolean {
  if (pattern === '' || pattern.length > maxGlobLength) throw new Error(`a glob has 1 to ${maxGlobLength} characters`)
  if (pattern.startsWith('/') || pattern.endsWith('/') || pattern.includes('//'))
    throw new Error('paths are relative to the repository: no slash at the beginning or the end, and none twice')
  if (pattern.includes('\\')) throw new Error('a backslash means nothing here: paths have slashes')
  if (expandBraces(pattern).join('').length > maxExpanded)
    throw new Error(`braces make more than ${maxExpanded} characters of it: write several globs`)
  return compileGlobs([pattern])
}

/** Whether one of the patterns takes a path. */
export function compileGlobs(patterns: readonly string[]): (path: string) => boolean {
  const alternatives = patterns.flatMap(expandBraces).map(toSegments)
  return (path) => {
    const names = path.split('/')
    for (const segments of alternatives) if (matchWithStar(segments, names, '**', fitsSegment)) return true
    return false
  }
}

/** `{a,b}c` as `ac` and `bc`; also nested. */
function expandBraces(pattern: string): string[] {
  const open = pattern.indexOf('{')
  if (open < 0) {
    if (pattern.includes('}')) throw new Error('} without {')
    return [pattern]
  }
  const parts: string[] = []
  let depth = 0
  let start = open + 1
  let close = -1
  for (let i = open; i < pattern.length && close < 0; i++) {
    const char = pattern[i]
    if (char === '{') depth++
    else if (char === '}' && --depth === 0) close = i
    if ((char === ',' && depth === 1) || close === i) {
      parts.push(pattern.slice(start, i))
      start = i + 1
    }
  }
  if (close < 0) throw new Error('{ without }')
  const heads = pattern.slice(0, open)
  const tails = expandBraces(pattern.slice(close + 1))
  const expanded = parts.flatMap(expandBraces).flatMap((part) => tails.map((tail) => heads + part + tail))
  if (expanded.length > maxAlternatives) throw new Error(`braces make more than ${maxAlternatives} alternatives`)
  return [...new Set(expanded)]
}

/** `src/**` is what lies in src: at its end, `**` stands for one name at least. */
function toSegments(pattern: string): Segment[] {
  const segments = pattern.split('/').map(toSegment)
  return segments.at(-1) === '**' ? [...segments, ['*']] : segments
}

function toSegment(text: string): Segment {
  if (text === '**') return '**'
  if (text === '' || text === '.' || text === '..')
    throw new Error(`${JSON.stringify(text)} is no name of a file or folder`)
  if (text.includes('**')) throw new Error('** stands alone between slashes: write src/**/*.ts')
  if (!/[*?[\]]/.test(text)) return text
  const tokens: Token[] = []
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? ''
    if (char === ']') throw new Error('] without [')
    if (char !== '[') {
      tokens.push(char)
      continue
    }
    const end = text.indexOf(']', i + 2)
    if (end < 0) throw new Error('[ without ]')
    tokens.push(toClass(text.slice(i + 1, end)))
    i = end
  }
  return tokens
}

function toClass(text: string): ClassTest {
  const negated = text.startsWith('!')
  const members = negated ? text.slice(1) : text
  if (members === '') throw new Error('[!] names no character')
  const ranges: [string, string][] = []
  for (let i = 0; i < members.length; i++) {
    const from = members[i] ?? ''
    const to = members[i + 1] === '-' ? members[i + 2] : undefined
    ranges.push([from, to ?? from])
    if (to !== undefined) i += 2
    if (to !== undefined && to < from) throw new Error(`[${text}]: ${to} comes before ${from}`)
  }
  return (char) => ranges.some(([from, to]) => char >= from && char <= to) !== negated
}

function fitsSegment(segment: Segment, name: string): boolean {
  return typeof segment === 'string' ? segment === name : matchWithStar(segment, name, '*', fitsToken)
}

function fitsToken(token: Token, char: string): boolean {
  return typeof token === 'string' ? token === char || token === '?' : token(char)
}

/** Whether the pattern takes all of the subject, where `star` takes any number of its elements. */
function matchWithStar<P>(
  pattern: readonly P[],
  subject: ArrayLike<string>,
  star: P,
  fits: (element: P, of: string) => boolean,
): boolean {
  let p = 0
  let s = 0
  let lastStar = -1
  let resume = 0
  while (s < subject.length) {
    const element = pattern[p]
    if (element === star) {
      lastStar = p++
      resume = s
    } else if (element !== undefined && fits(element, subject[s] ?? '')) {
      p++
      s++
    } else if (lastStar >= 0) {
      p = lastStar + 1
      s = ++resume
    } else return false
  }
  while (pattern[p] === star) p++
  return p === pattern.length
}
