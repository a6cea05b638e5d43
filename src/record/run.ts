import type { Weakness } from './identity.ts'
import type { MutatedLines, Mutants } from './mutants.ts'
import { sha256Hex } from './sha256.ts'
import { type LedgerName, type RecordKind, type TestType, maxPayloadBytes } from './record.ts'
import { cutList } from './list-windows.ts'

/** Payloads of what makes up a run, in the key order of their schemas. Absent is left out; `null` says that something is known to be missing. */

export interface Lines {
  found: number
  covered: number
  partial: number
  missed: number
}

export interface Pair {
  found: number
  covered: number
}

/** What some formats count beside lines, branches and functions, in the order in which records name them. */
export const unitKinds = ['statements', 'regions', 'mcdc', 'calls'] as const
export type UnitKind = (typeof unitKinds)[number]
export const pairKinds = ['branches', 'functions', ...unitKinds] as const

/** Sums over the files of a part, or over the parts of a run with one measure. */
export type Totals = LineTotals | MutationTotals

/** What no file has is absent: then the report does not tell. */
export interface LineTotals extends Partial<Record<(typeof pairKinds)[number], Pair | undefined>> {
  files: number
  lines: Lines
}

export interface MutationTotals {
  files: number
  mutated_lines: MutatedLines
  mutants: Mutants
}

/** Who pushes, as it was verified: no names, no e-mail addresses. */
export interface By {
  method: string
  issuer?: string | undefined
  subject: string
  actor_id?: string | undefined
  /** What is weak about that beside what the method lacks by itself (record/identity.ts). */
  weak?: Weakness[] | undefined
  /** The one job, as its issuer calls it; in `part` records, since one run may have several. */
  job?: string | undefined
}

/** A list that may not fit: its digest (the whole list lies in the artifact store as JSON lines), how many, and the first of them. */
export interface Digested {
  count: number
  sha256?: string | undefined
  first: unknown[]
}

/** What every record of a run repeats, so that a SIEM can search without joining. */
export interface RunIdentity {
  ledger: LedgerName
  run: string
  repository: string
  commit: string
  ref?: string | undefined
  build?: string | undefined
  build_seq?: number | undefined
  suite: string
  test_type: TestType
}

const encoder = new TextEncoder()

/** Payload bytes of any kind: schema and kind first, then `fields` in their order. Throws when a record could not hold them. */
export function printPayload(kind: RecordKind, ledger: LedgerName, fields: object): Uint8Array {
  const bytes = encoder.encode(JSON.stringify({ schema: `proofline.${kind}.v1`, kind, ledger, ...fields }))
  if (bytes.length > maxPayloadBytes) throw new Error(`a ${kind} payload of ${bytes.length} bytes`)
  return bytes
}

/** Keeps of a list what fits into `maxBytes` of JSON; the digest names the whole when something had to be left out. */
export function digestList(entries: readonly unknown[], maxBytes: number, count: number = entries.length): Digested {
  const first: unknown[] = []
  let bytes = 0
  for (const entry of entries) {
    bytes += encoder.encode(JSON.stringify(entry)).length + 1
    if (bytes > maxBytes) break
    first.push(entry)
  }
  return first.length === count ? { count, first } : { count, sha256: sha256Hex(printList(entries)), first }
}

/** The bytes that a `Digested` names. */
export function printList(entries: readonly unknown[]): Uint8Array {
  return encoder.encode(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
}

/** The constant fields of a run in record order. */
export function identityFields(id: RunIdentity): Record<string, unknown> {
  const { repository, commit, ref, build, build_seq, suite, test_type } = id
  return { repository, commit, ref, build, build_seq, suite, test_type }
}

export interface InventoryFile {
  path: string
  blob: string
}

/** An inventory as consecutive windows: `files` pairs of path and blob in path order, `total` the size of the whole in each. */
export function inventoryPayloads(
  ledger: LedgerName,
  repository: string,
  commit: string,
  files: readonly InventoryFile[],
): Uint8Array[] {
  const head = { repository, commit, total: files.length }
  const room =
    maxPayloadBytes -
    encoder.encode(JSON.stringify({ schema: 'proofline.inventory.v1', kind: 'inventory', ledger, ...head })).length -
    80
  const pairs = files.map(({ path, blob }): [string, string] => [path, blob])
  const windows = cutList(pairs, (pair) => encoder.encode(JSON.stringify(pair)).length + 1, room)
  return windows.map((entries, index) =>
    printPayload('inventory', ledger, { ...head, window: { index, of: windows.length }, files: entries }),
  )
}
