import { Problem } from '../record/problem.ts'
import { addWays, countOf, declaredOf, lineOf, maxWays } from './counts.ts'
import { hashText } from './fingerprint.ts'
import { createOpenedFiles } from './opened-files.ts'
import { toWrittenPath } from './paths.ts'
import type { Declared, Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import type { Tally } from './tally.ts'
import type { Tag } from './xml-elements.ts'
import { readTags } from './xml.ts'

/**
 * Clover's XML (COVERAGE.md 1.7): lines are those of statements and conditions; methods are functions. Conditions mean two things. OpenClover and PHPUnit
 * write how often one was true and how often false: two ways. Istanbul writes a `count` besides, and with it `truecount` are the
 * ways that were taken and `falsecount` those that were not.
 */
export const cloverDefinition = 'clover.statement@1'
export const cloverIstanbulDefinition = 'clover.istanbul@1'

/** What Istanbul's reporter writes for Clover's version, whatever its own is. */
const istanbulVersion = '3.2.0'

export async function readClover(
  chunks: AsyncIterable<Uint8Array>,
  tally: Tally,
  refused: RefusedList,
): Promise<Reading> {
  const files = createOpenedFiles(tally)
  const totals: Declared = {}
  let version: string | undefined
  let [hasIstanbul, hasOther, lines] = [false, false, 0]
  let [where, isOpen] = ['', false]
  /** Of the open file: how often each line had a statement, for one line may have several. */
  let statements = new Map<number, number>()
  const wrong = (reason: string): void => refuse(refused, where, reason)

  /** `path` is the whole one, where there is one; PHPUnit has it in `name`. */
  function openFile(tag: Tag): void {
    where = tag.text('path') || tag.text('name') || ''
    statements = new Map()
    isOpen = files.open(where, () => toWrittenPath(where))
  }

  function readLine(tag: Tag): void {
    lines += 1
    if (!isOpen) return
    const type = tag.text('type')
    const line = lineOf(tag, 'num', wrong)
    if (line === 0) return
    if (type === 'cond') return readCondition(tag, line)
    const count = countOf(tag, 'count')
    if (Number.isNaN(count)) return wrong(`line ${line} has no count`)
    if (type === 'method') {
      const name = tag.text('signature') ?? tag.text('name') ?? ''
      tally.callable(line, hashText(name), count > 0 ? 1 : 0)
    } else if (type === 'stmt') addStatement(line, count > 0)
    else wrong(`line ${line} has the type ${type ?? 'none'}`)
  }

  function addStatement(line: number, executed: boolean): void {
    tally.line(line, executed)
    const nth = statements.get(line) ?? 0
    statements.set(line, nth + 1)
    const bit = 1 << (line & 31)
    tally.units('statements', nth, line >>> 5, bit, executed ? bit : 0)
  }

  function readCondition(tag: Tag, line: number): void {
    const [yes, no, count] = [countOf(tag, 'truecount'), countOf(tag, 'falsecount'), countOf(tag, 'count')]
    if (Number.isNaN(yes) || Number.isNaN(no)) return wrong(`line ${line} is a condition without counts`)
    if (Number.isNaN(count)) {
      hasOther = true
      tally.line(line, yes + no > 0)
      return tally.branches(line, 1, 0, 0b11, (yes > 0 ? 0b01 : 0) | (no > 0 ? 0b10 : 0))
    }
    hasIstanbul = true
    addStatement(line, count > 0)
    if (yes + no > maxWays) wrong(`line ${line} has ${yes + no} branches`)
    else addWays(tally, line, yes + no, yes)
  }

  await readTags(chunks, {
    open(tag) {
      if (tag.name === 'line') readLine(tag)
      else if (tag.name === 'file') openFile(tag)
      else if (tag.name === 'metrics' && tag.depth === 3) addDeclared(totals, tag)
      else if (tag.depth === 1) {
        if (tag.name !== 'coverage') throw new Problem('report_invalid', `the root is <${tag.name}>, not <coverage>`)
        version = tag.text('clover')
      }
    },
  })
  if (hasIstanbul && hasOther)
    throw new Problem(
      'report_invalid',
      'some conditions have a count (Istanbul) and some have none (Clover): two reports in one',
    )
  const declaredStatements = totals.statements?.found ?? 0
  if (lines === 0 && declaredStatements > 0)
    throw new Problem('no_lines', 'the report has metrics and no lines: write Clover with lines (no summary)')
  const isIstanbul = hasIstanbul || (!hasOther && version === istanbulVersion)
  return {
    definition: isIstanbul ? cloverIstanbulDefinition : cloverDefinition,
    ...(isIstanbul ? { dialect: 'istanbul' } : {}),
    ...toolOf(isIstanbul, version),
    ...declaredBy(totals, isIstanbul),
    ...(files.size() === 0 ? { isEmpty: true } : {}),
    testNames: [],
  }
}

/** Of the project, and of its tests, which are files of the report too. */
function addDeclared(totals: Declared, tag: Tag): void {
  for (const [name, found, covered] of [
    ['statements', declaredOf(tag, 'statements'), declaredOf(tag, 'coveredstatements')],
    ['branches', declaredOf(tag, 'conditionals'), declaredOf(tag, 'coveredconditionals')],
  ] as const) {
    if (found === undefined || covered === undefined) continue
    const sum = (totals[name] ??= { found: 0, covered: 0 })
    sum.found += found
    sum.covered += covered
  }
}

/** What Istanbul calls statements there are its lines. */
function declaredBy({ statements, branches }: Declared, isIstanbul: boolean): Pick<Reading, 'declared'> {
  if (statements === undefined && branches === undefined) return {}
  const lines = statements && isIstanbul ? { lines: { found: statements.found, executed: statements.covered } } : {}
  return {
    declared: {
      ...lines,
      ...(branches === undefined ? {} : { branches }),
      ...(statements === undefined || isIstanbul ? {} : { statements }),
    },
  }
}

function toolOf(isIstanbul: boolean, version: string | undefined): Pick<Reading, 'tool'> {
  if (isIstanbul) return { tool: { name: 'istanbul' } }
  return version === undefined ? {} : { tool: { name: 'clover', version: version.slice(0, 60) } }
}
