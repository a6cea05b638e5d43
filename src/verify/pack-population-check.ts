import { decodeHash, encodeBase64 } from '../log/base64.ts'
import { hashLeaf, createEdge, perfectSubtrees } from '../log/merkle.ts'
import { openRecord, parseTime, printTime } from '../record/record.ts'
import { createAccount, rangesDigestOf, rangesOf, toRanges } from './pack-account.ts'
import { type PackLedger, type PackScope, packNames } from './pack-format.ts'
import { gapNodes, createRangeFold } from './pack-range.ts'
import { PackFault, type PackSource, readLines, readText } from './pack-source.ts'
import { type LedgerSums, sumLedger } from './pack-sums.ts'
import type { PackTables } from './pack-tables.ts'

export interface PopulationFinding {
  detail: string
  sums: LedgerSums
}

/**
 * The records of one ledger, each at its seq, with the hashes between them, fold into the root of the checkpoint; and where everything was
 * asked for, everything is there. In one pass, however many they are. Throws PackFault for the first that is wrong.
 */
export async function checkPopulation(
  source: PackSource,
  scope: PackScope,
  of: PackLedger,
  tables: PackTables,
): Promise<PopulationFinding> {
  const { ledger, start, end, size, root } = of
  const fold = createRangeFold(createEdge(start, await readEdge(source, of)))
  const gaps = readLines(source, packNames.log(ledger, 'gaps.ndjson'))
  const account = createAccount(start, end)
  const [from, to] = [parseTime(scope.question.from) ?? 0, parseTime(scope.question.to) ?? 0]
  let first: string | undefined
  let last: string | undefined
  let count = 0

  const passOver = async (next: number): Promise<void> => {
    if (fold.next() === next) return
    if (next < fold.next()) throw new PackFault(`record ${next} stands behind ${fold.next() - 1}`, next)
    const line = await gaps.next()
    const gap = line.done === true ? undefined : parseGap(line.value)
    if (gap === undefined || gap.from !== fold.next() || gap.to !== next)
      throw new PackFault(`incomplete range: records ${fold.next()} to ${next - 1} are neither shown nor stated as a gap`, fold.next()) // oxfmt-ignore
    fold.addGap(next, gap.hashes)
  }

  for await (const bytes of readLines(source, packNames.records(ledger))) {
    const { seq, id, recordedAt, fields, ledger: named } = openRecord(bytes)
    if (named !== ledger) throw new PackFault(`${id} is not a record of ${ledger}`, seq)
    if (seq < start || seq >= end) throw new PackFault(`${id} lies outside of records ${start} to ${end - 1}`, seq)
    if (recordedAt < from || recordedAt >= to) throw new PackFault(`${id} was recorded outside of the period`, seq)
    await passOver(seq)
    fold.addLeaf(hashLeaf(bytes))
    const record = { seq, id, kind: String(fields['kind']), recorded_at: printTime(recordedAt), fields }
    const isAll = scope.selection === 'all'
    account.shown(record, record.kind === 'part' ? await rangesOfPart(source, fields, isAll) : [])
    tables.add(ledger, record)
    first ??= record.recorded_at
    last = record.recorded_at
    count++
  }
  await passOver(size)
  if ((await gaps.next()).done !== true) throw new Error('gaps.ndjson goes on behind the end')
  const found = encodeBase64(fold.root())
  if (found !== root) {
    const where = `records ${start} to ${size - 1}, as they are shown and stated`
    throw new PackFault(`root-mismatch: ${where}, lead to another root: expected ${root}, found ${found}`, start)
  }
  const accounted = account.finish()
  const [missing] = accounted.rest
  if (scope.selection === 'all' && missing !== undefined)
    throw new PackFault(`incomplete range: records ${missing[0]} to ${missing[1]} are in the log, but not in the population`, missing[0]) // oxfmt-ignore
  const rest = accounted.restCount === 0 ? '' : `, ${accounted.restCount} not selected`
  const detail = `${count} of ${end - start} records shown, each at its place under the signed root${rest}`
  return { detail, sums: sumLedger(of, accounted, { first, last }) }
}

/** Of a list that its record could not hold: the file with its digest, where the pack has it. */
async function rangesOfPart(
  source: PackSource,
  fields: Readonly<Record<string, unknown>>,
  isAll: boolean,
): Promise<[number, number][]> {
  const sha256 = rangesDigestOf(fields)
  const name = sha256 === undefined ? undefined : packNames.list(sha256)
  if (!isAll || name === undefined || !source.names.includes(name)) return rangesOf(fields)
  const found = await source.digest(name)
  if (found.sha256 !== sha256) throw new Error(`blob-mismatch ${name}: its SHA-256 is ${found.sha256}`)
  const lines = (await readText(source, name)).split('\n').filter((line) => line !== '')
  return toRanges(lines.map((line): unknown => JSON.parse(line)))
}

async function readEdge(source: PackSource, { ledger, start }: PackLedger): Promise<Uint8Array[]> {
  const lines = (await readText(source, packNames.log(ledger, 'edge'))).split('\n').slice(0, -1)
  const hashes = lines.map((line) => decodeHash(line))
  if (hashes.length !== perfectSubtrees(0, start).length) throw new Error(`edge has ${hashes.length} hashes`)
  return hashes.map((hash) => {
    if (hash === undefined) throw new Error('edge holds hashes in base64')
    return hash
  })
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function parseGap(line: Uint8Array): { from: number; to: number; hashes: Uint8Array[] } {
  const value: unknown = JSON.parse(decoder.decode(line))
  const { from, to, hashes } = value as Partial<Record<string, unknown>> // each member is looked at below
  if (!isPosition(from) || !isPosition(to) || from >= to || !Array.isArray(hashes)) throw new Error('this is not a gap')
  const decoded = hashes.flatMap((text) => (typeof text === 'string' ? (decodeHash(text) ?? []) : []))
  if (decoded.length !== hashes.length || decoded.length !== gapNodes(from, to).length)
    throw new Error(`the gap ${from} to ${to} has other hashes than it needs`)
  return { from, to, hashes: decoded }
}

const isPosition = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
