import { inTotoPayloadType } from '../log/in-toto.ts'
import { openStatement } from '../log/statement.ts'
import type { VerifierKey } from '../log/vkey.ts'
import { printTime } from '../record/record.ts'
import type { PackRecord } from './pack-account.ts'
import { attestationsOf } from './pack-attest.ts'
import { type PackLedger, type PackScope, packNames } from './pack-format.ts'
import { type PackTrust, openProven } from './pack-log-check.ts'
import type { SealedRun } from './pack-runs.ts'
import { type SampleRun, drawRuns, printSamples, sampleFolder } from './pack-sample.ts'
import { CannotCheck, type PackCheck, PackFault, type PackSource, attempt, readText } from './pack-source.ts'

export interface SampleFinding {
  checks: PackCheck[]
  runs: SampleRun[]
}

/** The sample is the one that the seed gives, and each run of it is whole. */
export async function checkSamples(
  source: PackSource,
  scope: PackScope,
  sealed: readonly SealedRun[],
  trust: PackTrust,
  statementKeys: readonly VerifierKey[],
): Promise<SampleFinding> {
  const runs = drawRuns(scope, sealed)
  const checks = [
    await attempt('sample', async () => {
      const claimed = await readText(source, packNames.samples)
      if (claimed !== printSamples(scope, sealed, runs))
        throw new Error(`drawn again from the seed, the sample is another one: ${runs.map(({ run }) => run).slice(0, 5).join(', ')} ...`) // oxfmt-ignore
      const folders = new Set(runs.map(({ number }) => `${sampleFolder(number)}/`))
      const extra = source.names.find((name) => /^samples\/[0-9]/.test(name) && !folders.has(`${name.split('/').slice(0, 2).join('/')}/`)) // oxfmt-ignore
      if (extra !== undefined) throw new Error(`${extra} belongs to no run of the sample`)
      return `${runs.length} of ${sealed.length} sealed runs, drawn again from the ${scope.seed.from} seed`
    }),
  ]
  for (const run of runs) checks.push(await checkSample(source, scope, run, trust, statementKeys))
  return { checks, runs }
}

async function checkSample(
  source: PackSource,
  scope: PackScope,
  { number, run, ledger, seq }: SampleRun,
  trust: PackTrust,
  statementKeys: readonly VerifierKey[],
): Promise<PackCheck> {
  return attempt(`sample ${number}`, async () => {
    const of = scope.ledgers.find((one) => one.ledger === ledger)
    if (of === undefined) throw new Error(`${ledger} is not in scope.json`)
    const folder = sampleFolder(number)
    const open = async (name: string, kind: string): Promise<PackRecord> => {
      const record = await openRecordOf(source, `${folder}/${name}`, of, trust)
      if (record.fields['run'] !== run || record.kind !== kind)
        throw new PackFault(`${folder}/${name}.json is not the ${kind} of ${run}`, record.seq)
      return record
    }
    const seal = await open('seal', 'seal')
    if (seal.seq !== seq) throw new PackFault(`expected the seal at ${seq}, found one at ${seal.seq}`, seal.seq)
    const { first } = (seal.fields['records'] ?? {}) as { first?: number } // of a record that is proved
    const hasRun = source.names.includes(`${folder}/run.json`)
    if (first !== undefined && hasRun && (await open('run', 'run')).seq !== first)
      throw new PackFault(`expected the declaration of ${run} at ${first}`, first)
    const parts: PackRecord[] = []
    while (source.names.includes(`${folder}/part-${parts.length + 1}.json`))
      parts.push(await open(`part-${parts.length + 1}`, 'part'))
    checkPartCount(seal, parts)
    await checkAttestations(source, folder, attestationsOf(seal, parts, of.origin), statementKeys)
    const missing: string[] = first === undefined || hasRun ? [] : [`${folder}/run.json`]
    for (const { fields } of parts) {
      const sha256 = String(fields['artifact_sha256'])
      const name = packNames.artifact(sha256)
      if (!source.names.includes(name)) missing.push(name)
      else if ((await source.digest(name)).sha256 !== sha256) throw new Error(`blob-mismatch ${name}`)
    }
    if (missing.length > 0)
      throw new CannotCheck(`${run}: its records are proved; not in the pack, so not looked at: ${missing.join(', ')}`)
    return `${run}: seal at ${seal.seq}, ${parts.length} parts, their reports by digest, 2 attestations`
  })
}

/** All parts that the seal counts of its own run are there; those of earlier attempts are that run's. */
function checkPartCount({ fields, seq }: PackRecord, parts: readonly PackRecord[]): void {
  const own = Number(fields['parts']) - (Array.isArray(fields['earlier']) ? fields['earlier'].length : 0)
  if (fields['earlier_digest'] === undefined && parts.length < own)
    throw new PackFault(`the seal counts ${own} parts of the run, the pack has ${parts.length}`, seq)
}

async function checkAttestations(
  source: PackSource,
  folder: string,
  expected: readonly Uint8Array[],
  keys: readonly VerifierKey[],
): Promise<void> {
  const lines = (await readText(source, `${folder}/attestations.intoto.jsonl`)).split('\n').slice(0, -1)
  if (lines.length !== expected.length) throw new Error(`${folder} has ${lines.length} attestations, not ${expected.length}`) // oxfmt-ignore
  if (keys.length === 0) throw new CannotCheck(`${folder}: no statement key is trusted`)
  for (const [i, line] of lines.entries()) {
    const { payloadType, payload } = await openStatement(line, keys)
    if (payloadType !== inTotoPayloadType) throw new Error(`attestation ${i + 1} of ${folder} is a ${payloadType}`)
    if (new TextDecoder().decode(payload) !== new TextDecoder().decode(expected[i]))
      throw new Error(`attestation ${i + 1} of ${folder} says something else than the records`)
  }
}

async function openRecordOf(source: PackSource, name: string, of: PackLedger, trust: PackTrust): Promise<PackRecord> {
  const { seq, id, recordedAt, fields } = await openProven(source, name, of, trust)
  return { seq, id, kind: String(fields['kind']), recorded_at: printTime(recordedAt), fields }
}
