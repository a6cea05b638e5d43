import type { Queryable } from '../database/database.ts'
import { isSameDigest } from '../ledger/decide.ts'
import type { LedgerReader } from '../ledger/read.ts'
import { hasPartsUpTo } from '../ledger/part-count.ts'
import { type SubmissionRow, findSubmissions } from '../ledger/store.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, type TestType, toLedgerName } from '../record/record.ts'
import { readInventoryPayloads } from './inventories.ts'
import type { RunFields } from './submissions.ts'
import { type PartSummary, keys } from './run.ts'
import type { RecordedPart } from './shards.ts'

/** What admission reads back: declared runs and inventories. Both are immutable, so what was read once is kept. */
export interface RunsStore {
  /** The declared run; throws Problem('run_unknown') when there is none. */
  getRun(ledger: LedgerName, run: string): Promise<RunFields>
  /**
   * Payload bytes of the inventory records that this part is read with; undefined for none. A part that was begun before the inventory
   * came is gone on with as it was begun: without.
   */
  findInventory(run: RunFields, part: string): Promise<Uint8Array[] | undefined>
  hasInventory(ledger: LedgerName, repository: string, commit: string): Promise<boolean>
  /** The record that ended the run, where one did, and its parts, in order of their names. */
  stateOf(ledger: LedgerName, run: string): Promise<{ end: RunEnd | undefined; parts: RecordedPart[] }>
  /** Payload bytes of the inventory records of a commit; undefined for none. */
  inventoryOf(ledger: LedgerName, repository: string, commit: string): Promise<Uint8Array[] | undefined>
  /** Whether a part of this name was recorded, with whatever content. */
  hasPart(ledger: LedgerName, run: string, part: string): Promise<boolean>
  /** Whether the run has at least so many parts. */
  hasParts(ledger: LedgerName, run: string, atLeast: number): Promise<boolean>
  /** Whether this part was recorded with exactly this digest. */
  isRecorded(ledger: LedgerName, run: string, part: string, digest: Buffer): Promise<boolean>
}

/** A seal, or an abandonment. */
export interface RunEnd {
  seq: number
  fields: Record<string, unknown>
}

const maxRuns = 1_000
const maxInventories = 4
/** Of the inventories that are kept; one of 200,000 files with long paths has 200 MiB. The newest is kept whatever it takes. */
const usualInventoryBytes = 128 * 1_048_576

export function createRunsStore(
  db: Queryable,
  reader: LedgerReader,
  maxInventoryBytes = usualInventoryBytes,
): RunsStore {
  const runs = new Map<string, RunFields>()
  const inventories = new Map<string, Uint8Array[]>()

  const fieldsAt = async (ledger: LedgerName, seq: number): Promise<Record<string, unknown>> =>
    JSON.parse((await reader.payload(ledger, seq)).toString()) as Record<string, unknown> // our own record

  const readInventory = async (ledger: LedgerName, found: SubmissionRow): Promise<Uint8Array[]> => {
    const name = `${ledger} ${found.key}`
    const known = inventories.get(name)
    if (known !== undefined) return known
    const payloads: Uint8Array[] = []
    for await (const some of readInventoryPayloads(reader, { ledger, ...found }))
      for (const payload of some) payloads.push(Uint8Array.from(payload))
    remember(inventories, name, payloads, maxInventories)
    let bytes = 0
    for (const [other, own] of [...inventories].toReversed()) {
      bytes += own.reduce((sum, payload) => sum + payload.length, 0)
      if (other !== name && bytes > maxInventoryBytes) inventories.delete(other)
    }
    return payloads
  }

  const findOne = async (ledger: LedgerName, key: string) => (await findSubmissions(db, ledger, [key], []))[0]

  return {
    async getRun(ledger, run) {
      const known = runs.get(run)
      if (known?.ledger === ledger) return known
      const found = await findOne(ledger, keys.run(run))
      if (found === undefined) throw new Problem('run_unknown', `declare ${run} first`)
      const fields = toRunFields(ledger, run, JSON.parse((await reader.payload(ledger, found.firstSeq)).toString()))
      remember(runs, run, fields, maxRuns)
      return fields
    },
    async findInventory({ ledger, run, repository, commit }, part) {
      const key = keys.inventory(repository, commit)
      const rows = await findSubmissions(db, ledger, [key, keys.slice(run, part, 0)], [])
      const found = rows.find((row) => row.key === key)
      const begun = rows.find((row) => row.key !== key)
      if (found === undefined || (begun !== undefined && begun.firstSeq < found.firstSeq)) return undefined
      return readInventory(ledger, found)
    },
    async inventoryOf(ledger, repository, commit) {
      const found = await findOne(ledger, keys.inventory(repository, commit))
      return found === undefined ? undefined : readInventory(ledger, found)
    },
    hasInventory: async (ledger, repository, commit) =>
      (await findOne(ledger, keys.inventory(repository, commit))) !== undefined,
    hasPart: async (ledger, run, part) => (await findOne(ledger, keys.part(run, part))) !== undefined,
    hasParts: (ledger, run, atLeast) => hasPartsUpTo(db, ledger, run, atLeast),
    async stateOf(ledger, run) {
      const endKey = keys.end(run)
      const rows = await findSubmissions(db, ledger, [endKey], [run])
      const parts: RecordedPart[] = []
      let end: RunEnd | undefined
      const prefix = keys.part(run, '')
      for (const { key, firstSeq: seq } of rows.toSorted((a, b) => (a.key < b.key ? -1 : 1))) {
        if (key === endKey) end = { seq, fields: await fieldsAt(ledger, seq) }
        if (!key.startsWith(prefix)) continue
        const summary = (await fieldsAt(ledger, seq)) as unknown as PartSummary // written by partSubmission
        parts.push({ run, part: key.slice(prefix.length), seq, summary })
      }
      return { end, parts }
    },
    async isRecorded(ledger, run, part, digest) {
      const found = await findOne(ledger, keys.part(run, part))
      return found !== undefined && isSameDigest(found.digest, digest)
    },
  }
}

function remember<V>(map: Map<string, V>, key: string, value: V, max: number): void {
  if (map.size >= max) map.delete(map.keys().next().value ?? key)
  map.set(key, value)
}

/** The run record that `declare` wrote, read back. */
function toRunFields(ledger: LedgerName, run: string, fields: Record<string, unknown>): RunFields {
  const text = (name: string): string | undefined => (typeof fields[name] === 'string' ? fields[name] : undefined)
  const need = (name: string): string => {
    const value = text(name)
    if (value === undefined) throw new Problem('integrity', `the record of ${run} has no ${name}`)
    return value
  }
  const buildSeq = fields['build_seq']
  return {
    ledger: toLedgerName(ledger),
    run,
    repository: need('repository'),
    repository_id: text('repository_id'),
    commit: need('commit'),
    ref: text('ref'),
    build: text('build'),
    build_seq: typeof buildSeq === 'number' ? buildSeq : undefined,
    suite: need('suite'),
    test_type: need('test_type') as TestType, // written from the declaration, which zod checked
    url: text('url'),
    configuration_digest: text('configuration_digest'),
    stage: text('stage'),
    occurred_at: text('occurred_at'),
    backfilled: fields['backfilled'] === true,
    late: fields['late'] === true,
    by: fields['by'] as RunFields['by'], // written by declare in this form
  }
}
