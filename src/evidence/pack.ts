import type { Readable } from 'node:stream'
import {
  type PackScope,
  manifestPayloadType,
  packNames,
  packRules,
  printManifest,
  printSums,
} from '../verify/pack-format.ts'
import { printReport } from '../verify/pack-report.ts'
import { type LedgerSums, printCompleteness } from '../verify/pack-sums.ts'
import { createTables } from '../verify/pack-tables.ts'
import { printControls } from './controls.ts'
import { addLines } from './lines.ts'
import { printLimits } from './limits.ts'
import { addKeys, addLog } from './proofs.ts'
import { addPopulation } from './population.ts'
import { type Asked, type Resolved, resolveQuestion } from './question.ts'
import { printReadme } from './readme.ts'
import { addSamples } from './samples.ts'
import type { PackSources } from './sources.ts'
import { createZip, type Zip } from './zip.ts'

export interface OpenedPack {
  scope: PackScope
  stream: Readable
}

/** `bound`: the credential sees some repositories only. */
export type OpenPack = (asked: Asked, who: { id: string; method: string; bound: boolean }) => Promise<OpenedPack>

/**
 * An evidence pack as a stream. What can be refused is refused before the first byte; what fails later (a stored record that is not what
 * the log says) breaks the stream off, and a zip without its end is no zip. Writes nothing anywhere: a crash leaves nothing behind.
 */
export function createPacks(sources: PackSources): OpenPack {
  return async (asked, who) => {
    const resolved = await resolveQuestion(asked, who, sources)
    const { question, ledgers } = resolved.scope
    if (question.path !== undefined) for (const { ledger, end } of ledgers) await sources.files.reach(ledger, end)
    const zip = createZip()
    fill(zip, resolved, sources).catch((error: unknown) =>
      zip.fail(error instanceof Error ? error : new Error(String(error))),
    )
    return { scope: resolved.scope, stream: zip.output }
  }
}

async function fill(zip: Zip, { scope, notes }: Resolved, sources: PackSources): Promise<void> {
  await zip.add(packNames.scope, `${JSON.stringify(scope, undefined, 1)}\n`)
  await zip.add(packNames.readme, printReadme(scope))
  await zip.add(packNames.controls, printControls())
  for (const of of scope.ledgers) await addLog(zip, of, notes.get(of.ledger) ?? '', sources)
  await addKeys(zip, scope, notes, sources)
  const tables = createTables(packRules, scope.question.to)
  const sums: LedgerSums[] = []
  for (const of of scope.ledgers) sums.push(await addPopulation(zip, scope, of, sources, tables))
  await addLines(zip, scope, notes, sources)
  const samples = await addSamples(zip, scope, notes, tables.runs.sealed(), sources)
  const runs = tables.runs.counts()
  for (const [name, text] of tables.finish()) await zip.add(name, text)
  await zip.add(packNames.completeness, printCompleteness(scope, sums, runs))
  const drawn = samples.map(({ stratum, run, ledger, seq }) => ({ stratum, run, record: `${ledger} ${seq}` }))
  const exceptions = tables.exceptions()
  await zip.add(packNames.report, printReport({ scope, sums, runs, exceptions, samples: drawn }))
  await zip.add(packNames.limits, printLimits(scope, zip.files()))
  await zip.add(packNames.sums, printSums(zip.files()))
  const manifest = printManifest(zip.files())
  await zip.add(packNames.manifest, manifest)
  const payload = new TextEncoder().encode(manifest)
  await zip.add(packNames.signature, await sources.signStatement(manifestPayloadType, payload))
  zip.end()
}
