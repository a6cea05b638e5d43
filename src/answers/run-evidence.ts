import { type ParsedCoverage, cutCoverage, parseCoverage } from '../history/coverage-text.ts'
import { fieldsAt, readSpan } from '../history/read-records.ts'
import { type RunReadDeps, readParts } from '../history/read-run.ts'
import type { LineStates } from '../history/states.ts'
import { type LedgerName, type TestType, ledgerKindOf } from '../record/record.ts'
import { createKept } from './kept.ts'
import { uniteStates } from './union.ts'

/**
 * What a sealed run says of every file, read off its records and checked against the log. A sealed run never changes, so what was read is kept;
 * and since nearly every file of a run says what the same file of another one says, equal records share what was read of them.
 */

export interface RunEvidence {
  ledger: LedgerName
  testType: TestType
  run: string
  suite: string
  commit: string
  /** Of the seal. */
  seq: number
  /** The members of the seal. */
  seal: Readonly<Record<string, unknown>>
  totals: readonly SealTotals[]
  /** By lines; one for each path and definition. */
  files: readonly FileEvidence[]
}

export interface FileEvidence {
  path: string
  definition: string
  blob: string | undefined
  states: LineStates
}

/** As a seal has them: sums of the run's parts by measure, before paths are told apart. */
export interface SealTotals {
  metric: string
  definition: string
  tool?: { name: string; version?: string | undefined } | undefined
  parts: number
  files: number
  lines?: { found: number; covered: number; partial: number; missed: number }
  mutants?: Readonly<Record<string, number>>
}

export interface RunEvidences {
  /** `seq` is that of the seal. Throws Problem('expired') when its records are gone. */
  of(ledger: LedgerName, seq: number): Promise<RunEvidence>
}

/** Of texts that were read, about: some 40 runs of 2,000 files that all differ, or thousands that mostly do not. */
const usualBytes = 96 * 1_048_576
/** A reference to what is shared, and its place in a list. */
const fileBytes = 64

export function createRunEvidences(deps: RunReadDeps, maxBytes = usualBytes): RunEvidences {
  const kept = createKept<RunEvidence>(maxBytes / 2)
  const texts = createTexts(maxBytes / 2)

  return {
    of(ledger, seq) {
      // A run keeps what it was the first to read, whatever the texts forget.
      const cost = { bytes: 0 }
      return kept(
        `${ledger} ${seq}`,
        () => readEvidence(deps, (record) => texts(record, cost), ledger, seq),
        ({ files }) => files.length * fileBytes + cost.bytes,
      )
    },
  }
}

type Parse = (bytes: Buffer) => FileText

interface FileText extends ParsedCoverage {
  path: string
}

/** What equal records say is read once. */
function createTexts(most: number): (bytes: Buffer, cost: { bytes: number }) => FileText {
  const kept = new Map<string, FileText>()
  let length = 0
  return (bytes, cost) => {
    const cut = cutCoverage(bytes)
    const known = kept.get(cut.text)
    if (known !== undefined) return known
    const path = JSON.parse(Buffer.from(cut.path, 'latin1').toString()) as string // a string of JSON
    const parsed = { path, ...parseCoverage(cut) }
    kept.set(cut.text, parsed)
    length += costOf(cut.text)
    cost.bytes += costOf(cut.text)
    for (const text of kept.keys()) {
      if (length <= most) break
      kept.delete(text)
      length -= costOf(text)
    }
    return parsed
  }
}

/** The text, and about as much again for what it was read into. */
const costOf = (text: string): number => 3 * text.length + 400

/** Records are copied to the same place one after the other: only what they say is kept. */
const record = Buffer.alloc(8_192)

async function readEvidence(deps: RunReadDeps, parse: Parse, ledger: LedgerName, seq: number): Promise<RunEvidence> {
  const { reader, readList } = deps
  const seal = await fieldsAt(reader, ledger, seq)
  const run = String(seal['run'])
  const { parts, unreadable } = await readParts(deps, ledger, run, seal)
  if (unreadable) throw new Error(`${ledger}: a list that the seal at ${seq} names is not kept`)
  const byFile = new Map<string, FileText[]>()
  for (const { metric, ranges } of parts) {
    if (metric !== 'line') continue // mutants say nothing about what was executed
    for (const [first, last] of ranges)
      for await (const stored of readSpan(reader, ledger, first, last)) {
        const file = parse(record.subarray(0, stored.copyTo(record, 0)))
        const key = `${file.definition}\n${file.path}`
        const before = byFile.get(key)
        if (before === undefined) byFile.set(key, [file])
        else before.push(file)
      }
  }
  const shown = (seal['totals'] ?? []) as SealTotals[] // written by sealSubmission
  const digest = seal['totals_digest'] as { sha256: string } | undefined
  return {
    ledger,
    testType: ledgerKindOf(ledger) as TestType, // ledgers of runs are named by their test types
    run,
    suite: String(seal['suite']),
    commit: String(seal['commit']),
    seq,
    seal,
    totals: digest === undefined ? shown : (((await readList(digest.sha256)) ?? shown) as SealTotals[]),
    files: [...byFile.values()].map(joinRecords),
  }
}

/** Windows of one file, or shards that measure the same one. */
function joinRecords(records: readonly FileText[]): FileEvidence {
  const [first] = records
  if (first === undefined) throw new Error('a file without records')
  if (records.length === 1) return first
  const blob = records.find((one) => one.blob !== undefined)?.blob
  return { path: first.path, definition: first.definition, blob, states: uniteStates(records.map(({ states }) => states)) } // oxfmt-ignore
}
