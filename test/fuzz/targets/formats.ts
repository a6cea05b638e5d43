import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { openReport, type ReportOptions, type ReportResult } from '../../../src/formats/format.ts'
import type { FileCoverage } from '../../../src/record/coverage.ts'
import { coveragePayloads } from '../../../src/record/coverage.ts'
import { intersect, parseLines, printLines } from '../../../src/record/lines.ts'
import { Problem } from '../../../src/record/problem.ts'
import { maxPayloadBytes } from '../../../src/record/record.ts'
import { inOne, inPieces } from '../engine/bytes.ts'
import type { Random } from '../engine/random.ts'
import { type FuzzTarget, target } from '../engine/target.ts'

/** Every format of reports: taken or refused, the same however it is cut, and what is taken makes records that can be read. */

const refusals = ['report_empty', 'report_unrecognized', 'report_ambiguous', 'report_invalid', 'report_contradictory', 'no_lines', 'duplicate_key', 'too_many_files', 'too_many_lines', 'path_invalid'] // oxfmt-ignore

const fixture = (name: string): Uint8Array => readFileSync(new URL(`../../fixtures/${name}`, import.meta.url))

/** Name of the target, reports, and words that make a difference. */
const formats: readonly [name: string, reads: string, reports: readonly string[], words: readonly string[]][] = [
  ['lcov', 'lcov readLcov', ['ring/integration/lcov.info', 'greet/integration/lcov.info'], ['SF:a.c\n', 'DA:1,', 'BRDA:1,0,0,', 'FN:1,f\n', 'FNDA:', 'MCDC:', 'TN:', 'VER:', 'LF:', 'end_of_record\n']],
  ['istanbul', 'istanbul readIstanbul', ['refund/unit/coverage-final.json'], ['"statementMap":{', '"s":{"0":1}', '"inputSourceMap":', '"start":{"line":1}']],
  ['cobertura', 'cobertura readCobertura', ['greet/integration/coverage.xml'], ['<line number="1" hits="1"/>', 'hits="99999999999"', 'condition-coverage="50% (1/2)"', 'branch="true"', '</class>', '<source>/</source>']],
  ['jacoco', 'jacoco readJacoco', ['till/integration/jacoco.xml'], ['<sourcefile name="A.java">', '<line nr="1" mi="0" ci="1" mb="0" cb="0"/>', '<group name="g">', '<counter type="LINE" missed="1" covered="0"/>']],
  ['clover', 'clover readClover', ['till/integration/clover.xml'], ['<line num="1" count="1" type="stmt"/>', '<file path="a">', 'truecount="1"', 'falsecount="0"']],
  ['opencover', 'opencover readOpenCover', ['handmade/opencover.xml'], ['<SequencePoint vc="1" sl="1" el="1"/>', '<File uid="1" fullPath="a"/>', 'vc="99999999999"', 'sl="16707566"']],
  ['coverage-py', 'coverage-py readCoveragePy', ['greet/unit/coverage.json'], ['"executed_lines":[', '"missing_lines":[1]', '"missing_branches":[[1,2]]', '"excluded_lines":']],
  ['llvm-cov', 'llvm-cov readLlvmCov', ['ring/unit/llvm-cov.json'], ['"segments":[[1,1,1,true,true,false]]', '"files":[', '"expansions":', '"branches":[]']],
  ['go-profile', 'go-profile readGoProfile', ['fare/unit/cover.out'], ['mode: set\n', 'mode: atomic\n', 'a/b.go:1.1,2.2 1 1\n', ':0.0,0.0 0 0']],
  ['simplecov', 'simplecov readSimplecov', ['stamp/resultset.json'], ['"lines":[null,1,0,"ignored"]', '"branches":{}', '"timestamp":', '"coverage":{']],
  ['stryker', 'stryker readStryker', ['refund/unit/mutation.json'], ['"status":"Survived"', '"mutants":[', '"location":{"start":{"line":1,"column":1}', '"schemaVersion":"1"']],
  ['pit', 'pit readPit', ['fee/unit/mutations.xml'], ['<mutation detected="true" status="KILLED">', '<lineNumber>1</lineNumber>', '<sourceFile>A.java</sourceFile>', '<mutatedClass>']],
] // oxfmt-ignore

const event = (fields: object): string => `${JSON.stringify(fields)}\n`
const events = [
  event({ event: 'producer', schema: 'proofline.events.v1', tool: { name: 'probe', version: '2.1' }, rule: 'acme.statement@2' }) +
    event({ event: 'file', path: 'src/a.c', covered: '1-5,9', partial: '11', missed: '7-8', functions: { f: 3, g: 0 } }) +
    event({ event: 'file', path: 'src/b.c', covered: '1,2', branches: { 2: [4, 0, 1] } }) +
    event({ event: 'end', files: 2 }),
] // oxfmt-ignore

type Read = { kind: 'taken'; result: ReportResult } | { kind: 'refused'; error: Problem }

/** One target of one format. */
function ofFormat(name: string, reads: string, reports: () => (string | Uint8Array)[], words: readonly string[]): FuzzTarget {
  // The report has two suites.
  const options = name === 'simplecov' ? { format: name, section: '*' } : {}
  return target<ReportResult>({
    name,
    reaches: ['formats/format openReport', `formats/${reads}`, ...shared],
    corpus: reports,
    dictionary: [...words, '"__proto__":{', '../', '99999999999999999999', '2000001'],
    refusals,
    rounds: 120,
    async read(input, random) {
      const whole = await outcome(inOne(input), options)
      const cut = await outcome(inPieces(input, random), options)
      assert.deepEqual(flatten(cut), flatten(whole), 'another answer when it is cut otherwise')
      if (whole.kind === 'refused') throw whole.error
      return whole.result
    },
    check: checkResult,
  })
} // oxfmt-ignore

async function outcome(chunks: AsyncIterable<Uint8Array>, options: ReportOptions): Promise<Read> {
  try {
    return { kind: 'taken', result: await openReport(chunks, { maxFiles: 2_000, ...options }) }
  } catch (error) {
    if (error instanceof Problem) return { kind: 'refused', error }
    throw error
  }
}

const flatten = (read: Read): unknown =>
  read.kind === 'taken' ? { ...read.result, files: [...read.result.files] } : [read.error.code, read.error.message, read.error.extra] // oxfmt-ignore

/** What is taken can be recorded: sets that are disjoint and printed in one way, counts that add up, payloads that a record holds. */
function checkResult({ files, metric }: ReportResult, _: Uint8Array, random: Random): void {
  let before: string | undefined
  for (const file of files) {
    assert.equal(file.metric, metric)
    assert(before === undefined || before < file.path, 'paths ascend')
    before = file.path
    // One that was not found is kept as written: it names a place of the build machine, and none here.
    if (file.unresolved !== true) assert(!/^\/|(^|\/)\.\.(\/|$)/.test(file.path), `a path that leads out: ${file.path}`)
    checkSets(file)
    if (random(4) !== 0) continue
    for (const payload of payloadsOf(file)) {
      assert(payload.length <= maxPayloadBytes, 'a payload over the limit')
      JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
    }
  }
}

const run = { ledger: 'main/unit' as const, run: 'local.1.a.unit', part: 'p', repository: 'github.com/acme/a', commit: 'a'.repeat(40), suite: 'a', test_type: 'unit' as const, artifact_sha256: 'b'.repeat(64) } // oxfmt-ignore

function payloadsOf(file: FileCoverage): Uint8Array[] {
  try {
    return coveragePayloads(file, run, 0)
  } catch (error) {
    if (error instanceof Problem && error.code === 'record_too_large') return []
    throw error
  }
}

function checkSets(file: FileCoverage): void {
  const sets = file.metric === 'line' ? [file.covered, file.partial, file.missed] : [file.detected, file.survived, file.uncovered, file.undecided] // oxfmt-ignore
  for (const set of sets) assert.deepEqual([...parseLines(printLines(set))], [...set])
  if (file.metric !== 'line') return
  const [covered = [], partial = [], missed = []] = sets
  for (const [a, b] of [[covered, partial], [covered, missed], [partial, missed]] as const)
    assert.equal(intersect(a, b).length, 0, 'a line in two sets')
  for (const pair of [file.branches, file.functions, file.statements, file.regions, file.mcdc, file.calls])
    if (pair !== undefined) assert(pair.covered >= 0 && pair.covered <= pair.found && Number.isSafeInteger(pair.found), JSON.stringify(pair))
} // oxfmt-ignore

const shared = ['formats/json parseJson', 'formats/json-numbers readArray', 'formats/json-numbers readNumber', 'formats/json-numbers readTuple', 'formats/istanbul-file readFileCoverage', 'formats/lcov-mcdc readMcdc', 'formats/paths decodePath', 'formats/xml readTags', 'formats/xml decoderOf', 'formats/xml-text decodeText', 'formats/plain-event readPlainFile', 'formats/packed readPacked'] // oxfmt-ignore

export const targets: readonly FuzzTarget[] = [
  ...formats.map(([name, reads, reports, words]) => ofFormat(name, reads, () => reports.map(fixture), words)),
  ofFormat('events', 'events readEvents', () => events, ['"covered":"1"', '"path":"a"', '"tool":{"name":"', '1-2,4', '"branches":{"1":[0,1]}', '{"event":"end","files":1}\n']),
] // oxfmt-ignore
