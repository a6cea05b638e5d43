import { coveragePyDefinition, readCoveragePy } from './coverage-py.ts'
import { cloverDefinition, readClover } from './clover.ts'
import { coberturaDefinition, readCobertura } from './cobertura.ts'
import type { Sample } from './detect.ts'
import { eventsDefinition, readEvents } from './events.ts'
import { goDefinition, readGoProfile } from './go-profile.ts'
import { istanbulDefinition, readIstanbul } from './istanbul.ts'
import { jacocoDefinition, readJacoco } from './jacoco.ts'
import { lcovDefinition, readLcov } from './lcov.ts'
import { llvmCovDefinition, readLlvmCov } from './llvm-cov.ts'
import type { MutantTally } from './mutant-tally.ts'
import { opencoverDefinition, readOpenCover } from './opencover.ts'
import { looksLikePit, pitDefinition, readPit } from './pit.ts'
import type { Reading } from './reading.ts'
import type { RefusedList } from './refused.ts'
import { readSimplecov, simplecovDefinition } from './simplecov.ts'
import { looksLikeStryker, readStryker, strykerDefinition } from './stryker.ts'
import type { Tally } from './tally.ts'

/** One kind of report. A new one is an entry in `formats` and a file beside this one. */
type Format = LineFormat | MutationFormat

interface AnyFormat {
  name: string
  /** Of its usual dialect; a reading may name another. */
  definition: string
  /** By what stands in the report, never by its name. Two that are true for one report make it ambiguous. */
  detect(sample: Sample): boolean
}

interface LineFormat extends AnyFormat {
  /** What two observations of one line in one report mean, as its tools define it. On states both are "or": see tally.ts. */
  merge: 'sum' | 'max'
  /** Files are named by import path of their package: see import-paths.ts. */
  paths?: 'import'
  /** Results of several suites may stand in one report: `section` names one, `*` all, and undefined is a question when there are several. */
  hasSections?: true
  read(chunks: AsyncIterable<Uint8Array>, tally: Tally, refused: RefusedList, section?: string): Promise<Reading>
}

/** Of metric `mutation`: its mutants count one by one. */
interface MutationFormat extends AnyFormat {
  readMutants(chunks: AsyncIterable<Uint8Array>, tally: MutantTally, refused: RefusedList): Promise<Reading>
}

/** The keys that make an object a FileCoverage; any of them may stand alone in the sample when one of the others is long. */
const ofFile = ['statementMap', 'fnMap', 'branchMap', 'inputSourceMap']

/** Elements below the root of JaCoCo's report. */
const ofJacoco = ['sessioninfo', 'group', 'package', 'counter']

/** A mode, or a block, in the first line. */
const goStart = /^\s*(?:mode: \w+|\S[^\n]*:\d+\.\d+,\d+\.\d+ \d+ \d+)[ \t\r]*(?:\n|$)/

export const formats = [
  {
    name: 'lcov',
    definition: lcovDefinition,
    merge: 'sum',
    detect: ({ keys, xml, text }) =>
      keys === undefined && xml === undefined && /^(?:\u00ef\u00bb\u00bf)?(?:SF|TN):/m.test(text),
    read: readLcov,
  },
  {
    name: 'istanbul',
    definition: istanbulDefinition,
    merge: 'max',
    detect: ({ keys, text }) =>
      keys !== undefined &&
      (ofFile.some((key) => keys.some((atDepth) => atDepth.has(key))) || /^\s*\{\s*\}\s*$/.test(text)),
    read: readIstanbul,
  },
  {
    name: 'coveragepy',
    definition: coveragePyDefinition,
    merge: 'max',
    detect: ({ keys }) =>
      keys !== undefined &&
      keys[0].has('files') &&
      (keys[1].has('show_contexts') || keys[2].has('executed_lines') || keys[2].has('missing_lines')),
    read: readCoveragePy,
  },
  {
    name: 'simplecov',
    definition: simplecovDefinition,
    merge: 'sum',
    hasSections: true,
    detect: ({ keys, text }) =>
      keys !== undefined &&
      (keys[1].has('simplecov_version') ||
        (keys[0].has('files') && keys[2].has('filename') && keys[2].has('coverage')) ||
        (keys[1].has('coverage') && !keys[0].has('meta') && /"coverage"\s*:\s*\{/.test(text))),
    read: readSimplecov,
  },
  {
    name: 'go',
    definition: goDefinition,
    merge: 'sum',
    paths: 'import',
    // Without its first line it is still known for what it is, and refused for that.
    detect: ({ text }) => goStart.test(text),
    read: readGoProfile,
  },
  {
    name: 'llvmcov',
    definition: llvmCovDefinition,
    merge: 'sum',
    detect: ({ keys, text }) =>
      keys !== undefined &&
      keys[0].has('data') &&
      (keys[2].has('files') || keys[2].has('functions') || /"llvm\.coverage\.json\.export"/.test(text)),
    read: readLlvmCov,
  },
  {
    name: 'events',
    definition: eventsDefinition,
    merge: 'max',
    detect: ({ keys, text }) => keys !== undefined && /^\s*\{[^\n]*"proofline\.events\.v\d+"/.test(text),
    read: readEvents,
  },
  {
    name: 'cobertura',
    definition: coberturaDefinition,
    merge: 'max',
    detect: ({ xml }) => xml?.root === 'coverage' && (xml.second.has('packages') || xml.second.has('sources')),
    read: readCobertura,
  },
  {
    name: 'jacoco',
    definition: jacocoDefinition,
    merge: 'max',
    detect: ({ xml, text }) =>
      xml?.root === 'report' &&
      (ofJacoco.some((name) => xml.second.has(name)) || (xml.second.size === 0 && text.includes('-//JACOCO//'))),
    read: readJacoco,
  },
  {
    name: 'clover',
    definition: cloverDefinition,
    merge: 'max',
    detect: ({ xml }) => xml?.root === 'coverage' && ['project', 'testproject'].some((name) => xml.second.has(name)),
    read: readClover,
  },
  {
    name: 'opencover',
    definition: opencoverDefinition,
    merge: 'max',
    detect: ({ xml }) => xml?.root === 'CoverageSession',
    read: readOpenCover,
  },
  { name: 'pit', definition: pitDefinition, detect: looksLikePit, readMutants: readPit },
  { name: 'stryker', definition: strykerDefinition, detect: looksLikeStryker, readMutants: readStryker },
] as const satisfies Format[]

export type FormatName = (typeof formats)[number]['name']
export const formatNames: readonly FormatName[] = formats.map((format) => format.name)
