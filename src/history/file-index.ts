import { hash } from 'node:crypto'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Database, Queryable } from '../database/database.ts'
import { readAll, readKinds } from '../ledger/read-kinds.ts'
import type { LedgerReader, StoredRecord } from '../ledger/read.ts'
import { findSubmissions } from '../ledger/store.ts'
import { appendRange, parseLines, printLines } from '../record/lines.ts'
import type { LedgerName, RecordKind } from '../record/record.ts'
import { type FileState, changedOrdinals, fileState } from './file-state.ts'
import * as store from './file-store.ts'

/**
 * Follows a ledger of runs and notes which files each part measured and which of them changed since the part before. Insert-only; the
 * position moves in the transaction of the work, so a crash repeats nothing and leaves nothing out. Emptying the tables and the position
 * fills it anew to the same content.
 */
export interface FileIndex {
  /** One step; answers the next seq to look at, which is `until` when all is done. */
  step(ledger: LedgerName, until: number): Promise<number>
}

const kinds = new Set<RecordKind>(['part', 'seal', 'abandonment', 'linemap'])
const partsAtOnce = 50
/** States of the newest part of so many chains are kept; others are read again. */
const maxChains = 32

interface Known {
  seq: number
  states: Map<string, string>
}

export function createFileIndex(db: Database, reader: LedgerReader): FileIndex {
  const chains = new Map<string, Known>()

  const readStates = async (ledger: LedgerName, ranges: readonly number[]): Promise<FileState[]> => {
    const states: FileState[] = []
    for (let i = 0; i < ranges.length; i += 2)
      for await (const { bytes } of readAll(reader, ledger, ranges[i] ?? 0, (ranges[i + 1] ?? 0) + 1)) {
        const state = fileState(bytes)
        if (state !== undefined) states.push(state)
      }
    return states
  }

  const before = async (tx: Queryable, ledger: LedgerName, chain: Buffer, seq: number): Promise<Known | undefined> => {
    const key = `${ledger} ${chain.toString('hex')}`
    const known = chains.get(key)
    if (known !== undefined && known.seq < seq) return known
    const row = await store.lastOfChain(tx, ledger, chain, seq)
    if (row === undefined) return undefined
    return { seq: row.seq, states: toMap(await readStates(ledger, parseLines(row.ranges))) }
  }

  const keep = (ledger: LedgerName, chain: Buffer, known: Known): void => {
    const key = `${ledger} ${chain.toString('hex')}`
    chains.delete(key)
    chains.set(key, known)
    for (const oldest of chains.keys()) {
      if (chains.size <= maxChains) break
      chains.delete(oldest)
    }
  }

  const addPart = async (tx: Queryable, ledger: LedgerName, seq: number, fields: Fields): Promise<void> => {
    const { run, repository, suite, part } = fields
    const ranges = await rangesOf(tx, ledger, fields)
    const states = await readStates(ledger, ranges)
    const chain = shortHash(JSON.stringify([repository, suite, part]))
    const names = states.map(({ name }) => name).join('\n')
    const layout = shortHash(names)
    const last = await before(tx, ledger, chain, seq)
    await store.insertLayout(tx, ledger, layout, zstdCompressSync(names))
    const changed = changedOrdinals(last?.states ?? new Map(), states)
    const row = { seq, repository: String(repository), run: String(run), chain, base: last?.seq ?? null, layout, changed, ranges: printLines(ranges) } // oxfmt-ignore
    await store.insertPart(tx, ledger, row)
    keep(ledger, chain, { seq, states: toMap(states) })
  }

  const add = async (tx: Queryable, ledger: LedgerName, { seq, kind, bytes }: StoredRecord): Promise<void> => {
    const fields = JSON.parse(Buffer.from(bytes).toString()) as Fields // our own record, checked against its leaf
    const repository = String(fields['repository'])
    if (kind === 'part') return addPart(tx, ledger, seq, fields)
    if (kind === 'linemap') {
      const { path: from } = (fields['from'] ?? {}) as { path?: string }
      for (const path of new Set([String(fields['path']), String(from)]))
        await store.insertMap(tx, ledger, repository, path, seq)
      return
    }
    const ref = typeof fields['ref'] === 'string' ? fields['ref'] : ''
    const row = { seq, repository, run: String(fields['run']), suite: String(fields['suite']), ref, commit: String(fields['commit']), counted: fields['admitted'] === true } // oxfmt-ignore
    await store.insertRun(tx, ledger, row)
  }

  return {
    async step(ledger, until) {
      const from = await store.filePosition(db, ledger)
      if (from >= until) return from
      const found: StoredRecord[] = []
      let next = until
      for await (const record of readKinds({ db, reader }, ledger, from, until, kinds)) {
        found.push(record)
        if (found.length < partsAtOnce) continue
        next = record.seq + 1
        break
      }
      // A crash before the commit leaves nothing of the step; what is in memory of chains is of rows that will be written the same again.
      await db.transaction(async (tx) => {
        for (const record of found) await add(tx, ledger, record)
        await store.setFilePosition(tx, ledger, next)
      })
      return next
    },
  }
}

type Fields = Record<string, unknown>

/** Of a part, sorted, as lines are: from its record, or where that could not hold them from its slices. */
async function rangesOf(db: Queryable, ledger: LedgerName, fields: Fields): Promise<number[]> {
  const { run, part, ranges } = fields as { run: string; part: string; ranges: [number, number][] } // of a `part` record
  const pairs = fields['ranges_digest'] === undefined ? ranges : await slicesOf(db, ledger, run, part)
  const joined: number[] = []
  for (const [first, last] of pairs.toSorted(([a], [b]) => a - b)) appendRange(joined, first, last)
  return joined
}

async function slicesOf(db: Queryable, ledger: LedgerName, run: string, part: string): Promise<[number, number][]> {
  const rows = await findSubmissions(db, ledger, [], [run])
  const prefix = `slice:${run}/${part}/`
  const own = rows.filter(({ key }) => key.startsWith(prefix) && key.lastIndexOf('/') === prefix.length - 1)
  return own.map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq])
}

const toMap = (states: readonly FileState[]): Map<string, string> => new Map(states.map(({ name, state }) => [name, state])) // oxfmt-ignore

const shortHash = (text: string): Buffer => hash('sha256', text, 'buffer').subarray(0, 16)

export const openNames = (names: Buffer): string[] => {
  const text = zstdDecompressSync(names).toString()
  return text === '' ? [] : text.split('\n')
}
