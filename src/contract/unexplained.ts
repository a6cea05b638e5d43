/** What changed of how a suite is measured since its last counting run, which no change of the software explains. */

export interface MeasuredTotals {
  metric: string
  definition: string
  tool?: { name: string; version?: string | undefined } | undefined
  /** Of so many parts they are the sum: files that two shards load count twice, so another number of parts is another sum. */
  parts?: number
  /** Absent where other things than lines were measured. */
  lines?: { found: number; covered: number; partial: number }
}

export interface Measured {
  totals: readonly MeasuredTotals[]
  configuration?: string | undefined
  /** Digest over paths and blobs of the production files; undefined when they are not known. */
  production_digest?: string | undefined
}

/** Values are texts, also where they are numbers: a SIEM gives a field one type. `null` is absent. */
export interface UnexplainedChange {
  what: 'tool' | 'definition' | 'configuration' | 'found' | 'executed'
  /** Metric and definition of the figures; absent for the configuration. */
  measure?: string
  from: string | null
  to: string | null
}

/** Another `executed` counts from this share of the earlier one on: two runs of the same tests differ by some lines. */
const executedTolerance = 0.01

/** Empty when nothing changed. Figures are compared only at the same production files, and only by the same metric and definition. */
export function unexplainedChanges(before: Measured, now: Measured): UnexplainedChange[] {
  const changes: UnexplainedChange[] = []
  for (const metric of sortedUnique([...before.totals, ...now.totals].map((one) => one.metric))) {
    const ofMetric = ({ totals }: Measured) => totals.filter((one) => one.metric === metric)
    const [earlier, later] = [ofMetric(before), ofMetric(now)]
    // A push of mutants in the suite of lines says nothing about these.
    if (earlier.length === 0 || later.length === 0) continue
    add(changes, 'tool', metric, listOf(earlier.map(printTool)), listOf(later.map(printTool)))
    add(
      changes,
      'definition',
      metric,
      listOf(earlier.map((one) => one.definition)),
      listOf(later.map((one) => one.definition)),
    )
  }
  add(changes, 'configuration', undefined, before.configuration ?? null, now.configuration ?? null)
  if (before.production_digest !== undefined && before.production_digest === now.production_digest)
    changes.push(...figureChanges(before.totals, now.totals))
  return changes
}

function figureChanges(before: readonly MeasuredTotals[], now: readonly MeasuredTotals[]): UnexplainedChange[] {
  const changes: UnexplainedChange[] = []
  const [earlier, later] = [sumUp(before), sumUp(now)]
  for (const [measure, { found, executed, parts }] of later) {
    const known = earlier.get(measure)
    if (known === undefined) continue // another definition, which stands there already
    if (known.parts !== parts) continue
    if (known.found !== found) add(changes, 'found', measure, String(known.found), String(found))
    if (Math.abs(executed - known.executed) > executedTolerance * known.executed)
      add(changes, 'executed', measure, String(known.executed), String(executed))
  }
  return changes
}

interface Sums {
  found: number
  executed: number
  parts: number
}

/** Over the tools of one definition: another tool is a change of its own. */
function sumUp(totals: readonly MeasuredTotals[]): Map<string, Sums> {
  const sums = new Map<string, Sums>()
  for (const { metric, definition, lines, parts: own = 1 } of totals) {
    if (lines === undefined) continue
    const measure = `${metric} ${definition}`
    const { found, executed, parts } = sums.get(measure) ?? { found: 0, executed: 0, parts: 0 }
    const more = { found: found + lines.found, executed: executed + lines.covered + lines.partial, parts: parts + own }
    sums.set(measure, more)
  }
  return sums
}

function add(
  changes: UnexplainedChange[],
  what: UnexplainedChange['what'],
  measure: string | undefined,
  from: string | null,
  to: string | null,
): void {
  if (from !== to) changes.push({ what, ...(measure === undefined ? {} : { measure }), from, to })
}

const printTool = ({ tool }: MeasuredTotals): string =>
  tool === undefined ? 'unknown' : `${tool.name}${tool.version === undefined ? '' : `@${tool.version}`}`

const sortedUnique = (texts: readonly string[]): string[] => [...new Set(texts)].toSorted()
const listOf = (texts: readonly string[]): string | null => (texts.length === 0 ? null : sortedUnique(texts).join(', '))
