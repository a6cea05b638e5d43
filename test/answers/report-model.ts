import { createHash } from 'node:crypto'
import type { ModelRecord } from '../history/model.ts'
import { readFiles, readLines } from './model-lines.ts'

/**
 * The report of a commit in plain loops over all records: what the answers are compared with. It shares no code with them, and reads its rules from
 * docs/reports.md.
 */

export interface ModelContract {
  /** Absent: all that were measured. */
  production?: ((path: string) => boolean) | undefined
  suites?: readonly { name: string; test_type: string; required: boolean }[] | undefined
}

export interface ModelSubject {
  repository: string
  commit: string
  /** Of a deployment: what was recorded from here on is left out. */
  before?: number | undefined
  /** Why that is left out. */
  reason?: string
}

const text = (record: ModelRecord, field: string): string => record.fields[field] as string
const typeOf = ({ ledger }: ModelRecord): string => ledger.slice('main/'.length)
const types = ['unit', 'integration']

export function askReportModel(all: readonly ModelRecord[], contract: ModelContract | undefined, { repository, commit, before = Infinity, reason = 'after_deployment' }: ModelSubject) {
  const records = all.filter((one) => text(one, 'repository') === repository)
  const ofKind = (kind: string): ModelRecord[] => records.filter((one) => text(one, 'kind') === kind)
  const seals = [...ofKind('seal'), ...ofKind('abandonment')]
  const counts = (seal: ModelRecord): boolean => seal.fields['admitted'] === true && seal.recordedAt < before

  const missingOf = (of: string): string[] => {
    const missing: string[] = []
    for (const type of types)
      for (const suite of [...(contract?.suites ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1))) {
        if (!suite.required || suite.test_type !== type) continue
        const own = (one: ModelRecord): boolean => typeOf(one) === type && text(one, 'suite') === suite.name && text(one, 'commit') === of
        if (seals.some((seal) => own(seal) && counts(seal))) continue
        const reasons = new Set<string>()
        for (const seal of seals.filter(own)) {
          for (const one of (seal.fields['reasons'] as string[] | undefined) ?? []) reasons.add(one)
          if (seal.recordedAt >= before) reasons.add(reason)
        }
        for (const run of ofKind('run').filter(own))
          if (!seals.some((seal) => text(seal, 'run') === text(run, 'run'))) reasons.add('unsealed')
        missing.push(`${type}/${suite.name}: ${reasons.size === 0 ? 'no_run' : [...reasons].sort().join()}`)
      }
    return missing
  }
  const isMeasured = (of: string): boolean => seals.some((seal) => text(seal, 'commit') === of && counts(seal))
  const isEnough = (of: string): boolean =>
    isMeasured(of) && (contract?.suites === undefined || missingOf(of).length === 0)

  // The same production files elsewhere, by paths and blobs.
  const filesOf = (of: string): Map<string, string> | undefined => readFiles(records, of)
  const isProduction = (path: string): boolean => contract?.production?.(path) ?? true
  const productionOf = (of: string): string | undefined => {
    const files = filesOf(of)
    if (contract?.production !== undefined && files !== undefined)
      return digestOf([...files].filter(([path]) => isProduction(path)))
    const told = new Set(seals.filter((seal) => text(seal, 'commit') === of && typeof seal.fields['production_digest'] === 'string').map((seal) => text(seal, 'production_digest')))
    return told.size === 1 ? [...told][0] : undefined
  }
  let from = commit
  const same = productionOf(commit)
  if (!isEnough(commit) && same !== undefined) {
    let newest = -1
    for (const other of new Set(seals.map((seal) => text(seal, 'commit')))) {
      if (other === commit || !isMeasured(other) || !isEnough(other) || productionOf(other) !== same) continue
      // A seal has to have said so too, then: what has no digest of its own is not looked at.
      const digests = seals.filter((seal) => counts(seal) && typeof seal.fields['production_digest'] === 'string')
      const own = (of: string): string[] => digests.filter((seal) => text(seal, 'commit') === of).map((seal) => text(seal, 'production_digest'))
      if (!own(other).includes(same)) continue
      const last = Math.max(...seals.filter((seal) => text(seal, 'commit') === other && counts(seal)).map((seal) => seal.recordedAt))
      if (last > newest) {
        newest = last
        from = other
      }
    }
  }

  const counted = seals.filter((seal) => text(seal, 'commit') === from && counts(seal))
  const leftOut = [
    ...seals.filter((seal) => text(seal, 'commit') === commit && !counts(seal)).map((seal) => ({
      run: text(seal, 'run'),
      reasons: [...((seal.fields['reasons'] as string[] | undefined) ?? []), ...(seal.recordedAt >= before ? [reason] : [])],
    })),
    ...ofKind('run').filter((run) => text(run, 'commit') === commit && !seals.some((seal) => text(seal, 'run') === text(run, 'run'))).map((run) => ({ run: text(run, 'run'), reasons: ['unsealed'] })),
  ]

  const { names, paths, definitions, blobs, linesIn, isMeasuredBy } = readLines(records, counted)
  const isComparable = (path: string, definition: string): boolean => {
    const [unit, integration] = [linesIn(path, definition, 'unit'), linesIn(path, definition, 'integration')]
    if (unit !== undefined && integration !== undefined) return true
    return !(isMeasuredBy(path, 'unit') && isMeasuredBy(path, 'integration'))
  }
  const sum = (all: (Map<number, number> | undefined)[]) => {
    const there = all.filter((one) => one !== undefined)
    const ranks = there.flatMap((one) => [...one.values()])
    const of = (rank: number): number => ranks.filter((one) => one === rank).length
    return there.length === 0 ? null : [there.length, ranks.length, of(3), of(2), of(1)]
  }
  const production = paths.filter(isProduction)
  const figures: Record<string, FiguresOfModel> = {}
  for (const definition of definitions) {
    const own = production.filter((path) => types.some((type) => linesIn(path, definition, type) !== undefined))
    if (own.length === 0) continue
    let [found, only, hidden, both] = [0, 0, 0, 0]
    const together = own.filter((path) => isComparable(path, definition))
    for (const path of together) {
      const [unit, integration] = types.map((type) => linesIn(path, definition, type) ?? new Map<number, number>()) as [Map<number, number>, Map<number, number>]
      for (const line of new Set([...unit.keys(), ...integration.keys()])) {
        const [a, b] = [(unit.get(line) ?? 0) >= 2, (integration.get(line) ?? 0) >= 2]
        found += 1
        if (a && b) both += 1
        else if (a) only += 1
        else if (b) hidden += 1
      }
    }
    const suites = [...new Set(names.filter((name) => name[1] === definition && name.length === 4 && isProduction(name[0]!)).map(([, , type, suite]) => `${type}/${suite}`))].sort()
    figures[definition] = {
      unit: sum(own.map((path) => linesIn(path, definition, 'unit'))),
      integration: sum(own.map((path) => linesIn(path, definition, 'integration'))),
      both: [together.length, found, only + hidden + both, only, hidden, both, found - only - hidden - both],
      apart: own.length - together.length,
      suites: Object.fromEntries(suites.map((name) => [name, sum(production.map((path) => linesIn(path, definition, ...name.split('/'))))])),
    }
  }
  const hidden: Record<string, number> = {}
  for (const path of production)
    for (const definition of definitions) {
      if (!isComparable(path, definition)) continue
      const unit = linesIn(path, definition, 'unit') ?? new Map<number, number>()
      const lines = [...(linesIn(path, definition, 'integration') ?? [])].filter(([line, rank]) => rank >= 2 && (unit.get(line) ?? 0) < 2)
      if (lines.length > 0) hidden[`${path} ${definition}`] = lines.length
    }
  const inventory = filesOf(from)
  return {
    complete: contract?.suites !== undefined && missingOf(from).length === 0 && counted.length > 0,
    missing: missingOf(from),
    answered_from: from === commit ? null : from,
    runs: counted.map((seal) => text(seal, 'run')).sort(),
    left_out: leftOut.sort((a, b) => (a.run < b.run ? -1 : 1)),
    figures,
    hidden,
    not_measured: inventory === undefined || contract?.production === undefined ? null : [...inventory.keys()].filter((path) => isProduction(path) && !paths.includes(path)).sort(),
    not_comparable: production.filter((path) => definitions.some((definition) => types.some((type) => linesIn(path, definition, type) !== undefined) && !isComparable(path, definition))),
    blob_differs: production.filter((path) => (blobs.get(path)?.size ?? 0) > 1),
  }
} // oxfmt-ignore

/** Files, lines, and how many of them are what. */
interface FiguresOfModel {
  unit: number[] | null
  integration: number[] | null
  both: number[]
  apart: number
  suites: Record<string, number[] | null>
}

/** As a seal has it: seen by its inventory or by its runs, the same files are the same. */
function digestOf(files: [path: string, blob: string][]): string {
  const text = files.sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, blob]) => `${path}\0${blob}\n`)
  return createHash('sha256').update(text.join('')).digest('hex')
}
