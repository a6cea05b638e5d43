/**
 * Globs over paths of a repository. A contract is written by whoever may push, and is matched against every path of a commit, so no
 * pattern may take more than its length times that of the path: matchers that go by way of a regular expression have patterns
 * (`*a*a*a*a*b`) that take exponents of it. It is enough to go back to the last star: an earlier one cannot match more than the last one can.
 */

/** The code of a character of a name, or what stands for one: `any`, a class. */
type Token = number | ClassTest
type ClassTest = (code: number) => boolean
const any = -1
/** A segment of a pattern: a whole name, a test of one, or `**` for any number of segments. */
type Segment = string | ((name: string) => boolean)

export const maxGlobLength = 256
const maxAlternatives = 64
/** Characters of all alternatives together: a path of 1,024 bytes is compared with each, in up to 2 million steps. */
const maxExpanded = 2_048
/** Of all globs of a list: 8 million steps, 50 ms, for one path. */
export const maxExpandedTogether = 8_192

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

/** Characters of all alternatives of these patterns; patterns that are none count nothing. */
export function expandedLength(patterns: readonly string[]): number {
  let length = 0
  for (const pattern of patterns) {
    try {
      length += expandBraces(pattern).join('').length
    } catch {
      continue
    }
  }
  return length
}

/** Whether one of the patterns takes a path. */
export function compileGlobs(patterns: readonly string[]): (path: string) => boolean {
  const alternatives = patterns.flatMap(expandBraces).map(toSegments)
  return (path) => {
    const names = path.split('/')
    for (const segments of alternatives) if (matchPath(segments, names)) return true
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
  return segments.at(-1) === '**' ? [...segments, () => true] : segments
}

function toSegment(text: string): Segment {
  if (text === '**') return '**'
  if (text === '' || text === '.' || text === '..')
    throw new Error(`${JSON.stringify(text)} is no name of a file or folder`)
  if (text.includes('**')) throw new Error('** stands alone between slashes: write src/**/*.ts')
  if (!/[*?[\]]/.test(text)) return text
  let piece: Token[] = []
  const pieces = [piece]
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? ''
    if (char === ']') throw new Error('] without [')
    if (char === '*') pieces.push((piece = []))
    else if (char !== '[') piece.push(char === '?' ? any : char.charCodeAt(0))
    else {
      const end = text.indexOf(']', i + 2)
      if (end < 0) throw new Error('[ without ]')
      piece.push(toClass(text.slice(i + 1, end)))
      i = end
    }
  }
  return matchPieces(pieces)
}

/** What stands between stars is found in its order, as early as it can be; the first and the last piece at the ends. */
function matchPieces([first = [], ...between]: readonly (readonly Token[])[]): (name: string) => boolean {
  const last = between.pop()
  if (last === undefined) return (name) => name.length === first.length && isAt(first, name, 0)
  return (name) => {
    const end = name.length - last.length
    if (first.length > end || !isAt(first, name, 0) || !isAt(last, name, end)) return false
    let at = first.length
    for (const piece of between) {
      while (at + piece.length <= end && !isAt(piece, name, at)) at++
      at += piece.length
      if (at > end) return false
    }
    return true
  }
}

function isAt(piece: readonly Token[], name: string, at: number): boolean {
  for (let i = 0; i < piece.length; i++) {
    const token = piece[i]
    const code = name.charCodeAt(at + i)
    if (token !== code && token !== any && !(typeof token === 'function' && token(code))) return false
  }
  return true
}

function toClass(text: string): ClassTest {
  const negated = text.startsWith('!')
  const members = negated ? text.slice(1) : text
  if (members === '') throw new Error('[!] names no character')
  const ranges: [number, number][] = []
  for (let i = 0; i < members.length; i++) {
    const from = members[i] ?? ''
    const to = members[i + 1] === '-' ? members[i + 2] : undefined
    ranges.push([from.charCodeAt(0), (to ?? from).charCodeAt(0)])
    if (to !== undefined) i += 2
    if (to !== undefined && to < from) throw new Error(`[${text}]: ${to} comes before ${from}`)
  }
  return (code) => ranges.some(([from, to]) => code >= from && code <= to) !== negated
}

/** Whether the segments take all of the names. */
function matchPath(segments: readonly Segment[], names: readonly string[]): boolean {
  let p = 0
  let s = 0
  let lastStar = -1
  let resume = 0
  while (s < names.length) {
    const segment = segments[p]
    const name = names[s] ?? ''
    if (segment === '**') {
      lastStar = p++
      resume = s
    } else if (segment !== undefined && (typeof segment === 'string' ? segment === name : segment(name))) {
      p++
      s++
    } else if (lastStar >= 0) {
      p = lastStar + 1
      s = ++resume
    } else return false
  }
  while (segments[p] === '**') p++
  return p === segments.length
}
