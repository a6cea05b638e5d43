import { createHash } from 'node:crypto'
import type { Declaration } from '../../src/api/runs.ts'
import { abandonmentSubmission } from '../../src/admission/abandon.ts'
import { partSubmission } from '../../src/admission/part-record.ts'
import { keys } from '../../src/admission/run.ts'
import { runPayload } from '../../src/admission/run-record.ts'
import { sealSubmission } from '../../src/admission/submissions.ts'
import type { Book } from '../../src/ledger/book.ts'
import type { Recorded } from '../../src/ledger/appender.ts'
import type { Submission } from '../../src/ledger/decide.ts'
import { groupPayloads, packSegment } from '../../src/ledger/segments.ts'
import { type LineCoverage, coveragePayloads } from '../../src/record/coverage.ts'
import { type LineMap, lineMapPayloads } from '../../src/record/line-map.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { inventoryPayloads } from '../../src/record/run.ts'
import { sumFiles } from '../../src/record/totals.ts'

/** Runs put into a ledger as admission does, through the real appender, without HTTP and without reports to parse. */

export interface PartToRecord {
  name: string
  files: readonly LineCoverage[]
}

export interface RunToRecord {
  run: string
  repository: string
  suite: string
  commit: string
  ref?: string | undefined
  parents?: readonly string[] | undefined
  committedAt?: string | undefined
  parts: readonly PartToRecord[]
  /** Reasons why it does not count. */
  reasons?: readonly string[] | undefined
  production?: string | undefined
  /** Default: by a seal. */
  ending?: 'none' | 'abandoned' | undefined
}

export type LineBook = Pick<Book, 'ledger' | 'appender' | 'link'>

const testTypeOf = (ledger: LedgerName) => (ledger.endsWith('/unit') ? 'unit' : 'integration')

/** Run, parts and seal in one append; answers the seq of the seal. */
export async function recordRun(book: LineBook, run: RunToRecord): Promise<number> {
  const recorded = await book.appender.submit(await runSubmissions(book, run))
  return (recorded.at(-1) as Recorded).firstSeq
}

export async function runSubmissions(book: LineBook, told: RunToRecord): Promise<Submission[]> {
  const { ledger } = book
  const { run, repository, suite, commit, ref, parents = [], committedAt, parts, reasons = [], production } = told
  const by = { method: 'token', subject: 'token:1' }
  const body: Declaration = {
    repository, commit, suite, test_type: testTypeOf(ledger), ref,
    parents: parents.slice(0, 1), first_parents: [...parents], committed_at: committedAt,
  } as Declaration // oxfmt-ignore
  const { fields, payload } = runPayload(ledger, run, body, undefined, by)
  const declared: Submission = {
    key: keys.run(run), digest: digestOf(payload), run, conflict: 'run_conflict', segments: [packSegment('run', [payload])],
  } // oxfmt-ignore
  const submissions = [declared]
  for (const { name, files } of parts) {
    const artifact = createHash('sha256').update(`${run}/${name}`).digest('hex')
    const context = { ...fields, test_type: testTypeOf(ledger), part: name, artifact_sha256: artifact } as const
    let ordinal = 0
    const payloads: Uint8Array[] = []
    for (const file of files) {
      const printed = coveragePayloads(file, context, ordinal)
      ordinal += printed.length
      payloads.push(...printed)
    }
    let index = 0
    const digest = digestOf(Buffer.from(artifact))
    for (const group of groupPayloads(payloads)) {
      const link = await book.link(repository, suite, name, index)
      submissions.push({
        key: keys.slice(run, name, index), digest, run, conflict: 'part_conflict', segments: [packSegment('coverage', group, link)],
      }) // oxfmt-ignore
      index += 1
    }
    const summary = {
      sha256: artifact, bytes: 1, format: 'lcov', metric: 'line' as const, definition: files[0]?.definition ?? 'lcov.da@1', tool: null,
      incomplete: null, totals: { recomputed: sumFiles(files, 'line'), declared: null }, refused: { count: 0, first: [] }, unresolved: { count: 0, first: [] },
    } // oxfmt-ignore
    submissions.push(
      partSubmission({ id: fields, part: name, digest, parameters: {}, summary: summary as never }, await book.link(repository, suite, name, -1), async () => {}),
    ) // oxfmt-ignore
  }
  if (told.ending === 'none') return submissions
  if (told.ending === 'abandoned') return [...submissions, abandonmentSubmission(fields, 86_400_000)]
  const judged = { counts: reasons.length === 0, reasons: [...reasons], observed: [], production_digest: production }
  submissions.push(
    sealSubmission(fields, { outcome: 'completed', tests: { total: 1, passed: 1, failed: 0, skipped: 0 } }, await book.link(repository, suite, '', -2), async () => {}, async () => judged as never),
  ) // oxfmt-ignore
  return submissions
}

export async function recordInventory(
  book: LineBook,
  repository: string,
  commit: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  await book.appender.submit(await inventorySubmissions(book, repository, commit, files))
}

export async function inventorySubmissions(
  book: LineBook,
  repository: string,
  commit: string,
  files: Readonly<Record<string, string>>,
): Promise<Submission[]> {
  const listed = Object.entries(files).map(([path, blob]) => ({ path, blob })).toSorted((a, b) => (a.path < b.path ? -1 : 1)) // oxfmt-ignore
  const payloads = inventoryPayloads(book.ledger, repository, commit, listed)
  const link = await book.link(repository, 'inventory', '', 0)
  return [
    {
      key: keys.inventory(repository, commit), digest: digestOf(Buffer.concat(payloads)), firstWins: true, conflict: 'internal',
      segments: [...groupPayloads(payloads)].map((group, i) => packSegment('inventory', group, i === 0 ? link : undefined)),
    },
  ] // oxfmt-ignore
}

export async function recordMaps(
  book: LineBook,
  repository: string,
  between: { from: string; to: string; run: string },
  maps: readonly LineMap[],
): Promise<void> {
  const submissions = mapSubmissions(book, repository, between, maps)
  for (let at = 0; at < submissions.length; at += 256) await book.appender.submit(submissions.slice(at, at + 256))
}

export function mapSubmissions(
  book: LineBook,
  repository: string,
  between: { from: string; to: string; run: string },
  maps: readonly LineMap[],
): Submission[] {
  return maps.map((map): Submission => {
    const payloads = lineMapPayloads(map, { ledger: book.ledger, repository, ...between })
    return {
      key: keys.lineMap(repository, map), digest: digestOf(Buffer.concat(payloads)), firstWins: true, conflict: 'internal',
      segments: [...groupPayloads(payloads)].map((group) => packSegment('linemap', group)),
    } // oxfmt-ignore
  })
}

function digestOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
