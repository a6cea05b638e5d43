import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Side, type SideFile, explainDifference } from '../../src/answers/explain-difference.ts'
import { allLines, keptByHunks } from '../../src/history/kept-lines.ts'
import { fromSorted } from '../../src/record/lines.ts'

/** Of a line, the suites that executed it; undefined where it is no code. */
type Plain = readonly (readonly string[] | undefined)[]
type Files = Readonly<Record<string, Plain>>

const suites = ['unit api', 'unit web', 'integration e2e']
const somePlain = (from: readonly string[]) => fc.array(fc.option(fc.subarray([...from]), { nil: undefined, freq: 3 }), { maxLength: 12 }) // oxfmt-ignore
const someFiles = (from: readonly string[]) => fc.dictionary(fc.constantFrom('a.c', 'b.c', 'c.c', 'd.c'), somePlain(from), { maxKeys: 4 }) // oxfmt-ignore

const linesWhere = (plain: Plain, holds: (by: readonly string[]) => boolean) =>
  fromSorted(plain.flatMap((by, i) => (by !== undefined && holds(by) ? [i + 1] : [])))
const toFile = (path: string, plain: Plain): SideFile => ({
  path,
  found: linesWhere(plain, () => true),
  executed: linesWhere(plain, (by) => by.length > 0),
  by: new Map(suites.map((suite) => [suite, linesWhere(plain, (by) => by.includes(suite))])),
})
const toSide = (files: Files, of: readonly string[]): Side => ({
  files: new Map(Object.entries(files).map(([path, plain]) => [path, toFile(path, plain)])),
  suites: new Set(of),
  why: (path) => (path === 'a.c' ? 'excluded' : 'not_measured'),
})
const samePaths = (a: Files, b: Files) => new Map(Object.keys(a).filter((path) => path in b).map((path) => [path, path])) // oxfmt-ignore

/** Of each line the step that it is in, found by looking at one line after the other. */
function byLoop(a: Files, b: Files, suitesA: readonly string[], suitesB: readonly string[]) {
  const steps = new Map<string, { a: number; b: number; found: number; executed: number }>()
  const add = (key: string, inA: boolean, inB: boolean, executed: number): void => {
    const step = steps.get(key) ?? { a: 0, b: 0, found: 0, executed: 0 }
    steps.set(key, { a: step.a + Number(inA), b: step.b + Number(inB), found: step.found + Number(inB) - Number(inA), executed: step.executed + executed }) // oxfmt-ignore
  }
  for (const path of new Set([...Object.keys(a), ...Object.keys(b)]))
    for (let i = 0; i < 12; i++) {
      const [x, y] = [a[path]?.[i], b[path]?.[i]]
      const why = path === 'a.c' ? 'excluded' : 'not_measured'
      const delta = Number((y ?? []).length > 0) - Number((x ?? []).length > 0)
      if (x === undefined && y === undefined) continue
      const side = x === undefined ? 'b' : 'a'
      if (!(path in a) || !(path in b)) add(`file_only ${side} ${why}`, x !== undefined, y !== undefined, delta)
      else if (x === undefined || y === undefined) add(`line_only ${side} `, x !== undefined, y !== undefined, delta)
      else if (delta === 0) add('same  ', true, true, 0)
      else {
        const [of, by, others] = delta < 0 ? ['a', x, suitesB] : ['b', y, suitesA]
        const kind = by.some((suite) => others.includes(suite)) ? 'executed_only' : 'executed_by_other_suite'
        add(`${kind} ${of} `, true, true, delta)
      }
    }
  return Object.fromEntries(steps)
}

describe('explainDifference', () => {
  it('puts every line into the step that a look at that line finds, so the steps are the whole difference', () => {
    const sides = fc.tuple(fc.subarray(suites), fc.subarray(suites)).chain(([of, other]) => fc.tuple(fc.constant(of), fc.constant(other), someFiles(of), someFiles(other))) // oxfmt-ignore
    fc.assert(
      fc.property(sides, ([suitesA, suitesB, a, b]) => {
        const steps = explainDifference(toSide(a, suitesA), toSide(b, suitesB), { paths: samePaths(a, b), kept: () => allLines }) // oxfmt-ignore
        const told = steps
          .filter(({ linesA, linesB }) => linesA + linesB > 0)
          .map(({ kind, side = '', reason = '', linesA, linesB, found, executed }) => [`${kind} ${side} ${reason}`, { a: linesA, b: linesB, found, executed }]) // oxfmt-ignore
        expect(Object.fromEntries(told)).toEqual(byLoop(a, b, suitesA, suitesB))
      }),
      { numRuns: 500 },
    )
  })

  it('adds up exactly also where files were changed, renamed, or cannot be followed', () => {
    const hunks = fc.constantFrom([], [3, 2, 3, 0], [2, 0, 3, 4], [1, 3, 1, 1, 6, 0, 5, 2])
    fc.assert(
      fc.property(someFiles(suites), someFiles(suites), hunks, fc.boolean(), (a, b, map, unknown) => {
        const [sideA, sideB] = [toSide(a, suites), toSide(b, suites)]
        const paths = samePaths(a, b)
        const renamed = Object.keys(b).find((path) => !(path in a))
        const lost = Object.keys(a).find((path) => !(path in b))
        if (renamed !== undefined && lost !== undefined) paths.set(lost, renamed)
        const kept = (path: string) => (unknown && path === 'b.c' ? undefined : keptByHunks(map))
        const steps = explainDifference(sideA, sideB, { paths, kept })
        const sum = (key: 'linesA' | 'linesB' | 'found' | 'executed') => steps.reduce((all, step) => all + step[key], 0)
        const lines = (files: Files) => Object.values(files).flat().filter((by) => by !== undefined) // oxfmt-ignore
        const executed = (files: Files) => lines(files).filter((by) => by.length > 0).length
        expect({
          linesA: sum('linesA'),
          linesB: sum('linesB'),
          found: sum('found'),
          executed: sum('executed'),
        }).toEqual({
          linesA: lines(a).length,
          linesB: lines(b).length,
          found: lines(b).length - lines(a).length,
          executed: executed(b) - executed(a),
        })
        for (const step of steps) {
          const of = (key: 'found' | 'executed') => [...step.files.values()].reduce((all, file) => all + file[key], 0)
          expect([of('found'), of('executed')]).toEqual([step.found, step.executed])
        }
      }),
      { numRuns: 500 },
    )
  })

  it('follows a line to where it went, and says by which suites it was executed', () => {
    const a = toSide({ 'a.c': [['unit api'], [], ['unit api', 'unit web']] }, ['unit api', 'unit web'])
    const b = toSide({ 'z.c': [undefined, [], [], [], ['unit api']] }, ['unit api'])
    const steps = explainDifference(a, b, { paths: new Map([['a.c', 'z.c']]), kept: () => keptByHunks([0, 0, 1, 2]) })
    expect(steps.map(({ kind, side, found, executed, by }) => [kind, side, found, executed, ...by])).toEqual([
      ['changed_line', 'b', 1, 0],
      ['executed_only', 'a', 0, -1, ['unit api', 1]],
      ['same', undefined, 0, 0],
    ])
  })
})
