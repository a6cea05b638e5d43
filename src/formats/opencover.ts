import { Problem } from '../record/problem.ts'
import { countOf, declaredOf, lineOf } from './counts.ts'
import { hashText, mix } from './fingerprint.ts'
import { createOpenedFiles } from './opened-files.ts'
import { toWrittenPath } from './paths.ts'
import type { Declared, Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { refuse } from './refused.ts'
import type { Tally } from './tally.ts'
import { maxLine } from './tally.ts'
import type { Tag } from './xml-elements.ts'
import { readTags } from './xml.ts'

/**
 * OpenCover's XML (COVERAGE.md 1.8), also as coverlet and AltCover write it. Its unit is the sequence point; lines are derived: those from its start
 * to its end, executed when one of their points was visited. Files are numbered within a module. Modules and methods that were skipped say
 * nothing: they are not uncovered.
 */
export const opencoverDefinition = 'opencover.sequence-point@1'

const textOf = new Set(['MetadataToken'])
/** Compilers mark code that has no source with these lines. */
const hidden = new Set([0xfeefee, 0xf00f00, 0xfeefed])

export async function readOpenCover(
  chunks: AsyncIterable<Uint8Array>,
  tally: Tally,
  refused: RefusedList,
): Promise<Reading> {
  const files = createOpenedFiles(tally)
  /** Of the open module: paths by uid. */
  let paths = new Map<string, string>()
  let tool: Reading['tool']
  let declared: Declared = {}
  let points = 0
  let current: string | undefined
  let isOpen = false
  let [module, modules] = [0, 0]
  /** Named by its token, which stands before its points. */
  const method = { file: '', hasPoints: false, isVisited: false, name: 0 }

  const wrong = (reason: string): void => refuse(refused, current ?? `module ${modules}`, reason)

  function openFile(uid: string): void {
    const path = paths.get(uid)
    if (path === undefined) {
      current = undefined
      isOpen = false
      return wrong(`no file of the module has the uid ${JSON.stringify(uid)}`)
    }
    if (path === current) return
    current = path
    isOpen = files.open(path, () => toWrittenPath(path))
  }

  /** Opens the file of a point. Undefined for what has no place, which is no code that anybody wrote, and for what cannot be taken. */
  function readPlace(tag: Tag): { line: number; visits: number } | undefined {
    const start = tag.number('sl')
    if (hidden.has(start) || (start < 0 && tag.text('sl') === undefined)) return undefined
    openFile(tag.text('fileid') ?? method.file)
    const line = isOpen ? lineOf(tag, 'sl', wrong) : 0
    const visits = countOf(tag, 'vc')
    if (line > 0 && Number.isNaN(visits)) wrong(`line ${line} has no count of visits`)
    return line === 0 || Number.isNaN(visits) ? undefined : { line, visits }
  }

  function lastLineOf(tag: Tag, first: number): number {
    const end = countOf(tag, 'el')
    if (end > maxLine) wrong(`line ${first} is the first of ${end}`)
    return end >= first && end <= maxLine && !hidden.has(end) ? end : first
  }

  function readPoint(tag: Tag): void {
    const place = readPlace(tag)
    if (place === undefined) return
    const { line, visits } = place
    points += 1
    method.hasPoints = true
    method.isVisited ||= visits > 0
    const end = lastLineOf(tag, line)
    addLines(tally, line, end, visits > 0)
    const [column, lastColumn] = [tag.number('sc'), tag.number('ec')]
    const bit = 1 << (line & 31)
    tally.units('statements', mix(column, lastColumn, method.name, module), line >>> 5, bit, visits > 0 ? bit : 0)
    const exits = tag.number('bec')
    if (exits > 0) tally.ways(line, mix(column, end, lastColumn, 0), 1, tag.number('bev') < exits ? 0 : 1)
  }

  /** A way out is named by its place in the method's code and its number there. */
  function readBranch(tag: Tag): void {
    const place = readPlace(tag)
    const path = Math.max(tag.number('path'), 0)
    if (place === undefined) return
    tally.branch(place.line, mix(tag.number('offset'), method.name, module, 0), path, place.visits > 0)
  }

  await readTags(chunks, {
    textOf,
    open(tag) {
      const { name } = tag
      if (name === 'SequencePoint') readPoint(tag)
      else if (name === 'BranchPoint') readBranch(tag)
      else if (name === 'FileRef') method.file = tag.text('uid') ?? ''
      else if (name === 'Method')
        Object.assign(method, { file: '', hasPoints: false, isVisited: tag.text('visited') === 'true', name: 0 })
      else if (name === 'File') paths.set(tag.text('uid') ?? '', tag.text('fullPath') ?? '')
      else if (name === 'Module') {
        modules += 1
        module = hashText(tag.text('hash') ?? String(modules))
        paths = new Map()
        current = undefined
      } else if (name === 'Summary' && tag.depth === 2) declared = readDeclared(tag)
      else if (tag.depth === 1) {
        if (name !== 'CoverageSession')
          throw new Problem('report_invalid', `the root is <${name}>, not <CoverageSession>`)
        const version = tag.text('Version')
        if (version !== undefined) tool = { name: 'opencover', version: version.slice(0, 60) }
      }
    },
    close(name, _, text) {
      if (name === 'MetadataToken') method.name = hashText(text)
      else if (name === 'Method' && method.hasPoints && isOpen)
        tally.callable(method.name, module, method.isVisited ? 1 : 0)
    },
  })
  if (points === 0 && (declared.statements?.found ?? 0) > 0)
    throw new Problem('no_lines', 'the report has summaries and no sequence points')
  return {
    definition: opencoverDefinition,
    ...(tool === undefined ? {} : { tool }),
    ...(Object.keys(declared).length === 0 ? {} : { declared }),
    ...(files.size() === 0 ? { isEmpty: true } : {}),
    testNames: [],
  }
}

/** By pages: a report may say that a statement has two thousand million lines, which the tally then refuses. */
function addLines(tally: Tally, from: number, to: number, executed: boolean): void {
  tally.spend((to >>> 5) - (from >>> 5))
  for (let line = from; line <= to;) {
    const last = Math.min(to, line | 31)
    const bits = (-1 >>> (31 - (last - line))) << (line & 31)
    tally.lines(line >>> 5, bits, executed ? bits : 0)
    line = last + 1
  }
}

function readDeclared(tag: Tag): Declared {
  const [found, covered] = [declaredOf(tag, 'numSequencePoints'), declaredOf(tag, 'visitedSequencePoints')]
  const [ways, taken] = [declaredOf(tag, 'numBranchPoints'), declaredOf(tag, 'visitedBranchPoints')]
  return {
    ...(ways === undefined || taken === undefined ? {} : { branches: { found: ways, covered: taken } }),
    ...(found === undefined || covered === undefined ? {} : { statements: { found, covered } }),
  }
}
