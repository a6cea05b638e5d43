import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { StoredRecord } from '../../src/ledger/read.ts'
import type { AttemptId } from '../../src/delivery/destination.ts'
import { renderElastic } from '../../src/delivery/elastic-render.ts'
import { renderSplunk } from '../../src/delivery/splunk-render.ts'
import {
  coveragePayloads,
  type FileCoverage,
  type LineCoverage,
  type MutationCoverage,
  type RunContext,
} from '../../src/record/coverage.ts'
import { encodeRecord, type LedgerName, parseTime, recordKinds } from '../../src/record/record.ts'
import { mutantStatuses, toMutants } from '../../src/record/mutants.ts'
import { pairKinds } from '../../src/record/run.ts'
import { makeRecord } from './records.ts'
import { referenceElastic, referenceSplunk } from './reference-render.ts'
import { storedRecord } from '../support/stored-record.ts'

/** Several thousand varied records: the fast renderers print what the slow ones of reference-render.ts print, byte for byte. */

const publicHost = 'proofline.acme.example'
const attempt: AttemptId = { ledger: 'main/unit', firstSeq: 0, try: 1, mark: 0, channel: 'c', sendBeforeMs: 0, deadlineMs: 0 } // oxfmt-ignore
const november = parseTime('2026-11-23T05:00:00.000000Z') ?? 0

const name = fc.oneof(
  fc.stringMatching(/^[a-z0-9./_-]{1,40}$/),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
  fc.constantFrom('a"b', 'a\\', '\\"', '\\\\', '"', 'ä/€/😀.ts', 'tab\there', '\u2028', 'x\u0000', '","ordinal":7', '"}],"lines":{"found":1', ' ', 'src/a.ts","blob":"x'), // oxfmt-ignore
)
const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`))
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 3 })

/** Disjoint, ascending, not adjacent: [from, to, from, to ...] for each of three states. */
const sets = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 2 })), {
    maxLength: 40,
  })
  .map((steps) => {
    const lines: [covered: number[], partial: number[], missed: number[]] = [[], [], []]
    let at = 0
    for (const [gap, length, state] of steps) {
      at += gap + 1
      lines[state]?.push(at, at + length)
      at += length
    }
    return { covered: lines[0], partial: lines[1], missed: lines[2] }
  })
const counts = fc.record({ found: fc.nat(), covered: fc.nat(300) })
const ofLines: fc.Arbitrary<LineCoverage> = fc
  .tuple(
    name,
    maybe(hex(40)),
    fc.array(maybe(counts), { minLength: 6, maxLength: 6 }),
    sets,
    fc.constantFrom('lcov.da@1', 'cobertura.line@2'),
  ) // oxfmt-ignore
  .map(([path, blob, pairs, lines, definition]) => ({
    path,
    metric: 'line',
    definition,
    ...lines,
    ...(blob === undefined ? {} : { blob }),
    ...Object.fromEntries(pairKinds.map((kind, i) => [kind, pairs[i]]).filter(([, pair]) => pair !== undefined)),
  }))
const ofMutants: fc.Arbitrary<MutationCoverage> = fc
  .tuple(name, maybe(hex(40)), fc.array(fc.nat(9), { maxLength: mutantStatuses.length }), sets, sets)
  .map(([path, blob, mutants, a, b]) => ({
    path,
    metric: 'mutation',
    definition: 'pit.status@1',
    mutants: toMutants(mutants),
    detected: a.covered,
    survived: b.covered,
    uncovered: a.missed,
    undecided: b.missed,
    ...(blob === undefined ? {} : { blob }),
  }))
/** Both metrics among the records of one part do not occur, but nothing may go wrong if they did. */
const file: fc.Arbitrary<FileCoverage> = fc.oneof(
  { weight: 5, arbitrary: ofLines },
  { weight: 1, arbitrary: ofMutants },
)
const context: fc.Arbitrary<RunContext> = fc
  .record({
    run: name,
    part: name,
    repository: name,
    commit: hex(40),
    ref: maybe(name),
    build: maybe(name),
    build_seq: maybe(fc.nat()),
    suite: name,
    tool: maybe(fc.record({ name, version: fc.string({ maxLength: 9 }) })),
    artifact_sha256: hex(64),
  }) // oxfmt-ignore
  .map(({ ref, build, build_seq, ...rest }) => ({
    ...rest,
    ledger: 'main/unit',
    test_type: 'unit',
    ...(ref === undefined ? {} : { ref }),
    ...(build === undefined ? {} : { build }),
    ...(build_seq === undefined ? {} : { build_seq }),
  }))

function stored(payload: Uint8Array, seq: number, kind: StoredRecord['kind'], recordedAt: number): StoredRecord {
  const ledger: LedgerName = 'main/unit'
  const bytes = encodeRecord(payload, { ledger, seq, recordedAt })
  const { id } = JSON.parse(new TextDecoder().decode(bytes)) as { id: string }
  return storedRecord({ ledger, seq, recordedAt, id, kind, bytes })
}

/** Parts one after the other, as a ledger holds them: records of one share most of their text. */
const parts = fc
  .tuple(
    fc.constantFrom(0, 7, 95, 9_998, 65_530, 4_294_967_294, 2 ** 50),
    fc.constantFrom(0, 8, 97, 99_998),
    fc.array(fc.tuple(context, fc.array(file, { minLength: 1, maxLength: 12 })), { minLength: 1, maxLength: 4 }),
  )
  .map(([firstSeq, firstOrdinal, runs]) => {
    const records: StoredRecord[] = []
    for (const [run, files] of runs) {
      let ordinal = firstOrdinal
      for (const one of files) {
        for (const payload of coveragePayloads(one, run, ordinal)) {
          const seq = firstSeq + records.length
          records.push(stored(payload, seq, 'coverage', november + 999_990 + records.length))
          ordinal++
        }
      }
    }
    return records
  })

const json = fc.oneof(fc.jsonValue({ maxDepth: 3, noUnicodeString: false }), fc.nat(), name)
/** Any kind with any members, `coverage` too: also forms of it that nobody writes today. */
const others = fc
  .array(
    fc.record({
      kind: fc.constantFrom(...recordKinds),
      extra: fc.dictionary(
        fc.constantFrom('a', 'url', 'by', 'tests', 'outcome', 'lines', 'ranges', 'ref', 'commit', 'path', 'totals', 'run', 'tool', 'text', 'contract', 'unexplained_change'), // oxfmt-ignore
        json,
        { maxKeys: 5 },
      ),
      repository: maybe(fc.constantFrom('*', 'r')),
      by: maybe(fc.record({ actor_id: json, subject: json })),
      tests: maybe(fc.record({ failed: fc.nat(2) })),
    }),
    { minLength: 1, maxLength: 8 },
  )
  .map((made) =>
    made.map(({ kind, extra, repository, by, tests }, seq) => {
      const undefinable = {
        ...(repository && { repository }),
        ...(by === undefined ? {} : { by }),
        ...(tests === undefined ? {} : { tests }),
      }
      return makeRecord(seq, { kind, extra: { ...extra, ...undefinable } })
    }),
  )

/** Around the first difference: the whole bodies would fill the screen. */
function expectText(printed: string, wanted: string): void {
  if (printed === wanted) return
  let at = 0
  while (printed[at] === wanted[at]) at++
  const around = (text: string): string => text.slice(Math.max(0, at - 60), at + 60)
  expect(around(printed)).toBe(around(wanted))
}

function expectSame(records: readonly StoredRecord[], mark: number): void {
  const elastic = renderElastic({ publicHost, indexes: {} }, records, { ...attempt, mark })
  expectText(elastic.body.toString('utf8'), referenceElastic(records, publicHost, 'proofline-unit-2026.11'))
  for (const eventForm of ['object', 'string'] as const) {
    const settings = { publicHost, index: 'proofline_unit', mark, eventForm }
    // One request has one sourcetype.
    const alike = records.filter(({ kind }) => kind === records[0]?.kind)
    const splunk = renderSplunk({ publicHost, indexes: {}, eventForm }, alike, { ...attempt, mark })
    expectText(splunk.body.toString('utf8'), referenceSplunk(alike, settings))
  }
}

describe('the renderers print the bytes of the reference', () => {
  it('for coverage records as they are written', () => {
    let records = 0
    fc.assert(
      fc.property(parts, fc.nat(2), (made, mark) => {
        records += made.length
        expectSame(made, mark)
      }),
      { numRuns: 300 },
    )
    expect(records).toBeGreaterThan(2_000)
  })

  it('for lines whose mutants survived or were reached by no test, as ranges of their own', () => {
    const run: RunContext = {
      ledger: 'main/unit', run: 'r', repository: 'github.com/a/b', commit: 'ab'.repeat(20), suite: 's', test_type: 'unit', part: 'p',
      artifact_sha256: 'cd'.repeat(32),
    } // oxfmt-ignore
    const one: MutationCoverage = {
      path: 'p', metric: 'mutation', definition: 'pit.status@1', mutants: toMutants([3, 0, 2, 1]),
      detected: [1, 9], survived: [4, 6, 9, 9], uncovered: [12, 12], undecided: [],
    } // oxfmt-ignore
    const [payload = new Uint8Array()] = coveragePayloads(one, run, 0)
    const { body } = renderElastic({ publicHost, indexes: {} }, [stored(payload, 0, 'coverage', november)], attempt)
    const { proofline } = JSON.parse(body.toString().split('\n')[1] ?? '') as { proofline: Record<string, unknown> }
    expect(proofline).toMatchObject({
      metric: 'mutation',
      mutated_lines: { found: 10, detected: 9, survived: 4, uncovered: 1, undecided: 0 },
      mutants: { found: 6, detected: 3, undetected: 3, killed: 3, timed_out: 0, survived: 2, no_coverage: 1 },
      survived_lines: [
        { gte: 4, lte: 6 },
        { gte: 9, lte: 9 },
      ],
      uncovered_lines: [{ gte: 12, lte: 12 }],
    })
    // A search for missed lines, or a sum of lines, never meets a mutant.
    for (const name of ['lines', 'missed_lines', 'partial_lines', 'branches'])
      expect(proofline).not.toHaveProperty(name)
  })

  it('for every kind, with members of any form', () => {
    fc.assert(
      fc.property(others, fc.nat(1), (made, mark) => expectSame(made, mark)),
      { numRuns: 300 },
    )
  })

  it('for records cut into windows, up to the longest that a ledger takes', () => {
    const lines = Array.from({ length: 6_000 }, (_, i) => [3 * i + 1, 3 * i + 1 + (i % 2)]).flat()
    const run: RunContext = {
      ledger: 'main/unit', run: 'r', repository: 'github.com/a/b', commit: 'ab'.repeat(20), suite: 's', test_type: 'unit', part: 'p',
      artifact_sha256: 'cd'.repeat(32),
    } // oxfmt-ignore
    for (const state of ['covered', 'partial', 'missed'] as const) {
      const empty = { covered: [], partial: [], missed: [] }
      const one: FileCoverage = { path: 'p', metric: 'line', definition: 'lcov.da@1', ...empty, [state]: lines }
      const payloads = coveragePayloads(one, run, 0)
      expect(payloads.length).toBeGreaterThan(5)
      expectSame(payloads.map((payload, i) => stored(payload, i, 'coverage', november + i)), 0) // oxfmt-ignore
    }
  })
})
