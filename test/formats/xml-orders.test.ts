import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromSorted, printLines } from '../../src/record/lines.ts'
import { printFiles, read } from './read.ts'

/** The same observations in four formats, in any order, in any number of classes and files, cut into chunks anywhere. */

interface Line {
  number: number
  executed: boolean
  /** Of two ways out; undefined: there are none. */
  taken: number | undefined
}
interface Piece {
  path: string
  lines: Line[]
}

const yes = (is: boolean): number => (is ? 7 : 0)

const formats: Record<string, (pieces: readonly Piece[]) => string> = {
  cobertura: (pieces) =>
    `<coverage><packages><package><classes>${pieces
      .map(({ path, lines }) => `<class filename="${path}"><lines>${lines.map(ofCobertura).join('\n')}</lines></class>`)
      .join('')}</classes></package></packages></coverage>`,
  jacoco: (pieces) =>
    `<report name="x">${pieces
      .map(({ path, lines }) => `<package name="p"><sourcefile name="${path}">${lines.map(ofJacoco).join('')}</sourcefile></package>`)
      .join(' ')}</report>`,
  clover: (pieces) =>
    `<coverage><project>${pieces
      .map(({ path, lines }) => `<file name="${path}">${lines.map(ofClover).join(' ')}</file>`)
      .join('\n')}</project></coverage>`,
  opencover: (pieces) => {
    const paths = [...new Set(pieces.map(({ path }) => path))]
    const files = paths.map((path, uid) => `<File uid="${uid}" fullPath="${path}"/>`).join('')
    const methods = pieces.map(({ path, lines }) => {
      const fileid = paths.indexOf(path)
      const points = lines.map(({ number, executed }) => `<SequencePoint vc="${yes(executed)}" sl="${number}" el="${number}" fileid="${fileid}"/>`)
      const branches = lines.flatMap(({ number, taken }) =>
        taken === undefined ? [] : [0, 1].map((way) => `<BranchPoint vc="${yes(way < taken)}" sl="${number}" path="${way}" fileid="${fileid}"/>`),
      )
      return `<Method><SequencePoints>${points.join('')}</SequencePoints><BranchPoints>${branches.join('')}</BranchPoints></Method>`
    })
    return `<CoverageSession><Modules><Module hash="m"><Files>${files}</Files><Classes><Class><Methods>${methods.join('')}</Methods></Class></Classes></Module></Modules></CoverageSession>`
  },
} // oxfmt-ignore

function ofCobertura({ number, executed, taken }: Line): string {
  const branch =
    taken === undefined ? 'branch="false"' : `branch="true" condition-coverage="${taken * 50}% (${taken}/2)"`
  return `<line number="${number}" ${branch} hits="${yes(executed)}"/>`
}

function ofJacoco({ number, executed, taken }: Line): string {
  return `<line nr="${number}" mi="${executed ? 0 : 3}" ci="${yes(executed)}" mb="${taken === undefined ? 0 : 2 - taken}" cb="${taken ?? 0}"/>`
}

function ofClover({ number, executed, taken }: Line): string {
  return taken === undefined
    ? `<line num="${number}" type="stmt" count="${yes(executed)}"/>`
    : `<line num="${number}" type="cond" count="${yes(executed)}" truecount="${taken}" falsecount="${2 - taken}"/>`
}

/** Line by line: executed when it is once, and as many ways as were taken at most. */
function expected(pieces: readonly Piece[]): string[] {
  const files = new Map<string, Map<number, Line>>()
  for (const { path, lines } of pieces) {
    const known = files.get(path) ?? new Map<number, Line>()
    files.set(path, known)
    for (const line of lines) {
      const before = known.get(line.number)
      known.set(line.number, {
        number: line.number,
        executed: line.executed || before?.executed === true,
        taken: line.taken === undefined ? before?.taken : Math.max(line.taken, before?.taken ?? 0),
      })
    }
  }
  return [...files.keys()].sort().map((path) => {
    const lines = [...(files.get(path)?.values() ?? [])].sort((a, b) => a.number - b.number)
    const those = (is: (line: Line) => boolean): string =>
      printLines(fromSorted(lines.filter(is).map(({ number }) => number)))
    const isPartial = ({ executed, taken }: Line): boolean => executed && taken !== undefined && taken < 2
    const branches = lines.filter(({ taken }) => taken !== undefined)
    const taken = branches.reduce((sum, line) => sum + (line.taken ?? 0), 0)
    return `${path} ${those((line) => line.executed && !isPartial(line))}|${those(isPartial)}|${those(({ executed }) => !executed)} ${branches.length === 0 ? '-' : `${taken}/${2 * branches.length}`}`
  })
}

const line: fc.Arbitrary<Line> = fc.record({
  number: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 2_147_483_647 })),
  executed: fc.boolean(),
  taken: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
})
const pieces = fc.array(
  fc.record({
    path: fc.constantFrom('a.x', 'b.x', 'é &amp; c.x'),
    lines: fc.array(line, { minLength: 1, maxLength: 12 }),
  }),
  { minLength: 1, maxLength: 8 },
)

describe.each(Object.entries(formats))('%s', (name, print) => {
  it('says of each line what its observations say together, in whatever order they come', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, fc.integer({ min: 1, max: 200 }), async (all, chunkBytes) => {
        const result = await read(print(all), {}, chunkBytes)
        expect(result.format).toBe(name)
        // What follows the branches is the format's own: functions.
        const files = printFiles(result).map((file) => file.replace(/^p\//, '').replace(/ \S+$/, ''))
        expect(files).toEqual(expected(all).map((file) => file.replace('&amp;', '&')))
      }),
      { numRuns: 150 },
    )
  })
})
