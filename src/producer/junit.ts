import { createReadStream } from 'node:fs'
import { SaxesParser } from 'saxes'
import type { TestTotals } from '../api/runs.ts'
import { Problem } from '../record/problem.ts'
import { expandFiles } from './files.ts'

/** Test totals for the seal. Test cases are counted; the totals that a report claims for itself are often wrong after reruns. */

/** `--tests total,passed,failed,skipped`; throws `request_invalid` unless the last three add up to the first. */
export function parseTests(text: string): TestTotals {
  const match = /^(\d{1,9}),(\d{1,9}),(\d{1,9}),(\d{1,9})$/.exec(text.replaceAll(' ', ''))
  if (match === null)
    throw new Problem(
      'request_invalid',
      `--tests takes total,passed,failed,skipped, for example 120,118,1,1; not ${JSON.stringify(text)}`,
    )
  const [total = 0, passed = 0, failed = 0, skipped = 0] = match.slice(1).map(Number)
  if (passed + failed + skipped !== total) {
    throw new Problem(
      'request_invalid',
      `--tests ${text}: ${passed} passed, ${failed} failed and ${skipped} skipped are not ${total}`,
    )
  }
  return { total, passed, failed, skipped }
}

/**
 * Counts the test cases of every JUnit XML file that matches, streaming. Throws `request_invalid` when no file matches: a pattern with
 * a typing error must not turn into a run without tests.
 */
export async function readJunit(patterns: readonly string[], cwd: string): Promise<TestTotals> {
  const totals: TestTotals = { total: 0, passed: 0, failed: 0, skipped: 0 }
  for (const file of await expandFiles(patterns, cwd, '--junit ')) await countCases(file, totals)
  return totals
}

type Verdict = 'passed' | 'failed' | 'skipped'

/** What a child of `<testcase>` says. Surefire's flakyFailure and flakyError mark a test that passed in the end: not listed. */
const verdicts: Readonly<Record<string, Verdict>> = { failure: 'failed', error: 'failed', skipped: 'skipped' }

async function countCases(file: string, totals: TestTotals): Promise<void> {
  const parser = new SaxesParser()
  let verdict: Verdict | undefined
  let depth = 0
  parser.on('opentag', ({ name }) => {
    if (verdict === undefined) {
      if (name === 'testcase') verdict = 'passed'
      return
    }
    if (depth === 0 && verdict !== 'failed') verdict = verdicts[name] ?? verdict
    depth += 1
  })
  parser.on('closetag', ({ name }) => {
    if (verdict === undefined) return
    if (depth > 0) {
      depth -= 1
    } else if (name === 'testcase') {
      totals.total += 1
      totals[verdict] += 1
      verdict = undefined
    }
  })
  parser.on('error', (error) => {
    throw error
  })
  try {
    for await (const text of createReadStream(file, 'utf8') as AsyncIterable<string>) parser.write(text)
    parser.close()
  } catch (cause) {
    throw new Problem(
      'request_invalid',
      `${file} is no JUnit XML: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    )
  }
}
