import { encodeBase64 } from '../log/base64.ts'
import { type LedgerName, type RecordKind, ledgerKindOf } from '../record/record.ts'
import { createAccount, rangesDigestOf, rangesOf, toRanges } from '../verify/pack-account.ts'
import { type PackLedger, type PackScope, packNames } from '../verify/pack-format.ts'
import { gapNodes } from '../verify/pack-range.ts'
import { type LedgerSums, sumLedger } from '../verify/pack-sums.ts'
import type { PackTables } from '../verify/pack-tables.ts'
import { isOfRuns } from './question.ts'
import { type PackSources, type ReadRecord, everyKind, openStored } from './sources.ts'
import type { Zip } from './zip.ts'

/**
 * The records of one ledger that the question selects, in order of seq, and hashes for what lies between them: together they fold into
 * the root of the checkpoint. Everything that is not coverage is shown as it is; coverage records are named by their `part` records, and
 * those that no part of the period names are shown too. One pass, and little memory: the ranges of the parts, and the tables.
 */
export async function addPopulation(
  zip: Zip,
  scope: PackScope,
  of: PackLedger,
  sources: PackSources,
  tables: PackTables,
): Promise<LedgerSums> {
  const { ledger, start, end, size } = of
  const parts = scope.selection === 'all' && isOfRuns(ledger) ? await readParts(zip, of, sources) : undefined
  const account = createAccount(start, end)
  /** In order. They are looked up while the records between them go on their way, so many at a time. */
  const gaps: Promise<string>[] = []
  let next = start
  let first: string | undefined
  let last: string | undefined

  const readGap = async (from: number, to: number): Promise<string> => {
    const hashes = await sources.nodes(ledger, gapNodes(from, to))
    return `${JSON.stringify({ from, to, hashes: hashes.map(encodeBase64) })}\n`
  }
  const passOver = async (to: number): Promise<void> => {
    if (to <= next) return
    const gap = readGap(next, to)
    gap.catch(() => undefined) // awaited below; until then a failure is not unhandled
    gaps.push(gap)
    await gaps.at(-gapsAtOnce)
  }

  async function* lines(): AsyncGenerator<Uint8Array> {
    for await (const record of shownRecords(of, scope, sources, parts)) {
      await passOver(record.seq)
      next = record.seq + 1
      account.shown(record, parts?.ranges.get(record.seq) ?? rangesOf(record.fields))
      tables.add(ledger, record)
      first ??= record.recorded_at
      last = record.recorded_at
      yield record.bytes
      yield newline
    }
    await passOver(size)
  }
  await zip.add(packNames.records(ledger), lines())
  await zip.add(packNames.log(ledger, 'gaps.ndjson'), (await Promise.all(gaps)).join(''))
  return sumLedger(of, account.finish(), { first, last })
}

const newline = Uint8Array.of(10)
const gapsAtOnce = 8
const notCoverage = new Set<RecordKind>([...everyKind].filter((kind) => kind !== 'coverage'))

interface Parts {
  /** By seq of the part record, as far as they are known. */
  ranges: Map<number, [number, number][]>
  /** What no part names: closed ranges of coverage records. */
  loose: [number, number][]
}

/** Ranges of all parts of the period. A list that did not fit its record comes from the artifact store, and into the pack. */
async function readParts(zip: Zip, { ledger, start, end }: PackLedger, sources: PackSources): Promise<Parts> {
  const ranges = new Map<number, [number, number][]>()
  const account = createAccount(start, end)
  for await (const stored of sources.records(ledger, start, end, notCoverage)) {
    const record = openStored(stored)
    const found = await rangesOfPart(zip, record, sources)
    if (found !== undefined) ranges.set(record.seq, found)
    account.shown(record, found)
  }
  return { ranges, loose: account.finish().rest }
}

async function rangesOfPart(
  zip: Zip,
  { kind, fields }: ReadRecord,
  sources: PackSources,
): Promise<[number, number][] | undefined> {
  if (kind !== 'part') return undefined
  const sha256 = rangesDigestOf(fields)
  const list = sha256 === undefined ? undefined : await sources.openArtifact(sha256)
  if (sha256 === undefined || list === undefined) return rangesOf(fields)
  const chunks: Buffer[] = []
  for await (const chunk of list) chunks.push(chunk as Buffer)
  const name = packNames.list(sha256)
  if (!zip.files().some((file) => file.name === name)) await zip.add(name, Buffer.concat(chunks))
  return parseList(Buffer.concat(chunks).toString())
}

/** JSON lines, one range each. */
export const parseList = (text: string): [number, number][] =>
  toRanges(text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as unknown])))

/** What can be selected at all: the rest is not even read. */
function kindsOf({ question }: PackScope, ledger: LedgerName): ReadonlySet<RecordKind> {
  if (question.path === undefined) return notCoverage
  return new Set<RecordKind>(ledgerKindOf(ledger) === 'operations' ? ['key'] : [])
}

async function* shownRecords(
  { ledger, start, end }: PackLedger,
  scope: PackScope,
  sources: PackSources,
  parts: Parts | undefined,
): AsyncGenerator<ReadRecord> {
  const loose = [...(parts?.loose ?? [])]
  for await (const stored of sources.records(ledger, start, end, kindsOf(scope, ledger))) {
    for (let range = loose[0]; range !== undefined && range[0] < stored.seq; range = loose[0]) {
      loose.shift()
      yield* readSpan(ledger, range[0], range[1] + 1, sources)
    }
    const record = openStored(stored)
    if (isSelected(record, scope) && !isNamed(record, start)) yield record
  }
  for (const [a, b] of loose) yield* readSpan(ledger, a, b + 1, sources)
}

async function* readSpan(
  ledger: LedgerName,
  from: number,
  to: number,
  sources: PackSources,
): AsyncGenerator<ReadRecord> {
  for await (const stored of sources.records(ledger, from, to, everyKind)) yield openStored(stored)
}

/** A later window of an inventory whose first one lies within the period. */
function isNamed({ kind, seq, fields }: ReadRecord, start: number): boolean {
  const window = fields['window'] as { index?: number } | undefined
  const index = kind === 'inventory' ? (window?.index ?? 0) : 0
  return index > 0 && seq - index >= start
}

/** What the question selects. Records that name no repository are about the system itself and belong to every selection. */
export function isSelected(
  { kind, fields }: Pick<ReadRecord, 'kind' | 'fields'>,
  { question, asked_by }: PackScope,
): boolean {
  const { repository, commit, build, path } = question
  if (asked_by.bound === true && fields['repository'] === undefined) return kind === 'key'
  if (path !== undefined) return kind === 'key' // what is asked for stands in lines/
  if (repository !== undefined && fields['repository'] !== repository && fields['repository'] !== '*')
    return fields['repository'] === undefined && commit === undefined && build === undefined
  if (kind === 'disposition') return true // a note names a run, a gate, a deployment, and no commit
  if (commit !== undefined && fields['commit'] !== commit) return false
  return build === undefined || fields['build'] === build
}
