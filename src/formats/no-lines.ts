import { Problem } from '../record/problem.ts'
import type { Sample } from './detect.ts'

/** Coverage that people send by mistake: there is nothing wrong with it, but it names no lines, or only to the tool that wrote it. */

/** First bytes of data files of tools, as Latin-1, and what to send instead. */
const binaries: [head: string | RegExp, what: string][] = [
  [
    'SQLite format 3\0',
    'data of coverage.py (.coverage) or another SQLite database: send what `coverage json` or `coverage lcov` makes of it',
  ],
  [
    '!coverage.py: This is a private format',
    'data of an old coverage.py, which only that can read: send what `coverage xml` makes of it',
  ],
  [
    '\0cvm',
    'binary coverage of Go (covmeta): send what `go tool covdata textfmt -i=DIR -o=cover.out` makes of the whole folder',
  ],
  [
    '\0cwm',
    'binary coverage of Go (covcounters): send what `go tool covdata textfmt -i=DIR -o=cover.out` makes of the whole folder',
  ],
  [
    /^(?:\xff[lr\x72]prof[rR]\x81|\x81[rR]forp[lr]\xff)/,
    'a raw profile of LLVM (.profraw): send what `llvm-profdata merge` and `llvm-cov export` make of it',
  ],
  ['\xfflprofi\x81', 'an indexed profile of LLVM (.profdata): send what `llvm-cov export` makes of it'],
  [/^(?:adcg|gcda|oncg|gcno)/, 'data of gcov (.gcda, .gcno): send what lcov or gcovr makes of it'],
]

/** Throws Problem('no_lines') with what to send instead. */
export function refuseWithoutLines({ keys, text }: Sample): void {
  const binary = binaries.find(([head]) => (typeof head === 'string' ? text.startsWith(head) : head.test(text)))
  if (binary !== undefined) throw new Problem('no_lines', binary[1])
  if (keys === undefined) return
  const [top, second, third] = keys
  if (top.has('result') && (third.has('scriptId') || /"scriptId"\s*:/.test(text)))
    throw new Problem(
      'no_lines',
      'raw V8 coverage has byte offsets and no lines: convert it where the sources are, for example with `c8 report --reporter=lcov`',
    )
  if (top.has('result') && top.size === 1 && (second.has('line') || second.has('covered_percent')))
    throw new Problem('no_lines', "SimpleCov's .last_run.json has no lines: send .resultset.json or coverage.json")
  if (second.has('lines') && second.has('statements') && third.has('pct') && !second.has('statementMap'))
    throw new Problem(
      'no_lines',
      'a summary (coverage-summary.json) has no lines: send coverage-final.json or lcov.info of the same run',
    )
}
