import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createMutantTally } from '../../src/formats/mutant-tally.ts'
import { toWrittenPath } from '../../src/formats/paths.ts'
import { fromSorted } from '../../src/record/lines.ts'
import type { MutantStatus } from '../../src/record/mutants.ts'
import { mutantStatuses, toMutants, verdictOf } from '../../src/record/mutants.ts'
import { Problem } from '../../src/record/problem.ts'

const limits = { maxFiles: 3, maxLinesPerFile: 200, maxLines: 10_000_000 }
const aTally = (): ReturnType<typeof createMutantTally> =>
  createMutantTally(limits, () => undefined, { count: 0, first: [] })

const setOf = (status: MutantStatus): string =>
  status === 'survived'
    ? 'survived'
    : status === 'no_coverage'
      ? 'uncovered'
      : verdictOf(status) === 'detected'
        ? 'detected'
        : 'undecided'

describe('a tally of mutants', () => {
  it('says of each file what a list of all mutants would, whatever their order and names', () => {
    const one = fc.tuple(
      fc.constantFrom('a', 'b', './a'),
      fc.oneof(fc.integer({ min: 1, max: 90 }), fc.constantFrom(2_147_483_647, 2_147_483_646, 1 << 30)),
      fc.constantFrom(...mutantStatuses),
    )
    fc.assert(
      fc.property(fc.array(one, { maxLength: 600, size: 'max' }), (mutants) => {
        const tally = aTally()
        for (const [path, line, status] of mutants) tally.add(tally.file(toWrittenPath(path)), line, status)
        const resolved = tally
          .written()
          .map(({ text }) => ({ path: text.replace('./', ''), unresolved: false, blob: undefined }))
        const files = tally.files(resolved, 'd')
        expect([...files]).toEqual([...files])
        const wanted = [...new Set(mutants.map(([path]) => path.replace('./', '')))].sort().map((path) => {
          const of = mutants.filter(([written]) => written.replace('./', '') === path)
          const lines = (set: string): readonly number[] =>
            fromSorted(of.filter(([, , status]) => setOf(status) === set).map(([, line]) => line).sort((x, y) => x - y)) // oxfmt-ignore
          return {
            path,
            metric: 'mutation',
            definition: 'd',
            mutants: toMutants(mutantStatuses.map((status) => of.filter((each) => each[2] === status).length)),
            detected: lines('detected'),
            survived: lines('survived'),
            uncovered: lines('uncovered'),
            undecided: lines('undecided'),
          }
        })
        expect([...files]).toEqual(wanted)
      }),
    )
  })

  it('holds lines, not mutants', () => {
    const tally = aTally()
    const file = tally.file(toWrittenPath('a'))
    for (let i = 0; i < 2_000_000; i += 1) tally.add(file, 1 + (i % 200), 'killed')
    tally.written()
    expect([...tally.files([{ path: 'a', unresolved: false, blob: undefined }], 'd')]).toMatchObject([
      { detected: [1, 200], mutants: { found: 2_000_000 } },
    ])
  })

  it('refuses more lines of a file, and more files, than are recorded', () => {
    const tally = aTally()
    const file = tally.file(toWrittenPath('a'))
    for (let line = 1; line <= 200; line += 1) tally.add(file, line, 'killed')
    tally.written()
    const code = (act: () => unknown): string => {
      try {
        act()
        return 'taken'
      } catch (error) {
        return error instanceof Problem ? error.code : 'a bug'
      }
    }
    tally.add(file, 201, 'killed')
    expect(code(() => tally.written())).toBe('too_many_lines')
    for (const path of ['b', 'c', 'a', 'b']) tally.file(toWrittenPath(path))
    expect(code(() => tally.file(toWrittenPath('d')))).toBe('too_many_files')
  })

  it('refuses mutants on more lines of a whole report', () => {
    const full = (lines: number): Promise<unknown> =>
      Promise.resolve().then(() => {
        const tally = createMutantTally({ ...limits, maxLines: 300 }, () => undefined, { count: 0, first: [] })
        for (const path of ['a', 'b'])
          for (let line = 1; line <= lines; line += 1)
            for (const status of ['killed', 'survived'] as const)
              tally.add(tally.file(toWrittenPath(path)), line, status)
        return tally.written().length
      })
    return Promise.all([
      expect(full(150)).resolves.toBe(2),
      expect(full(151)).rejects.toMatchObject({ code: 'too_many_lines' }),
    ])
  })
})
