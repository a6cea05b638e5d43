import type { PackScope } from './pack-format.ts'
import type { RunCounts } from './pack-runs.ts'
import { type LedgerSums, addsUp } from './pack-sums.ts'

/** report.html: what the pack shows, for people, on one page that prints; no script, nothing fetched. */
export interface ReportFacts {
  scope: PackScope
  sums: readonly LedgerSums[]
  runs: RunCounts
  exceptions: number
  samples: readonly { stratum: string; run: string; record: string }[]
}

const style =
  'body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#111}table{border-collapse:collapse;margin:1em 0}' +
  'th,td{border:1px solid #999;padding:.2em .6em;text-align:left;vertical-align:top}td.n{text-align:right}caption{text-align:left;font-weight:600}' +
  'code{overflow-wrap:anywhere}@media print{body{margin:0;max-width:none}table{break-inside:avoid}}'

export function printReport({ scope, sums, runs, exceptions, samples }: ReportFacts): string {
  const { question, as_of, selection, asked_by, seed, org } = scope
  const asked = Object.entries(question).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  )
  const ledgers = sums.map((sum) => [sum.ledger, sum.start, sum.records, count(sum.shown), count(sum.named), sum.not_selected, sum.end, addsUp(sum) ? 'yes' : 'NO']) // oxfmt-ignore
  const suites = runs.suites.map((one) => [one.repository, one.test_type, one.suite, one.counted, one.not_counted])
  const drawn = samples.map(({ stratum, run, record }, i) => [i + 1, stratum, run, record])
  const parts = [
    `<h1>Evidence of code coverage, ${text(org)}</h1>`,
    `<p>Records from ${text(question.from)} up to, not including, ${text(question.to)}, as of <code>${text(as_of)}</code>, asked for by <code>${text(asked_by.id)}</code>.`,
    selection === 'all'
      ? 'Every record of the period is shown, or named by one that is shown: a run that is not listed did not exist.'
      : 'The question selects a part of the records; that nothing else belongs to it is said by the service, not proved by the log (limits.md).',
    `</p>${table('The question', ['member', 'value'], asked)}`,
    table('Population', ['ledger', 'size at start', 'records', 'shown', 'named by those', 'not selected', 'size at end', 'adds up'], ledgers),
    `<p>Runs: ${runs.counted} counted, ${runs.not_counted} ended and not counted, ${runs.abandoned} abandoned, ${runs.open} not ended within the period. ` +
      `${exceptions} exceptions stand in <code>exceptions.csv</code>, each run with its reason in <code>population/runs.csv</code>.</p>`,
    table('Runs by suite', ['repository', 'test type', 'suite', 'counted', 'not counted'], suites),
    `<p>Sample, drawn from the ${text(seed.from)} seed <code>${text(seed.sha256)}</code>; <code>samples/samples.json</code> says how to draw it again.</p>`,
    table('Sample', ['number', 'stratum', 'run', 'record of its seal'], drawn),
    '<p>README.md says how each figure is checked without trusting whoever made this page.</p>',
  ] // oxfmt-ignore
  return `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Evidence ${text(question.from)} to ${text(question.to)}</title><style>${style}</style></head>\n<body>\n${parts.join('\n')}\n</body></html>\n`
}

const count = (kinds: Readonly<Record<string, number>>): number => Object.values(kinds).reduce((sum, n) => sum + n, 0)

const text = (value: string): string =>
  value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

function table(caption: string, head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  if (rows.length === 0) return `<p>${text(caption)}: none.</p>`
  const cell = (value: string | number): string =>
    typeof value === 'number' ? `<td class="n">${value}</td>` : `<td>${text(value)}</td>`
  const body = rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n')
  return `<table><caption>${text(caption)}</caption><tr>${head.map((one) => `<th>${text(one)}</th>`).join('')}</tr>\n${body}</table>`
}
