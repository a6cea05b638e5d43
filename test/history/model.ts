import { followLine, readMaps } from './model-maps.ts'
import { orderRuns } from './model-order.ts'

/**
 * The history of a line in plain loops over all records, without anything that makes it fast: what the projection and the answers are compared
 * with. It shares no code with them, and reads its rules from docs/history.md.
 */

export interface ModelRecord {
  ledger: string
  seq: number
  recordedAt: number
  id: string
  fields: Record<string, unknown>
}

export interface ModelQuestion {
  repository: string
  path: string
  ref: string
  line: number
}

interface Run {
  seal: ModelRecord
  commit: string
  suite: string
  name: string
  /** Coverage records that count. */
  coverage: ModelRecord[]
}

const text = (record: ModelRecord, field: string): string => record.fields[field] as string

/** Series by name: what an answer says of them, in order. 'nothing' where there is nothing to be asked. */
export function askModel(all: readonly ModelRecord[], { repository, path, ref, line }: ModelQuestion): unknown {
  const records = all.filter((one) => text(one, 'repository') === repository)
  const ofKind = (kind: string): ModelRecord[] => records.filter((one) => text(one, 'kind') === kind)

  // Runs that count, with the records of their parts.
  const runs: Run[] = []
  for (const seal of ofKind('seal')) {
    if (seal.fields['admitted'] !== true || (seal.fields['ref'] ?? '') !== ref) continue
    const coverage: ModelRecord[] = []
    for (const part of ofKind('part')) {
      if (text(part, 'run') !== text(seal, 'run') || part.ledger !== seal.ledger) continue
      for (const [first, last] of part.fields['ranges'] as [number, number][])
        for (const one of records)
          if (one.ledger === part.ledger && one.seq >= first && one.seq <= last) coverage.push(one)
    }
    runs.push({ seal, commit: text(seal, 'commit'), suite: text(seal, 'suite'), name: text(seal, 'run'), coverage })
  }

  const { order, isLeft } = orderRuns(records, runs)

  // Line maps, and the names that they join to the file.
  const maps = readMaps(records)
  const names = new Set([path])
  for (let size = 0; size < names.size;) {
    size = names.size
    for (const { fromPath, toPath } of maps) {
      if (names.has(fromPath)) names.add(toPath)
      if (names.has(toPath)) names.add(fromPath)
    }
  }
  const paths = [path, ...[...names].filter((name) => name !== path).sort()]

  // What is in a commit under a name: a blob, '' for a file without one, 'absent', or it is not known.
  const measured = (name: string, commit: string): string | undefined => {
    let found: string | undefined
    for (const run of runs)
      for (const one of run.coverage)
        if (run.commit === commit && text(one, 'path') === name)
          found = (one.fields['blob'] as string | undefined) ?? found ?? ''
    return found
  }
  const presence = (name: string, commit: string): string | undefined => {
    const listed = ofKind('inventory').filter((one) => text(one, 'commit') === commit)
    // Both ledgers may have one; that of the first ledger is asked first.
    const ledger = listed.some((one) => one.ledger === 'main/unit') ? 'main/unit' : 'main/integration'
    const files = listed
      .filter((one) => one.ledger === ledger)
      .flatMap((one) => one.fields['files'] as [string, string][])
    if (listed.length === 0) return measured(name, commit)
    return files.find(([file]) => file === name)?.[1] ?? measured(name, commit) ?? 'absent'
  }

  const anchors = order.filter((commit) => !isLeft(commit) && ![undefined, 'absent'].includes(presence(path, commit)))
  const anchor = anchors.at(-1)
  if (anchor === undefined) return 'nothing'

  // From the anchor outwards, commit by commit.
  interface At {
    path: string | undefined
    line: number
    byNumber: boolean
  }
  const known = new Map<string, { line: number; byNumber: boolean }>()
  const learn = (name: string, commit: string, number: number, byNumber: boolean): void => {
    const blob = presence(name, commit)
    if (blob === undefined || blob === '' || blob === 'absent') return
    for (const [version, at] of followLine(maps, `${blob} ${name}`, number))
      if (!known.has(version)) known.set(version, { line: at, byNumber })
  }
  const places = new Map<string, At>()
  const start: At = { path, line, byNumber: false }
  learn(path, anchor, line, false)
  for (const direction of [-1, 1]) {
    let before = start
    let placed = start
    let looks = ''
    for (let i = order.indexOf(anchor); i >= 0 && i < order.length; i += direction) {
      const commit = order[i]!
      const now = paths.map((name) => presence(name, commit)).join()
      // Commits that look the same as their neighbour towards the anchor are as that one.
      if (commit !== anchor && now !== looks) {
        const found = paths
          .map((name) => ({ name, at: known.get(`${presence(name, commit)} ${name}`) }))
          .filter(({ at }) => at !== undefined)
        const there = found.find(({ at }) => at!.line > 0) ?? found[0]
        const name = [before.path!, ...paths].find((one) => presence(one, commit) !== 'absent')
        if (there !== undefined) placed = { path: there.name, ...there.at! }
        else if (name === undefined) placed = { path: undefined, line: 0, byNumber: false }
        else {
          if (before.line > 0) learn(name, commit, before.line, true)
          placed = { path: name, line: before.line, byNumber: true }
        }
      }
      looks = now
      places.set(commit, placed)
      if (placed.path !== undefined) before = placed
    }
  }
  return printModel(runs, order, isLeft, places)
}

/** Runs of each suite and definition, one by one; equal neighbours are one interval. */
function printModel(
  runs: readonly Run[],
  order: readonly string[],
  isLeft: (commit: string) => boolean,
  places: ReadonlyMap<string, { path: string | undefined; line: number; byNumber: boolean }>,
): unknown {
  const has = (ranges: string, line: number): boolean =>
    ranges !== '' &&
    ranges.split(',').some((range) => {
      const [from = 0, to = from] = range.split('-').map(Number)
      return line >= from && line <= to
    })
  /** Runs are called local.<repository>-<number>. */
  const numberOf = ({ name }: Run): number => Number(/-(\d+)\./.exec(name)?.[1])
  const definitionOf = (one: ModelRecord): string => text(one, 'definition')
  const series: Record<string, unknown> = {}
  const keys = new Set(
    runs.flatMap((run) => run.coverage.map((one) => `${run.seal.ledger} ${run.suite} ${definitionOf(one)}`)),
  )
  for (const key of [...keys].sort()) {
    const [ledger, suite, definition] = key.split(' ')
    const own = runs.filter(
      (run) =>
        run.seal.ledger === ledger &&
        run.suite === suite &&
        run.coverage.some((one) => definitionOf(one) === definition),
    )
    own.sort((a, b) => order.indexOf(a.commit) - order.indexOf(b.commit) || numberOf(a) - numberOf(b))
    const intervals = {
      kept: [] as { key: string; runs: unknown[]; late: number }[],
      left: [] as { key: string; runs: unknown[]; late: number }[],
    }
    for (const run of own) {
      const at = places.get(run.commit)!
      const records = run.coverage.filter((one) => text(one, 'path') === at.path && definitionOf(one) === definition)
      let state = 'not instrumented'
      if (at.path === undefined) state = 'file absent'
      else if (at.line === 0) state = 'line absent'
      else if (records.length === 0) state = 'not measured'
      else
        for (const one of ['missed', 'partial', 'covered'])
          if (records.some((record) => has((record.fields['ranges'] as Record<string, string>)[one]!, at.line)))
            state = one
      const byNumber = at.byNumber && ['covered', 'partial', 'missed', 'not instrumented'].includes(state)
      const late = own.some(
        (other) =>
          order.indexOf(other.commit) > order.indexOf(run.commit) && other.seal.recordedAt < run.seal.recordedAt,
      )
      const list = isLeft(run.commit) ? intervals.left : intervals.kept
      if (list.at(-1)?.key !== `${state} ${byNumber}`) list.push({ key: `${state} ${byNumber}`, runs: [], late: 0 })
      list.at(-1)!.late += late ? 1 : 0
      list.at(-1)!.runs.push({
        run: run.name,
        commit: run.commit,
        path: at.path ?? null,
        line: at.line === 0 ? null : at.line,
        seal: run.seal.id,
        records: records.map(({ id }) => id).sort(),
      })
    }
    const print = (list: typeof intervals.kept) =>
      list.map((one) => ({
        key: one.key,
        runs: one.runs.length,
        late: one.late,
        first: one.runs[0],
        last: one.runs.at(-1),
      }))
    series[key] = { intervals: print(intervals.kept), rewritten: print(intervals.left) }
  }
  return series
}
