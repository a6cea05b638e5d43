import { Problem } from '../record/problem.ts'
import { addCalls, addWays, countOf, declaredOf, lineOf, maxWays } from './counts.ts'
import { createOpenedFiles } from './opened-files.ts'
import { toPathWithTail } from './paths.ts'
import type { Declared, Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import type { Tally } from './tally.ts'
import type { Tag } from './xml-elements.ts'
import { readTags } from './xml.ts'

/**
 * JaCoCo's XML (COVERAGE.md 1.3), also as Kover and Pester write it. Its unit is the instruction: a line is executed when at least one of its instructions
 * is (`ci`), and partial when another is not (`mi`), or a branch (`mb`). These are no hit counts. The counters of methods, classes
 * and packages say the same again.
 */
export const jacocoDefinition = 'jacoco.instruction@1'

const maxSessions = 20

export async function readJacoco(
  chunks: AsyncIterable<Uint8Array>,
  tally: Tally,
  refused: RefusedList,
): Promise<Reading> {
  const files = createOpenedFiles(tally)
  const sessions = new Set<string>()
  const groups: string[] = []
  const declared: Declared = {}
  let tool: Reading['tool']
  let classes = 0
  let [where, folder, isInFile, isOpen] = ['', '', false, false]
  const wrong = (reason: string): void => refuse(refused, where, reason)

  function openFile(tag: Tag): void {
    const tail = `${folder === '' ? '' : `${folder}/`}${tag.text('name') ?? ''}`
    const group = groups.length === 0 ? '' : `${groups.join('/')}/`
    where = group + tail
    isInFile = true
    isOpen = files.open(`${group}\0${tail}`, () => toPathWithTail(group, tail))
  }

  function readLine(tag: Tag): void {
    if (!isInFile) return
    const [missed, covered] = [countOf(tag, 'mi'), countOf(tag, 'ci')]
    if (Number.isNaN(missed) || Number.isNaN(covered))
      throw new Problem(
        'no_lines',
        'lines have no count of instructions (mi, ci), so it is not known which ran: send another format of this tool (gcovr: --cobertura)',
      )
    if (!isOpen) return
    const line = lineOf(tag, 'nr', wrong)
    if (line === 0) return
    tally.line(line, covered > 0)
    if (covered > 0) tally.ways(line, 0, 1, missed > 0 ? 0 : 1)
    // Pester leaves them out where there is none.
    const [untaken, taken] = [countOf(tag, 'mb') || 0, countOf(tag, 'cb') || 0]
    const found = untaken + taken
    if (found > maxWays) wrong(`line ${line} has ${found} branches`)
    else if (found > 0) addWays(tally, line, found, taken)
  }

  function readCounter(tag: Tag): void {
    if (tag.depth !== 2 && !(isInFile && isOpen)) return
    const type = tag.text('type')
    const [missed, covered] = [declaredOf(tag, 'missed'), declaredOf(tag, 'covered')]
    if (missed === undefined || covered === undefined) return
    const found = missed + covered
    if (tag.depth === 2 && type === 'LINE') declared.lines = { found, executed: covered }
    if (tag.depth === 2 && type === 'BRANCH') declared.branches = { found, covered }
    if (tag.depth > 2 && type === 'METHOD' && found <= maxWays) addCalls(tally, found, covered)
  }

  await readTags(chunks, {
    open(tag) {
      if (tag.name === 'line') readLine(tag)
      else if (tag.name === 'counter') readCounter(tag)
      else if (tag.name === 'class') classes += 1
      else if (tag.name === 'sourcefile') openFile(tag)
      else if (tag.name === 'package') folder = tag.text('name') ?? ''
      else if (tag.name === 'group') groups.push(tag.text('name') ?? '')
      else if (tag.name === 'sessioninfo' && sessions.size < maxSessions) sessions.add(tag.text('id') ?? '')
      else if (tag.depth === 1) {
        if (tag.name !== 'report') throw new Problem('report_invalid', `the root is <${tag.name}>, not <report>`)
        tool = toolOf(tag.text('name') ?? '')
      }
    },
    close(name) {
      if (name === 'sourcefile') isInFile = false
      else if (name === 'group') groups.pop()
    },
  })
  if (files.size() === 0 && (classes > 0 || declared.lines !== undefined))
    throw new Problem(
      'no_lines',
      'the report names classes and no source files: compile with debug information (javac -g) and write the XML with sources',
    )
  return {
    definition: jacocoDefinition,
    ...(tool === undefined ? {} : { tool }),
    ...(Object.keys(declared).length === 0 ? {} : { declared }),
    ...(files.size() === 0 ? { isEmpty: true } : {}),
    testNames: [...sessions],
  }
}

/** The report's name is that of a project, but for tools that put their own there. JaCoCo tells no version. */
function toolOf(report: string): Reading['tool'] {
  if (report.startsWith('Pester (')) return { name: 'pester' }
  return report === 'Intellij Coverage Report' ? { name: 'intellij-coverage' } : undefined
}
