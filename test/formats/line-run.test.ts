import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLineRun } from '../../src/formats/line-run.ts'
import { createTally } from '../../src/formats/tally.ts'
import { toWrittenPath } from '../../src/formats/paths.ts'
import { createUnitRun } from '../../src/formats/units.ts'

const aTally = () =>
  createTally({ maxFiles: 9, maxLinesPerFile: 10_000, maxLines: 10_000 }, () => undefined, { count: 0, first: [] })
const resolved = [{ path: 'a', unresolved: false, blob: undefined }]
const linesIn = (ranges: readonly number[]): number[] =>
  ranges.flatMap((from, i) =>
    i % 2 === 0 ? Array.from({ length: (ranges[i + 1] ?? from) - from + 1 }, (_, k) => from + k) : [],
  )

describe('createLineRun', () => {
  it('gathers lines and ranges, in any order, as a set of lines would', () => {
    const range = fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 0, max: 100 }), fc.boolean())
    fc.assert(
      fc.property(fc.array(range, { minLength: 1 }), (ranges) => {
        const tally = aTally()
        const run = createLineRun(tally)
        tally.add(toWrittenPath('a'))
        const states = new Map<number, boolean>()
        for (const [from, more, executed] of ranges) {
          if (more === 0) run.line(from, executed)
          else run.range(from, from + more, executed)
          for (let line = from; line <= from + more; line += 1) states.set(line, executed || states.get(line) === true)
        }
        run.flush()
        tally.written()
        const [file] = tally.files(resolved, 'x@1')
        const of = (executed: boolean): number[] =>
          [...states].filter(([, state]) => state === executed).map(([line]) => line).toSorted((a, b) => a - b) // oxfmt-ignore
        expect(linesIn(file?.covered ?? [])).toEqual(of(true))
        expect(linesIn(file?.missed ?? [])).toEqual(of(false))
      }),
    )
  })
})

describe('createUnitRun', () => {
  it('counts what is added, file by file', () => {
    const counts = fc.array(fc.tuple(fc.integer({ min: 0, max: 200 }), fc.boolean()), { minLength: 1 })
    fc.assert(
      fc.property(counts, counts, (...files) => {
        const tally = aTally()
        const units = createUnitRun(tally, 'statements')
        for (const [i, file] of files.entries()) {
          tally.add(toWrittenPath(String(i)))
          for (const [count, covered] of file) units.add(count, covered)
          units.flush()
        }
        tally.written()
        const found = [...tally.files(files.map((_, i) => ({ path: String(i), unresolved: false, blob: undefined })), 'x@1')] // oxfmt-ignore
        const sum = (file: [number, boolean][]): number => file.reduce((all, [count]) => all + count, 0)
        expect(found.map(({ statements }) => statements ?? { found: 0, covered: 0 })).toEqual(
          files.map((file) => ({ found: sum(file), covered: sum(file.filter(([, covered]) => covered)) })),
        )
      }),
    )
  })
})
