import { inTotoPayloadType } from '../log/in-toto.ts'
import { Problem } from '../record/problem.ts'
import { attestationsOf } from '../verify/pack-attest.ts'
import { type PackLedger, type PackScope, packNames } from '../verify/pack-format.ts'
import type { SealedRun } from '../verify/pack-runs.ts'
import { type SampleRun, drawRuns, printSamples, sampleFolder } from '../verify/pack-sample.ts'
import { addProven } from './proofs.ts'
import { type PackSources, type ReadRecord, readOne, readUnlessExpired } from './sources.ts'
import type { Zip } from './zip.ts'

/**
 * Each run of the sample whole: the records that make it up with their proofs, the reports as they were sent, and what they say as in-toto
 * statements, signed by the statement key. Answers the sample, for the report.
 */
export async function addSamples(
  zip: Zip,
  scope: PackScope,
  notes: ReadonlyMap<string, string>,
  sealed: readonly SealedRun[],
  sources: PackSources,
): Promise<SampleRun[]> {
  const runs = drawRuns(scope, sealed)
  await zip.add(packNames.samples, printSamples(scope, sealed, runs))
  for (const run of runs) {
    const of = scope.ledgers.find(({ ledger }) => ledger === run.ledger)
    const note = of && notes.get(of.ledger)
    if (of === undefined || note === undefined) throw new Error(`${run.ledger} is not in the pack`)
    await addSample(zip, run, of, note, sources)
  }
  return runs
}

async function addSample(
  zip: Zip,
  { number, run, seq }: SampleRun,
  of: PackLedger,
  note: string,
  sources: PackSources,
): Promise<void> {
  const { ledger, origin, size } = of
  const folder = sampleFolder(number)
  const seal = await readOne(sources, ledger, seq)
  await addProven(zip, `${folder}/seal`, of, seal, note, sources)
  const declared = await findDeclaration(seal, ledger, sources)
  if (declared !== undefined) await addProven(zip, `${folder}/run`, of, declared, note, sources)
  const parts: ReadRecord[] = []
  for (const at of (await sources.partSeqs(ledger, run)).toSorted((a, b) => a - b)) {
    if (at >= size) continue
    const part = await readOne(sources, ledger, at)
    await addProven(zip, `${folder}/part-${parts.length + 1}`, of, part, note, sources)
    parts.push(part)
  }
  const envelopes: string[] = []
  for (const payload of attestationsOf(seal, parts, origin))
    envelopes.push(`${await sources.signStatement(inTotoPayloadType, payload)}\n`)
  await zip.add(`${folder}/attestations.intoto.jsonl`, envelopes.join(''))
  for (const { fields } of parts) await addArtifact(zip, String(fields['artifact_sha256']), sources)
}

/** The `run` record: the first of the run's own, as its seal names them. */
async function findDeclaration(
  { fields }: ReadRecord,
  ledger: PackLedger['ledger'],
  sources: PackSources,
): Promise<ReadRecord | undefined> {
  const { first } = (fields['records'] ?? {}) as { first?: number }
  if (first === undefined) return undefined
  const record = await readUnlessExpired(sources, ledger, first)
  return record?.kind === 'run' && record.fields['run'] === fields['run'] ? record : undefined
}

/**
 * Once in the pack, whoever names it. What the store has not, or has altered, is left out: the pack is about the log, and a missing report
 * shows when it is verified. So it is read twice: in the midst of a zip it would be too late.
 */
async function addArtifact(zip: Zip, sha256: string, sources: PackSources): Promise<void> {
  const name = packNames.artifact(sha256)
  if (zip.files().some((file) => file.name === name)) return
  try {
    const probe = await sources.openArtifact(sha256)
    if (probe === undefined) return
    for await (const _chunk of probe);
  } catch (error) {
    if (error instanceof Problem && error.code === 'integrity') return
    throw error
  }
  const bytes = await sources.openArtifact(sha256)
  if (bytes !== undefined) await zip.add(name, bytes as AsyncIterable<Uint8Array>)
}
