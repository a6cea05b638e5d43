/** One figure of DESIGN.md section 16 as it came out. */
export interface Figure {
  what: string
  unit: string
  /** Undefined when it was not measured; `note` says why. */
  measured: number | undefined
  target: number
  better: 'more' | 'less'
  /** What each run gave; `measured` is their median. */
  runs: number[]
  /** What the figure was measured on. */
  note: string
  /** What limits it, printed when the target is missed. */
  limit?: string
  detail?: Record<string, number | string>
}

/** Records that something is wrong, as opposed to slow: counts differ, bytes differ. Only this makes the benchmark fail. */
export type Check = (what: string, right: boolean, detail?: string) => void

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** 1 and more: the target is reached, whether more or less is better. */
export function ratioOf({
  measured,
  target,
  better,
}: Pick<Figure, 'measured' | 'target' | 'better'>): number | undefined {
  if (measured === undefined) return undefined
  return better === 'more' ? measured / target : target / measured
}

export function skipped(what: string, unit: string, target: number, better: Figure['better'], why: string): Figure {
  return { what, unit, measured: undefined, target, better, runs: [], note: why }
}

/** Three digits that count: 0.412, 84.2, 113,000. */
export function printNumber(value: number): string {
  return Number.isFinite(value)
    ? Number(value.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 4 })
    : '-'
}

/** Columns of numbers, and below each missed figure what limits it. */
export function printFigures(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { what, unit, measured, target, better } = figure
    const ratio = ratioOf(figure)
    const bound = `${better === 'more' ? '>=' : '<='} ${printNumber(target)}`
    return [
      what,
      measured === undefined ? '-' : printNumber(measured),
      bound,
      unit,
      ratio === undefined ? '-' : ratio.toFixed(2),
    ]
  })
  const all = [['what', 'measured', 'target', 'unit', 'ratio'], ...rows]
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  const print = (row: string[]): string =>
    row
      .map((cell, column) =>
        column === 0 || column === 3 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
  return all
    .map((row, i) => {
      const figure = figures[i - 1]
      if (figure === undefined) return print(row)
      const ratio = ratioOf(figure)
      const missed = ratio !== undefined && ratio < 1
      return [
        print(row),
        `    ${figure.note}`,
        ...(missed && figure.limit !== undefined ? [`    limited by ${figure.limit}`] : []),
      ].join('\n')
    })
    .join('\n')
}
