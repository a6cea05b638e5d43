import type { GapsAnswer, RepositoriesAnswer } from '../api/gaps.ts'
import { oneLine, printTable } from './terminal.ts'
import { count } from './count.ts'

/** Gaps and repositories for people: pure. */

type Suite = GapsAnswer['suites'][number]

export function printGaps(answer: GapsAnswer): string {
  const { repository, refs, from, to, known_until: until, as_of: asOf, contract, suites } = answer
  return [
    oneLine(`${repository} on ${refs.map((ref) => (ref === '' ? 'no ref' : ref)).join(', ')}, ${printContract(contract)}`),
    `${from.slice(0, 10)} to ${to.slice(0, 10)}, known until ${until.slice(0, 16)}Z, as of ${asOf}`,
    ...suites.map(printSuite),
    ...(suites.length === 0 ? ['', 'no suite is known'] : []),
  ].join('\n')
} // oxfmt-ignore

export function printContract(contract: GapsAnswer['contract']): string {
  if (contract === null) return 'no contract'
  const { version, default_version: standard, mode } = contract
  const which = version === null ? `the org's default version ${standard ?? 0}` : `contract version ${version}`
  return mode === 'observe' ? `${which} (observe)` : which
}

const shownGaps = 12

function printSuite(suite: Suite): string {
  const { test_type: type, suite: name, unnamed, owner, cadence, required, runs, left_out: left, last, expected } = suite
  const remarks = [
    ...(unnamed === true ? ['named by no contract'] : [typeof cadence === 'string' ? `every ${cadence}` : 'no cadence']),
    ...(required === false ? ['not required'] : []),
    ...(typeof owner === 'string' ? [owner] : []),
  ]
  const lastRun = last === null ? 'none was ever sealed' : `last ${last.recorded_at.slice(0, 16)}Z ${last.run}${last.counts ? '' : ` (${last.reasons.join(', ')})`}` // oxfmt-ignore
  const shown = suite.gaps.slice(-shownGaps).toReversed()
  const more = suite.missing - shown.length
  return [
    oneLine(`\n${type} ${name} (${remarks.join(', ')})`).replace(/^/, '\n'),
    oneLine(`${count(runs, 'run counts', 'runs count')}${left.runs === 0 ? '' : `, ${left.runs} do not (${printReasons(left.reasons)})`}; ${lastRun}`).replace(/^/, '  '),
    `  ${printMissing(suite.missing, cadence, expected)}`,
    ...(shown.length === 0 ? [] : [printTable(shown.map(row)).trimEnd().replace(/^/gm, '    ')]),
    ...(more > 0 ? [`    and ${more} before`] : []),
    ...(suite.same_production === undefined ? [] : [`  ${count(suite.same_production.commits, 'commit has', 'commits have')} the production files of one that was measured`]),
  ].join('\n')
} // oxfmt-ignore

function printMissing(missing: number, cadence: string | null | undefined, expected: number | undefined): string {
  if (missing === 0) return 'nothing is missing'
  if (expected !== undefined) return `${missing} of ${count(expected, 'commit')} without a run that counts`
  return typeof cadence === 'string'
    ? `${count(missing, 'time')} without a run that counts for longer than ${cadence}`
    : `${count(missing, 'stretch', 'stretches')} of days without a run that counts`
}

function row({ commit, from, to, days, open, reasons, runs }: Suite['gaps'][number]): string[] {
  const [last] = runs
  return [
    commit === undefined ? minute(from, days) : commit.slice(0, 12),
    commit === undefined ? `to ${to === null ? '' : minute(to, days)}` : minute(from),
    commit !== undefined ? '' : days === undefined ? printLength(from, to) : count(days, 'day'),
    printReasons(reasons),
    [...(open === true ? ['still'] : []), ...(last === undefined ? [] : [oneLine(last.run)])].join(', '),
  ]
}

const minute = (time: string, days?: number): string => (days === undefined ? `${time.slice(0, 16)}Z` : time.slice(0, 10)) // oxfmt-ignore

function printLength(from: string, to: string | null): string {
  const hours = (Date.parse(to ?? from) - Date.parse(from)) / 3_600_000
  return hours < 48 ? `${hours.toFixed(1)} h` : count(Math.floor(hours / 24), 'day')
}

function printReasons(reasons: Readonly<Record<string, number>>): string {
  return Object.entries(reasons)
    .map(([reason, count]) => (count === 1 ? reason : `${reason} ${count}`))
    .join(', ')
}

export function printRepositories(answer: RepositoriesAnswer, silent: string | undefined): string {
  const { repositories, known_until: until, as_of: asOf } = answer
  const head = `known until ${until.slice(0, 16)}Z, as of ${asOf}`
  if (repositories.length === 0)
    return `${silent === undefined ? 'no repository is known' : `no repository was silent for ${silent}`}; ${head}\n`
  const rows = repositories.flatMap(({ repository, contract, owners, suites }) => [
    [repository, '', '', '', printContract(contract), owners.join(', ')],
    ...suites.map(({ test_type: type, suite, owner, last, unnamed }) => [
      `  ${type} ${suite}`,
      last === null ? 'never' : `${last.recorded_at.slice(0, 16)}Z`,
      last === null ? '' : last.commit.slice(0, 12),
      last === null ? '' : last.counts ? 'counts' : last.reasons.join(', '),
      unnamed === true ? 'named by no contract' : (owner ?? ''),
    ]),
  ])
  return `${printTable(rows.map((cells) => cells.map(oneLineKept)))}${head}\n`
}

/** As `oneLine`, and the two spaces before a suite stay. */
const oneLineKept = (text: string): string => (text.startsWith('  ') ? `  ${oneLine(text)}` : oneLine(text))
