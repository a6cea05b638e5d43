import type { CommitRuns } from './commit-runs.ts'
import { type DefinitionFigures, figuresOf } from './figures.ts'
import type { Inventory } from './inventories.ts'
import { lookAhead } from './production-files.ts'
import type { RunEvidence, RunEvidences } from './run-evidence.ts'
import type { Subject } from './subject.ts'
import { type MeasuredFile, uniteRuns } from './union.ts'

/** What the runs that count for a subject measured: gate, report and difference all begin with this. */
export interface Measured {
  /** In the order of the counted runs. */
  runs: readonly RunEvidence[]
  production: readonly MeasuredFile[]
  /** Measured files that are no production files. */
  other: readonly MeasuredFile[]
  /** Of the production files. */
  figures: readonly DefinitionFigures[]
  /** Production files of the inventory that no counting run measured; undefined without an inventory. */
  notMeasured: readonly string[] | undefined
}

export async function measure(
  evidences: RunEvidences,
  { runs, inventory, isProduction }: Pick<Subject, 'runs' | 'inventory' | 'isProduction'>,
): Promise<Measured> {
  const evidence = await readRuns(evidences, runs)
  const files = uniteRuns(evidence)
  await lookAhead(
    isProduction,
    files.map(({ path }) => path),
  )
  const isIn = ({ path }: MeasuredFile): boolean => isProduction?.(path) ?? true
  const production = files.filter(isIn)
  return {
    runs: evidence,
    production,
    other: isProduction === undefined ? [] : files.filter((file) => !isIn(file)),
    figures: figuresOf(production),
    notMeasured: notMeasured(inventory, production, isProduction),
  }
}

/** One after the other: each reads in large pieces, and the thread is HTTP's too. */
async function readRuns(evidences: RunEvidences, { counted }: CommitRuns): Promise<RunEvidence[]> {
  const runs: RunEvidence[] = []
  for (const { ledger, facts } of counted) runs.push(await evidences.of(ledger, facts.seq))
  return runs
}

/** In order of paths. Without a contract that names production files every file of the commit would be one, so nothing is said. */
function notMeasured(
  inventory: Inventory | undefined,
  production: readonly MeasuredFile[],
  isProduction: Subject['isProduction'],
): string[] | undefined {
  if (inventory === undefined || isProduction === undefined) return undefined
  const measured = new Set(production.map(({ path }) => path))
  return [...inventory.files.keys()].filter((path) => !measured.has(path) && isProduction(path)).sort()
}
