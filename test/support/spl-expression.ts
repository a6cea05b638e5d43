import { hash } from 'node:crypto'

/** Expressions of SPL's `eval` and `where`, as far as our add-on uses them. Anything else is an error, so that a changed search is noticed. */

export type Value = string | number | boolean | string[] | undefined
export type Row = ReadonlyMap<string, Value>

type Node = (row: Row, now: number) => Value

const token = /\s*(?:("(?:[^"\\]|\\.)*")|('[^']+')|(\d+(?:\.\d+)?)|(!=|<=|>=|==|[-+*/%=<>(),])|([A-Za-z_]\w*))/y

function tokens(text: string): string[] {
  const found: string[] = []
  token.lastIndex = 0
  for (let at = 0; text.slice(at).trim() !== ''; at = token.lastIndex) {
    token.lastIndex = at
    const match = token.exec(text)
    if (match === null) throw new Error(`not an expression that is known here: ${text.slice(at)}`)
    found.push(match[0].trim())
  }
  return found
}

/** Fields are strings; those that read as numbers are numbers. */
export function numberOf(value: Value): number | undefined {
  if (typeof value === 'number') return value
  return typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : undefined
}

const functions: Record<string, (values: Value[], now: number) => Value> = {
  now: (_, now) => now,
  coalesce: (values) => values.find((value) => value !== undefined),
  isnull: ([value]) => value === undefined,
  isnotnull: ([value]) => value !== undefined,
  round: ([value, digits]) => {
    const number = numberOf(value)
    const scale = 10 ** (numberOf(digits) ?? 0)
    return number === undefined ? undefined : Math.round(number * scale) / scale
  },
  tonumber: ([value, base]) => {
    const text = value === undefined ? '' : String(value)
    const number = base === undefined ? Number(text) : Number.parseInt(text, numberOf(base))
    return text === '' || Number.isNaN(number) ? undefined : number
  },
  substr: ([value, from, length]) =>
    value === undefined ? undefined : String(value).substr((numberOf(from) ?? 1) - 1, numberOf(length)),
  sha256: ([value]) => (value === undefined ? undefined : hash('sha256', String(value), 'hex')),
}

export function parseExpression(text: string): Node {
  const rest = tokens(text)
  const node = parseOr(rest)
  if (rest.length > 0) throw new Error(`not an expression that is known here: ${rest.join(' ')} in ${text}`)
  return node
}

const isWord = (word: string | undefined, what: string): boolean => word?.toUpperCase() === what

function parseOr(rest: string[]): Node {
  let left = parseAnd(rest)
  while (isWord(rest[0], 'OR')) {
    rest.shift()
    const [a, b] = [left, parseAnd(rest)]
    left = (row, now) => a(row, now) === true || b(row, now) === true
  }
  return left
}

function parseAnd(rest: string[]): Node {
  let left = parseComparison(rest)
  while (isWord(rest[0], 'AND')) {
    rest.shift()
    const [a, b] = [left, parseComparison(rest)]
    left = (row, now) => a(row, now) === true && b(row, now) === true
  }
  return left
}

const comparisons = new Set(['=', '==', '!=', '<', '>', '<=', '>='])

/** With a field that is not there the answer is neither true nor false; then `where` drops the row. */
function parseComparison(rest: string[]): Node {
  const left = parseSum(rest)
  const operator = rest[0]
  if (operator === undefined || !comparisons.has(operator)) return left
  rest.shift()
  const right = parseSum(rest)
  return (row, now) => {
    const [a, b] = [left(row, now), right(row, now)]
    if (a === undefined || b === undefined) return undefined
    const [x, y] = [numberOf(a), numberOf(b)]
    const order = x !== undefined && y !== undefined ? Math.sign(x - y) : String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0 // oxfmt-ignore
    if (operator === '!=') return order !== 0
    if (operator === '=' || operator === '==') return order === 0
    return operator.startsWith('<') ? order < 0 || (operator === '<=' && order === 0) : order > 0 || (operator === '>=' && order === 0) // oxfmt-ignore
  }
}

function parseSum(rest: string[]): Node {
  return parseChain(rest, ['+', '-'], (inner) => parseChain(inner, ['*', '/'], parsePrimary))
}

function parseChain(rest: string[], operators: readonly string[], next: (rest: string[]) => Node): Node {
  let left = next(rest)
  for (let operator = rest[0]; operator !== undefined && operators.includes(operator); operator = rest[0]) {
    rest.shift()
    const [a, b, sign] = [left, next(rest), operator]
    left = (row, now) => {
      const [x, y] = [numberOf(a(row, now)), numberOf(b(row, now))]
      if (x === undefined || y === undefined) return undefined
      return sign === '+' ? x + y : sign === '-' ? x - y : sign === '*' ? x * y : x / y
    }
  }
  return left
}

function parsePrimary(rest: string[]): Node {
  const first = rest.shift()
  if (first === undefined) throw new Error('an expression ends too early')
  if (first === '(') {
    const inner = parseOr(rest)
    if (rest.shift() !== ')') throw new Error('a parenthesis is not closed')
    return inner
  }
  if (first === '-') {
    const inner = parsePrimary(rest)
    return (row, now) => {
      const number = numberOf(inner(row, now))
      return number === undefined ? undefined : -number
    }
  }
  if (first.startsWith('"')) {
    const text = first.slice(1, -1)
    return () => text
  }
  if (first.startsWith("'")) return (row) => row.get(first.slice(1, -1))
  if (/^\d/.test(first)) return () => Number(first)
  if (rest[0] !== '(') return (row) => row.get(first)
  const call = functions[first]
  if (call === undefined) throw new Error(`not a function that is known here: ${first}`)
  const given = parseGiven(rest)
  return (row, now) =>
    call(
      given.map((one) => one(row, now)),
      now,
    )
}

/** From the parenthesis of a call to behind the one that closes it. */
function parseGiven(rest: string[]): Node[] {
  const given: Node[] = []
  rest.shift()
  for (let next = rest.at(0); next !== ')'; next = rest.at(0)) {
    given.push(parseOr(rest))
    const behind = rest.at(0)
    if (behind === ',') rest.shift()
    else if (behind !== ')') throw new Error(`neither a comma nor the end of a call: ${behind ?? ''}`)
  }
  rest.shift()
  return given
}
