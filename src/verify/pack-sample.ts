import { decodeHex } from './hex.ts'
import { type Drawn, drawSample } from './pack-draw.ts'
import type { PackScope } from './pack-format.ts'
import type { SealedRun } from './pack-runs.ts'

/** The sample of a pack: which runs, and why these. */
export interface SampleRun extends SealedRun {
  /** From 1; names its folder. */
  number: number
  stratum: string
}

/** Drawn from the runs that a seal ended within the period, in order of ledger and seq. */
export function drawRuns({ question, seed }: PackScope, sealed: readonly SealedRun[]): SampleRun[] {
  const strata = new Map<string, SealedRun[]>()
  for (const run of sealed) {
    const name = question.stratify.map((by) => run[by]).join(' | ')
    const stratum = strata.get(name)
    if (stratum === undefined) strata.set(name, [run])
    else stratum.push(run)
  }
  const drawn: Drawn<SealedRun>[] = drawSample(
    [...strata].map(([name, candidates]) => ({ name, candidates })),
    question.sample,
    decodeHex(seed.sha256),
  )
  return drawn
    .flatMap(({ stratum, picked }) => picked.map((run) => ({ stratum, run })))
    .map(({ stratum, run }, i) => ({ ...run, number: i + 1, stratum }))
}

export function printSamples(scope: PackScope, sealed: readonly SealedRun[], runs: readonly SampleRun[]): string {
  const document = {
    schema: 'proofline.samples.v1',
    seed: scope.seed,
    drawing:
      'strata in order of name; each gets one while there are enough, the rest in proportion by largest remainder; candidates are the sealed runs of the period in ' +
      'order of ledger and seq, numbered from 0; for counter 0, 1, ...: the first 8 bytes, big-endian, of SHA-256(seed || stratum || 0x00 || counter as 8 bytes), ' +
      'thrown away when not below the largest multiple of the number of candidates in 64 bits, else modulo that number; a candidate that is drawn already is passed over',
    candidates: sealed.length,
    runs: runs.map(({ number, stratum, ledger, seq, run }) => ({ number, stratum, ledger, seq, run })),
  }
  return `${JSON.stringify(document, undefined, 1)}\n`
}

export const sampleFolder = (number: number): string => `samples/${String(number).padStart(4, '0')}`
