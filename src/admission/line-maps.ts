import { createHash } from 'node:crypto'
import type { Declaration, LineMapsAnswer, LineMapsQuery } from '../api/runs.ts'
import type { Queryable } from '../database/database.ts'
import type { Recorded } from '../ledger/appender.ts'
import type { Book } from '../ledger/book.ts'
import type { Submission } from '../ledger/decide.ts'
import type { LedgerReader, StoredRecord } from '../ledger/read.ts'
import { findLastSeal } from '../ledger/sealed.ts'
import { groupPayloads, packSegment } from '../ledger/segments.ts'
import { type SubmissionRow, findSubmissions } from '../ledger/store.ts'
import { type Brought, type LineMap, comparisonPayload, lineMapPayloads } from '../record/line-map.ts'
import { Problem } from '../record/problem.ts'
import { type LedgerName, printTime } from '../record/record.ts'
import type { By } from '../record/run.ts'
import { cutList } from '../record/list-windows.ts'
import { readInventoryWindows } from './inventories.ts'
import { judgeMaps } from './judge-maps.ts'
import { readLineMaps } from './line-map-body.ts'
import { type CommitPair, type LastSealed, ancestorsOf, wantedComparisons } from './missing-maps.ts'
import { fieldsOf } from './receipts.ts'
import { keys } from './run.ts'
import type { RunFields } from './submissions.ts'

/**
 * Line maps of pairs of commits. A map is recorded once per pair of (path, blob), whoever brings it and between whichever commits; the
 * comparison of two commits is recorded last, when all its maps are. So a crash in between leaves maps that are found and joined by the
 * next try, and a pair of commits that is named as missing until then.
 */
export interface LineMaps {
  /** The pairs of commits that this run's client should compare; none where they are on record, at most `maxNamed`. */
  missing(ledger: LedgerName, body: Declaration): Promise<CommitPair[]>
  /** Answers from the record when the pair is known already, without reading the body. */
  record(run: RunFields, by: By, query: LineMapsQuery, body: AsyncIterable<Uint8Array>): Promise<Recorded>
}

export interface LineMapsDeps {
  db: Queryable
  reader: LedgerReader
  bookOf: (ledger: LedgerName) => Book
  keepList: (bytes: Uint8Array) => Promise<void>
}

/** A long history is caught up with over several pushes, the newest commits first: none shall take minutes for the old ones. */
const maxNamed = 8
/** Maps of one append. */
const maxGroup = 256
const maxGroupBytes = 4 * 1_048_576

export function createLineMaps({ db, reader, bookOf, keepList }: LineMapsDeps): LineMaps {
  const find = async (ledger: LedgerName, wanted: readonly string[]): Promise<Map<string, SubmissionRow>> =>
    new Map((await findSubmissions(db, ledger, wanted, [])).map((row) => [row.key, row]))

  const fieldsAt = async (ledger: LedgerName, seq: number): Promise<Record<string, unknown>> =>
    JSON.parse((await reader.payload(ledger, seq)).toString()) as Record<string, unknown> // payloads are objects

  const findLastSealed = async (ledger: LedgerName, body: Declaration): Promise<LastSealed | undefined> => {
    const { repository, suite, ref = '' } = body
    const seq = await findLastSeal(db, ledger, repository, suite, ref)
    if (seq === undefined) return undefined
    const { commit, run } = await fieldsAt(ledger, seq)
    if (typeof commit !== 'string' || typeof run !== 'string') return undefined
    if (commit === body.commit) return { commit, ancestors: [] }
    const declared = (await find(ledger, [keys.run(run)])).get(keys.run(run))
    const fields = declared === undefined ? {} : await fieldsAt(ledger, declared.firstSeq)
    return {
      commit,
      ancestors: ancestorsOf({ parents: toList(fields['parents']), firstParents: toList(fields['first_parents']) }),
    }
  }

  /** In groups of one append each, in order; those that are on record are not even offered, which saves the appender their receipts. */
  const submitMaps = async (maps: readonly LineMap[], brought: Brought): Promise<void> => {
    const { ledger, repository } = brought
    for (let at = 0; at < maps.length; at += maxGroup) {
      const some = maps.slice(at, at + maxGroup)
      const known = await find(
        ledger,
        some.map((map) => keys.lineMap(repository, map)),
      )
      const group = some.filter((map) => !known.has(keys.lineMap(repository, map)))
      for (const fitting of cutList(
        group.map((map) => mapSubmission(map, brought)),
        ({ bytes }) => bytes,
        maxGroupBytes,
      ))
        if (fitting.length > 0) await bookOf(ledger).appender.submit(fitting)
    }
  }

  return {
    async missing(ledger, body) {
      const { repository, commit, parents = [], first_parents: firstParents = [] } = body
      const last = await findLastSealed(ledger, body)
      const candidates = [...new Set([...firstParents, ...parents, ...(last === undefined ? [] : [last.commit])])]
      const inventories = await find(
        ledger,
        candidates.map((id) => keys.inventory(repository, id)),
      )
      const recorded = new Set(candidates.filter((id) => inventories.has(keys.inventory(repository, id))))
      const wanted = wantedComparisons({ commit, parents, firstParents }, recorded, last)
      const compared = await find(
        ledger,
        wanted.map((pair) => keys.comparison(repository, pair)),
      )
      return wanted.filter((pair) => !compared.has(keys.comparison(repository, pair))).slice(0, maxNamed)
    },

    async record({ ledger, run, repository }, by, { from, to, definition }, body) {
      const names = {
        comparison: keys.comparison(repository, { from, to }),
        from: keys.inventory(repository, from),
        to: keys.inventory(repository, to),
      }
      const known = await find(ledger, Object.values(names))
      const submit = async (submission: Submission): Promise<Recorded> => {
        const [recorded] = await bookOf(ledger).appender.submit([submission])
        if (recorded === undefined) throw new Error('the appender answered nothing')
        return recorded
      }
      const common = { key: names.comparison, firstWins: true, conflict: 'internal' } as const
      // Joins what is there: it waits until that is published, as every answer does.
      if (known.has(names.comparison)) return submit({ ...common, digest: Buffer.alloc(32), segments: [] })
      const inventoryOf = (key: string, commit: string) => {
        const row = known.get(key)
        if (row === undefined) throw new Problem('inventory_missing', `send the inventory of ${commit} first`)
        return readInventoryWindows(reader, { ledger, ...row })
      }
      const [before, after] = [inventoryOf(names.from, from), inventoryOf(names.to, to)]
      const offered = await readLineMaps(body)
      const { accepted, unmapped, refused } = await judgeMaps(offered, before, after)
      const brought: Brought = { ledger, run, repository, from, to }
      await submitMaps(accepted, brought)
      const renames = accepted.flatMap((map) =>
        map.from.path === map.to.path ? [] : [[map.from.path, map.to.path] as const],
      )
      const comparison = { definition, mapped: accepted.length, renames, unmapped, refused, by }
      const { payload, lists } = comparisonPayload(comparison, brought)
      for (const list of lists) await keepList(list)
      const digest = createHash('sha256').update(payload).digest()
      return submit({ ...common, digest, segments: [packSegment('comparison', [payload])] })
    },
  }
}

function mapSubmission(map: LineMap, brought: Brought): Submission & { bytes: number } {
  const payloads = lineMapPayloads(map, brought)
  const segments = [...groupPayloads(payloads)].map((group) => packSegment('linemap', group))
  return {
    key: keys.lineMap(brought.repository, map),
    digest: createHash('sha256').update(Buffer.concat(payloads)).digest(),
    firstWins: true,
    conflict: 'internal',
    segments,
    bytes: segments.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
  }
}

/** A list of a `run` record, which may be cut to its first entries. */
function toList(value: unknown): string[] {
  const list: unknown = Array.isArray(value) ? value : (value as { first?: unknown } | undefined)?.first
  return Array.isArray(list) ? list.filter((entry) => typeof entry === 'string') : []
}

/** Read off the comparison record: so the first answer and every later one are the same. */
export function lineMapsAnswer(record: StoredRecord): LineMapsAnswer {
  const { repository, from, commit, mapped, renames, unmapped, refused } = fieldsOf(record)
  return {
    repository,
    from: (from as { commit: unknown }).commit,
    to: commit,
    id: record.id,
    seq: record.seq,
    recorded_at: printTime(record.recordedAt),
    mapped,
    renamed: (renames as { count: unknown }).count,
    unmapped,
    refused,
  } as LineMapsAnswer // written by comparisonPayload with exactly these members
}
