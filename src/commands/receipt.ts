import type { Counts, LineCounts } from '../api/counts.ts'
import type { PartReceipt, SealReceipt } from '../api/runs.ts'
import { Problem } from '../record/problem.ts'
import { pairKinds } from '../record/run.ts'
import type { Client } from '../producer/client.ts'
import type { Uploaded } from '../producer/upload.ts'
import { oneLine, printTable } from './terminal.ts'
import { count } from './count.ts'

/** What a push leaves in the hands of who pushed: a text to read, and a document that is verified without any service. */

export interface ReceiptDocument {
  schema: 'proofline.receipts.v1'
  run: string
  ledger: string
  repeated: boolean
  declaration: Uploaded['declaration'] | null
  inventory: Uploaded['inventory'] | null
  line_maps: Uploaded['lineMaps']
  parts: PartReceipt[]
  seal: SealReceipt | null
  /** The run has not ended: it waits for other pushes. */
  waiting: Uploaded['waiting'] | null
  /** The `part` and `seal` records with their tlog-proofs; empty when this token may not read them. */
  evidence: Evidence[]
}

export interface Evidence {
  id: string
  /** The record bytes, which are UTF-8, as text. */
  record: string
  proof: string
}

/** Fetches records and proofs of what was recorded. A token that may push only gets none, and `missing` says so. */
export async function collectEvidence(
  uploaded: Uploaded,
  client: Client,
  signal: AbortSignal,
): Promise<{ document: ReceiptDocument; missing: string | undefined }> {
  const ids = [
    ...uploaded.parts.map((part) => part.part_record.id),
    ...(uploaded.seal === undefined ? [] : [uploaded.seal.id]),
  ]
  let missing: string | undefined
  const evidence = await Promise.all(ids.map((id) => fetchEvidence(id, client, signal))).catch((error: unknown) => {
    if (!(error instanceof Problem)) throw error
    missing = error.message
    return []
  })
  const { run, declaration, inventory, lineMaps, parts, seal, waiting, repeated } = uploaded
  const document: ReceiptDocument = {
    schema: 'proofline.receipts.v1',
    run,
    ledger: declaration.ledger,
    repeated,
    declaration,
    inventory: inventory ?? null,
    line_maps: lineMaps,
    parts,
    seal: seal ?? null,
    waiting: waiting ?? null,
    evidence,
  }
  return { document, missing }
}

async function fetchEvidence(id: string, client: Client, signal: AbortSignal): Promise<Evidence> {
  const path = `/v1/records/${encodeURIComponent(id)}`
  const [record, proof] = await Promise.all([
    client.send({ method: 'GET', path, signal }),
    client.send({ method: 'GET', path: `${path}/proof`, signal }),
  ])
  return { id, record: record.bytes.toString('utf8').replace(/\n$/, ''), proof: proof.bytes.toString('utf8') }
}

/** The receipt for people. The same run and bytes give the same text, but for its first line. */
export function printReceipt({ run, repeated, declaration, inventory, parts, seal, waiting }: Uploaded): string {
  const sent =
    inventory === undefined
      ? ''
      : `, with the ${count(inventory.files, 'file')} of commit ${inventory.commit.slice(0, 12)}`
  const heading = `${repeated ? 'already recorded' : 'recorded'}: ${run} in ${declaration.ledger}${sent}`
  const rows: string[][] = []
  for (const part of parts) rows.push(...partRows(part))
  if (seal !== undefined) rows.push(...sealRows(seal))
  if (waiting !== undefined) rows.push(['waiting', printWaiting(waiting)])
  const checkpoint = seal?.checkpoint ?? parts.at(-1)?.checkpoint
  if (checkpoint !== undefined) rows.push(['checkpoint', checkpoint.split('\n').slice(0, 3).join(' ')])
  return `${oneLine(heading)}\n${printTable(rows.map((row) => row.map(printCell)))}`
}

/** Without what would move the cursor, and with the indentation that it has. */
const printCell = (cell: string): string => (cell.startsWith('  ') ? `  ${oneLine(cell)}` : oneLine(cell))

/** One line a comparison. Told beside the receipt, which the same push again prints the same, when nothing is missing any more. */
export function printLineMaps(sent: Uploaded['lineMaps'][number]): string {
  const [from, to] = [sent.from.slice(0, 12), sent.to.slice(0, 12)]
  if ('failed' in sent)
    return oneLine(`line maps: none from ${from} to ${to}: ${sent.failed}; the run is recorded all the same`)
  const { mapped, renamed, unmapped, refused } = sent
  const more = [
    ...(renamed > 0 ? [`${renamed} renamed`] : []),
    ...printSome(
      'without a map',
      unmapped.count,
      unmapped.first.map(({ path, reason }) => `${path} (${reason})`),
    ),
    ...printSome(
      'refused',
      refused.count,
      refused.first.map(({ where, reason }) => `${where} (${reason})`),
    ),
  ]
  return oneLine(`line maps: ${count(mapped, 'file')} from ${from} to ${to}${more.map((text) => `, ${text}`).join('')}`)
}

function printSome(what: string, count: number, first: readonly string[]): string[] {
  if (count === 0) return []
  const shown = first.slice(0, 3).join(', ')
  return [`${count} ${what}: ${shown}${count > 3 ? ', ...' : ''}`]
}

function partRows(part: PartReceipt): string[][] {
  const { records, totals, refused, unresolved } = part
  const tool =
    part.tool === null ? '' : `, ${part.tool.name}${part.tool.version === undefined ? '' : ` ${part.tool.version}`}`
  const rows = [
    ['part', `${part.part}: ${part.format} (${part.definition}${tool}), ${count(part.files, 'file')}`],
    ['  sha256', part.artifact_sha256],
    [
      '  seq',
      `${records === null ? 'no coverage records' : `${part.ranges.map(([first, last]) => `${first}-${last}`).join(', ')} (${count(records.count, 'record')})`}, part record ${part.part_record.seq}`,
    ],
    ['  recorded_at', part.recorded_at],
    ['  recomputed', printCounts(totals.recomputed)],
    ['  declared', printDeclared(totals)],
  ]
  if (part.incomplete !== null) rows.push(['  incomplete', part.incomplete])
  if (refused.count > 0)
    rows.push([
      '  refused',
      `${refused.count}: ${refused.first.map(({ where, reason }) => `${where} (${reason})`).join('; ')}`,
    ])
  if (unresolved.count > 0) rows.push(['  unresolved', `${unresolved.count}: ${unresolved.first.join(', ')}`])
  return rows
}

function sealRows(seal: SealReceipt): string[][] {
  const { tests } = seal
  const counted =
    tests === null
      ? 'test totals unknown'
      : `${count(tests.total, 'test')}: ${tests.passed} passed, ${tests.failed} failed, ${tests.skipped} skipped`
  return [
    ['seal', `seq ${seal.seq}, ${seal.outcome}, ${counted}`],
    ['  recorded_at', seal.recorded_at],
    ...chosenRows(seal),
    ['  admitted', seal.admitted ? 'yes' : `no: ${seal.reasons.join(', ')}`],
    ...judgementRows(seal),
    ['  root', seal.root],
  ]
}

function printWaiting({ expected, arrived, shards }: NonNullable<Uploaded['waiting']>): string {
  return `${arrived} of ${expected} shards are there${shards.length === 0 ? '' : `: ${printList(shards)}`}`
}

/** Which parts count, where that is not simply all of the run. */
function chosenRows({ parts, shards, earlier = [], left_out = [] }: SealReceipt): string[][] {
  const rows: string[][] = shards === undefined ? [] : [['  shards', `${shards}, of ${count(parts, 'part')}`]]
  if (earlier.length > 0) rows.push(['  earlier', printList(earlier.map(({ run, part }) => `${part} of ${run}`))])
  if (left_out.length > 0) rows.push(['  left out', printList(left_out)])
  return rows
}

/** The same as lines of text. */
export function sealNotes(seal: SealReceipt): string {
  return chosenRows(seal)
    .filter(([name]) => name !== '  shards')
    .map(([name = '', text = '']) => `${oneLine(name)}: ${oneLine(text)}\n`)
    .join('')
}

export function printList(names: readonly string[]): string {
  return names.length <= 12 ? names.join(', ') : `${names.slice(0, 12).join(', ')} and ${names.length - 12} more`
}

/** What the contract has to say, and what changed since the last run that counts. */
function judgementRows(seal: SealReceipt): string[][] {
  const { contract, contract_version, contract_default, observed = [], unexplained_change } = seal
  const rows: string[][] = []
  const whose = contract === contract_default ? ' (the default of the org)' : ''
  if (contract !== undefined) rows.push(['  contract', `version ${contract_version ?? '?'}, ${contract}${whose}`])
  if (observed.length > 0) rows.push(['  observed', `${observed.join(', ')} (the contract does not enforce yet)`])
  for (const { what, measure, from, to } of unexplained_change?.changes ?? [])
    rows.push([
      '  changed',
      `${what}${measure === undefined ? '' : ` (${measure})`}: ${from ?? 'none'} -> ${to ?? 'none'}`,
    ])
  return rows
}

function printCounts(counts: Counts): string {
  if ('mutants' in counts) return printMutants(counts)
  const { lines, ...pairs } = counts
  const { found, covered, partial = 0, missed = found - covered - partial } = lines
  const split = partial === 0 ? '' : ` (${covered} covered, ${partial} partial)`
  return [
    `${count(found, 'line')}: ${covered + partial} executed${split}, ${missed} missed`,
    ...printPairs(pairs),
  ].join('; ')
}

function printMutants({ mutants, mutated_lines }: Extract<Counts, { mutants: object }>): string {
  const { found, detected, undetected, ...statuses } = mutants
  const by = Object.entries(statuses).map(([status, count]) => `${count} ${status}`)
  return `${count(found, 'mutant')} on ${count(mutated_lines.found, 'line')}: ${detected} detected, ${undetected} undetected (${by.join(', ')})`
}

/** What the report says of itself stands beside what its lines add up to; where they disagree both are on record. */
function printDeclared({ declared, recomputed }: PartReceipt['totals']): string {
  if (declared === null) return 'nothing'
  const { lines, excluded, ...pairs } = declared
  const differs = lines !== undefined && 'lines' in recomputed && isDifferent(lines, recomputed)
  const left = excluded === undefined ? undefined : `${count(excluded, 'line')} excluded by configuration`
  const said = [lines && `${count(lines.found, 'line')}: ${lines.executed} executed`, ...printPairs(pairs), left]
    .filter(Boolean)
    .join('; ')
  return `${said || 'nothing'}${differs ? ' (differs)' : ''}`
}

function isDifferent(said: { found: number; executed: number }, { lines }: LineCounts): boolean {
  return said.found !== lines.found || said.executed !== lines.covered + (lines.partial ?? 0)
}

function printPairs(counts: Pick<LineCounts, (typeof pairKinds)[number]>): string[] {
  return pairKinds.flatMap((kind) => {
    const pair = counts[kind]
    return pair === undefined ? [] : [`${pair.covered}/${pair.found} ${kind}`]
  })
}
