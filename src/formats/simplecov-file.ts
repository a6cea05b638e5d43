import { hashText, mix } from './fingerprint.ts'
import type { JsonCursor } from './json-cursor.ts'
import { createCursor } from './json-cursor.ts'
import { toObject } from './json.ts'
import { isLine, readArray, readNumber } from './json-numbers.ts'
import { createLineRun } from './line-run.ts'
import { createOpenedFiles } from './opened-files.ts'
import type { WrittenPath } from './paths.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import type { Tally } from './tally.ts'
import { maxLine } from './tally.ts'

/** One file of SimpleCov, whose parts come one by one and in any order. */
export interface SimplecovFile {
  begin(path: WrittenPath): void
  /** `key` is lines, branches or methods. */
  take(key: string, bytes: Uint8Array): void
  end(): void
}

const [openBrace, openBracket] = [0x7b, 0x5b]

export function createSimplecovFile(tally: Tally, refused: RefusedList): SimplecovFile {
  /** Several sections may name one file. */
  const files = createOpenedFiles(tally)
  const run = createLineRun(tally)
  let path = ''
  let isTaken = false
  let hasLines = false
  const wrong = (what: string): void => refuse(refused, path, what)

  function takeLines(cursor: JsonCursor): void {
    let notCounts = 0
    readArray(cursor, (index) => {
      const small = cursor.eatIntegerOrNull()
      if (small === -1) return
      // Over 999,999,999, "ignored" (between nocov marks: not coverable), or nonsense.
      const value = small >= 0 ? small : cursor.value()
      if (typeof value === 'number' && index < maxLine) run.line(index + 1, value > 0)
      else if (value !== 'ignored') notCounts += 1
    })
    run.flush()
    hasLines = true
    if (notCounts > 0) wrong(`${notCounts} of its lines have neither a count nor null`)
  }

  /**
   * A branch is on the line where SimpleCov reports it: its own first line where that is the condition's too, else the line before, where `if`,
   * `else` and `when` stand as a rule.
   */
  function takeBranch(condition: number, ordinal: number, line: number, count: unknown): void {
    if (count === 'ignored') return
    if (!isLine(line) || typeof count !== 'number' || Number.isNaN(count)) wrong('a branch without line and count')
    else tally.branch(line, condition, ordinal, count > 0)
  }

  /** {"[:if, 0, 12, 4, 14, 7]": {"[:then, 1, 13, 6, 13, 11]": 1}}: type, number, first line and column, last line and column. */
  function takeBranchMap(cursor: JsonCursor): void {
    cursor.members((condition) => {
      if (cursor.peek() !== openBrace) {
        cursor.value()
        return wrong('a condition without branches')
      }
      const [name, outer] = [hashText(String(condition)), placeOf(condition)]
      cursor.members((branch) => {
        const count = readNumber(cursor)
        const own = placeOf(branch)
        takeBranch(name, hashText(String(branch)), own === outer ? own : own - 1, count)
      })
    })
  }

  /** [{"type": "then", "start_line": 13, "inline": false, "report_line": 12, "coverage": 1}] */
  function takeBranchList(cursor: JsonCursor): void {
    readArray(cursor, (index) => {
      const { type, start_line, end_line, report_line, coverage } = toObject(cursor.value()) ?? {}
      const line = Number(report_line ?? start_line)
      takeBranch(mix(index, Number(start_line), Number(end_line), hashText(String(type))), 0, line, coverage)
    })
  }

  function takeMethods(cursor: JsonCursor): void {
    const call = (name: string, count: unknown): void => {
      if (typeof count === 'number' && !Number.isNaN(count))
        tally.callable(hashText(name), mix(hashText(name), name.length, 0, 0), count > 0 ? 1 : 0)
      else if (count !== 'ignored') wrong('a method without a count')
    }
    if (cursor.peek() === openBrace) cursor.members((name) => call(String(name), readNumber(cursor)))
    else
      readArray(cursor, () => {
        const { name, start_line, coverage } = toObject(cursor.value()) ?? {}
        call(`${String(name)} ${String(start_line)}`, coverage)
      })
  }

  return {
    begin(written) {
      path = written.text
      hasLines = false
      isTaken = files.open(path, () => written)
    },
    take(key, bytes) {
      if (!isTaken) return
      const cursor = createCursor(bytes, `${key} of ${JSON.stringify(path.slice(0, 200))}`)
      const first = cursor.peek()
      if (first !== openBrace && first !== openBracket) cursor.value()
      else if (key === 'branches' && first === openBrace) takeBranchMap(cursor)
      else if (key === 'branches') takeBranchList(cursor)
      else if (key === 'methods') takeMethods(cursor)
      else if (first === openBracket) takeLines(cursor)
      else cursor.value()
      cursor.end()
    },
    end() {
      if (!isTaken || hasLines) return
      files.drop()
      refuse(refused, path, 'no lines')
    },
  }
}

/** The first line in an inspected Ruby array; NaN when there is none. */
const placeOf = (text: string | number): number => Number(/, *\d+, *(\d+),/.exec(String(text))?.[1] ?? Number.NaN)
