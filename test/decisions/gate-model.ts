import { readFiles, readLines } from '../answers/model-lines.ts'
import { askReportModel } from '../answers/report-model.ts'
import { changedLines } from './changed-model.ts'
import type { ModelRecord } from '../history/model.ts'

/**
 * What a gate has to say, in plain loops over all records: the report of the model, and the limits of a contract. It shares no code with the
 * gate, and reads its rules from docs/gates.md and docs/contract.md.
 */

export interface PlainLimits {
  lines?: number
  changed_lines?: number
}

export interface PlainSuite {
  name: string
  test_type: string
  required?: boolean
  owner?: string
  thresholds?: PlainLimits
}

/** As it is written in a file. */
export interface PlainContract {
  version: 1
  inherit?: boolean
  mode?: string
  refs?: string[]
  production?: { include: string[]; exclude: { glob: string; reason: string }[] }
  suites?: PlainSuite[]
  thresholds?: Record<string, PlainLimits>
}

export interface ModelGate {
  verdict: string
  reasons: string[]
  /** Limit, test type, suite, definition, wanted, executed, found, met. */
  checks: unknown[][]
  missing: string[]
  /** Seals of the runs that count. */
  counted: string[]
  base: string | undefined
}

export interface ModelSubject {
  repository: string
  commit: string
  base?: string | undefined
}

const text = (record: ModelRecord, field: string): string => record.fields[field] as string
const types = ['unit', 'integration']

/** `refused`: the base is not a commit before this one. */
export function askGateModel(all: readonly ModelRecord[], contract: PlainContract | undefined, { repository, commit, base: asked }: ModelSubject): ModelGate | 'refused' {
  const records = all.filter((one) => text(one, 'repository') === repository)
  const parent = new Map<string, string>()
  for (const run of records.filter((one) => text(one, 'kind') === 'run')) {
    const chain = [text(run, 'commit'), ...((run.fields['first_parents'] ?? []) as string[])]
    for (let i = 0; i + 1 < chain.length; i++) if (!parent.has(chain[i]!)) parent.set(chain[i]!, chain[i + 1]!)
  }
  const ancestors = (of: string): string[] => {
    const chain: string[] = []
    for (let at = parent.get(of); at !== undefined; at = parent.get(at)) chain.push(at)
    return chain
  }
  if (asked === commit || (asked !== undefined && ancestors(asked).includes(commit))) return 'refused'

  const isProduction = (path: string): boolean => {
    if (contract?.production === undefined) return true
    const { include, exclude } = contract.production
    return include.some((glob) => isLike(glob, path)) && !exclude.some(({ glob }) => isLike(glob, path))
  }
  const suites = contract?.suites?.map((suite) => ({ ...suite, required: suite.required ?? true }))
  const production = contract?.production === undefined ? undefined : isProduction
  const report = askReportModel(records, contract && { production, suites }, { repository, commit })
  const from = report.answered_from ?? commit
  const counted = records.filter((one) => text(one, 'kind') === 'seal' && report.runs.includes(text(one, 'run')))
  const missing = report.missing.map((one) => {
    const [name, reasons] = one.split(': ') as [string, string]
    return { name, reasons, owner: suites?.find((suite) => `${suite.test_type}/${suite.name}` === name)?.owner }
  })

  const limits = [
    ...types.map((type) => ({ type, suite: undefined as string | undefined, required: true, wanted: contract?.thresholds?.[type] })),
    ...types.flatMap((type) =>
      (suites ?? [])
        .filter((suite) => suite.test_type === type)
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map(({ name, required, thresholds }) => ({ type, suite: name, required, wanted: thresholds })),
    ),
  ]
  const asksForChanged = limits.some(({ wanted }) => wanted?.changed_lines !== undefined)
  const isTracked = (seal: ModelRecord): boolean => contract?.refs?.some((glob) => isLike(glob, (seal.fields['ref'] as string | undefined) ?? '')) ?? true
  const admitted = records.filter((one) => text(one, 'kind') === 'seal' && one.fields['admitted'] === true)
  const before = ancestors(commit).find((one) => admitted.some((seal) => text(seal, 'commit') === one && isTracked(seal)))
  const base = asked ?? (asksForChanged ? before : undefined)

  const reasons = new Set<string>()
  const checks: unknown[][] = []
  if (contract === undefined) reasons.add('no_contract')
  else {
    for (const one of missing) reasons.add(one.reasons.split(',').includes('unsealed') ? 'not_sealed' : 'suite_missing')
    if (counted.length === 0 && missing.length === 0) reasons.add('nothing_measured')
    const measured = readLines(records, counted)
    const paths = measured.paths.filter(isProduction)
    const changed = asksForChanged ? changedLines(records, measured, paths, report.not_measured ?? [], base === undefined ? undefined : [readFiles(records, from), readFiles(records, base)]) : undefined
    for (const { type, suite, required, wanted } of limits)
      for (const limit of ['lines', 'changed_lines'] as const) {
        const percent = wanted?.[limit]
        if (percent === undefined) continue
        if (limit === 'changed_lines' && changed === undefined) {
          reasons.add('changed_lines_unknown')
          continue
        }
        const isCounted = (path: string, line: number): boolean => limit === 'lines' || (changed?.get(path)?.has(line) ?? false)
        const name = (path: string, definition: string): string[] => [path, definition, type, ...(suite === undefined ? [] : [suite])]
        let isMeasured = false
        for (const definition of measured.definitions) {
          if (!paths.some((path) => measured.linesIn(...name(path, definition)) !== undefined)) continue
          isMeasured = true
          let [executed, found] = [0, 0]
          for (const path of paths) {
            for (const [line, rank] of measured.linesIn(...name(path, definition)) ?? []) {
              if (!isCounted(path, line)) continue
              found += 1
              if (rank >= 2) executed += 1
            }
            // What only the other test type measured this one did not execute.
            if (limit === 'lines' || suite !== undefined || measured.isMeasuredBy(path, type)) continue
            const other = types.find((one) => one !== type)!
            for (const [line] of measured.linesIn(path, definition, other) ?? []) if (isCounted(path, line)) found += 1
          }
          checks.push([limit, type, suite ?? null, definition, percent, executed, found, isReached(executed, found, percent)])
        }
        const isTold = missing.some((one) => one.name.startsWith(`${type}/`) && (suite === undefined || one.name === `${type}/${suite}`))
        if (!isMeasured && required && !isTold) reasons.add('nothing_measured')
      }
  }
  const verdict = reasons.size > 0 ? 'incomplete' : checks.some((one) => one.at(-1) === false) ? 'fail' : 'pass'
  if (checks.some((one) => one.at(-1) === false)) reasons.add('below_threshold')
  return {
    verdict,
    reasons: ['no_contract', 'suite_missing', 'not_sealed', 'nothing_measured', 'changed_lines_unknown', 'below_threshold'].filter((one) => reasons.has(one)),
    checks,
    missing: missing.map((one) => `${one.name} (${one.owner ?? ''}): ${one.reasons}`),
    counted: counted.map((seal) => seal.id).sort(),
    base,
  }
} // oxfmt-ignore

/** In whole numbers: limits here have four decimals at most. */
const isReached = (executed: number, found: number, percent: number): boolean => executed * 1_000_000 >= Math.round(percent * 10_000) * found // oxfmt-ignore

/** Globs as regular expressions: those of the worlds have stars, braces and classes. */
function isLike(glob: string, path: string): boolean {
  const pattern = glob
    .replaceAll('.', '\\.')
    .replace(/\{([^}]*)\}/g, (_, all: string) => `(?:${all.replaceAll(',', '|')})`)
    .replaceAll('[!', '[^')
    .replace(/(?<!\*)\*(?!\*)/g, '[^/]*')
    .replaceAll('**/', '(?:.*/)?')
    .replace(/\*\*$/, '.+')
  return new RegExp(`^${pattern}$`).test(path)
}
