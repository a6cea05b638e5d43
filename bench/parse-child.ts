import { openReport } from '../src/formats/format.ts'
import { childEnd, childInput } from './proc.ts'
import { eventsReport, simplecovReport } from './json-reports.ts'
import { corpusFile, createReports, istanbulReport } from './reports.ts'

export interface ParseInput {
  format: keyof typeof known
  /** For each report. */
  seconds: number
}

export interface ParseAnswer {
  /** `expected` from the corpus' manifest; `rates` in MB a CPU second of the process, `wall` in MB/s. */
  reports: { name: string; found: number; expected: number | undefined; rates: number[]; wall: number[] }[]
}

/** What is parsed, made only for the format that is measured. */
const known = {
  lcov: () => [
    { name: 'corpus lua', bytes: corpusFile('lcov-lua-unit-gcc12.info'), expected: 11_803 },
    { name: 'corpus Firefox', bytes: corpusFile('lcov-grcov-firefox-prova.info.gz'), expected: 126_462 },
    { name: 'made up, 60-line files', bytes: createReports(4_000, 1)(), expected: 240_000 },
  ],
  istanbul: () => [
    { name: 'corpus eslint', bytes: corpusFile('istanbul-eslint-all-modules-7mb.json.gz'), expected: 34_322 },
    { name: 'made up, 60-line files', bytes: istanbulReport(500), expected: 30_000 },
  ],
  cobertura: () => [
    { name: 'corpus jinja, coverage.py', bytes: corpusFile('cobertura-jinja-coveragepy7.xml'), expected: 6_255 },
    { name: 'corpus eslint, nyc', bytes: corpusFile('cobertura-eslint-nyc.xml'), expected: 7_946 },
  ],
  jacoco: () => [
    { name: 'corpus jenkins', bytes: corpusFile('jacoco-jenkins-big.xml'), expected: 5_574 },
    { name: 'corpus maven, one line', bytes: corpusFile('jacoco-maven-cli-flat.xml'), expected: 2_932 },
  ],
  clover: () => [{ name: 'corpus eslint, nyc', bytes: corpusFile('clover-eslint-nyc.xml'), expected: 7_946 }],
  opencover: () => [{ name: 'corpus', bytes: corpusFile('opencover-rg-tracked-methods.xml'), expected: 194 }],
  coveragepy: () => [
    { name: 'corpus Jinja', bytes: corpusFile('coveragepy-jinja-format3.json'), expected: 6_255 },
    { name: 'corpus Jinja with contexts', bytes: corpusFile('coveragepy-jinja-contexts-small.json'), expected: 269 },
  ],
  llvmcov: () => [
    { name: 'corpus lua', bytes: corpusFile('llvmcov-lua-segments.json'), expected: 17_073 },
    { name: 'corpus lua with expansions', bytes: corpusFile('llvmcov-lua-expansions-3mb.json.gz'), expected: 1_151 },
  ],
  simplecov: () => [{ name: 'made up, 120-line files', bytes: simplecovReport(1_000), expected: undefined }],
  go: () => [
    { name: 'corpus standard library', bytes: corpusFile('go-std-coverpkg-4mb.out.gz'), expected: 20_099 },
    { name: 'corpus strconv', bytes: corpusFile('go-count-strconv.out'), expected: 3_467 },
  ],
  events: () => [{ name: 'made up, 120-line files', bytes: eventsReport(4_000), expected: undefined }],
} satisfies Record<string, () => { name: string; bytes: Buffer | undefined; expected: number | undefined }[]>

const { format, seconds } = childInput<ParseInput>()

async function* chunksOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

async function parse(bytes: Buffer): Promise<number> {
  const report = await openReport(chunksOf(bytes), { format })
  let found = 0
  for (const file of report.files) {
    if (file.metric !== 'line') continue
    for (const ranges of [file.covered, file.partial, file.missed]) {
      for (let i = 0; i + 1 < ranges.length; i += 2) found += (ranges[i + 1] ?? 0) - (ranges[i] ?? 0) + 1
    }
  }
  return found
}

const answer: ParseAnswer = { reports: [] }
for (const { name, bytes, expected } of known[format]()) {
  if (bytes === undefined) continue
  const rates: number[] = []
  const wall: number[] = []
  let found = 0
  // Rounds of about a tenth of the time; the first two warm up.
  for (let round = -2; round < 9; round++) {
    const began = performance.now()
    const used = process.cpuUsage()
    let done = 0
    do {
      found = await parse(bytes)
      done += bytes.length
    } while (performance.now() - began < seconds * 100)
    const { user, system } = process.cpuUsage(used)
    if (round < 0) continue
    rates.push(done / (user + system))
    wall.push(done / 1e3 / (performance.now() - began))
  }
  answer.reports.push({ name, found, expected, rates, wall })
}
await childEnd(answer)
