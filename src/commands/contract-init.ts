import { writeFile } from 'node:fs/promises'
import { parseContract } from '../contract/contract.ts'
import { type SeenFile, type SeenRun, proposeContract } from '../contract/propose.ts'
import { withQuery } from '../producer/client.ts'
import { Problem } from '../record/problem.ts'
import { testTypes, parseTime } from '../record/record.ts'
import { connect } from './connect.ts'
import { type Asking, type PlaceOptions, ask, findPlace } from './contract-place.ts'
import type { ExitCode, Terminal } from './terminal.ts'
import { count } from './count.ts'

/** `proofline contract init`: reads what a repository pushed lately and writes a contract that says so. */

export interface InitCommand extends PlaceOptions {
  days: number
  /** Write over a file that is there. */
  force?: boolean
}

/** Members of `run` and `seal` records that are read here. */
interface Seen {
  kind: string
  run: string
  suite: string
  test_type: SeenRun['test_type']
  ref?: string
  stage?: string
  backfilled?: boolean
  admitted?: boolean
  recorded_at: string
  totals?: SeenRun['measures']
  records?: { first?: number; last?: number }
}

export async function init(
  file: string | undefined,
  options: InitCommand,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<ExitCode> {
  const place = await findPlace(file, options)
  const client = await connect()
  try {
    const asking = { client, signal }
    const since = new Date(Date.now() - options.days * 86_400_000).toISOString()
    const runs: SeenRun[] = []
    const files: SeenFile[] = []
    for (const testType of testTypes) {
      terminal.progress(`reading what ${place.repository} pushed to ${testType}`)
      const sealed = await readSeals(testType, place.repository, since, asking)
      const seen = sealed.filter(({ run }) => !run.backfilled) // an old report shows no habit of today
      runs.push(...seen.map(({ run }) => run))
      for (const { first, last } of newestOfEachSuite(seen))
        files.push(...(await readFiles(testType, place.repository, first, last, asking)))
    }
    terminal.progress(undefined)
    if (runs.length === 0)
      throw new Problem(
        'not_found',
        `${place.repository} ended no run within ${count(options.days, 'day')} that is not backfilled: push first, or say --days`,
      )
    const text = proposeContract(place.repository, runs, files)
    parseContract(text) // what we propose, we take
    await write(place.file, text, options.force === true)
    terminal.print(
      { file: place.file, repository: place.repository, runs: runs.length },
      () => `wrote ${place.file}, from ${count(runs.length, 'run')}\n`,
    )
    terminal.say(
      '  read it, then: proofline contract check, commit it, and proofline contract register on the protected branch',
    )
    return 0
  } finally {
    client.close()
  }
}

async function write(file: string, text: string, force: boolean): Promise<void> {
  try {
    await writeFile(file, text, { flag: force ? 'w' : 'wx' })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST')
      throw new Problem('request_invalid', `${file} is there already: --force writes over it`)
    throw error
  }
}

interface SeenSeal {
  run: SeenRun
  first: number | undefined
  last: number | undefined
}

async function readSeals(testType: string, repository: string, since: string, asking: Asking): Promise<SeenSeal[]> {
  const declared = new Map<string, Pick<Seen, 'stage' | 'backfilled'>>()
  const seals: SeenSeal[] = []
  for await (const record of readFeed(testType, { repository, since, kind: 'run,seal' }, asking)) {
    const { kind, run, suite, test_type, ref, admitted = false, recorded_at, totals = [], records } = record
    if (kind === 'run') declared.set(run, record)
    else
      seals.push({
        run: {
          suite,
          test_type,
          ref,
          stage: declared.get(run)?.stage,
          backfilled: declared.get(run)?.backfilled ?? false,
          admitted,
          atMs: (parseTime(recorded_at) ?? 0) / 1000,
          measures: totals,
        },
        first: records?.first,
        last: records?.last,
      })
  }
  return seals
}

function newestOfEachSuite(seals: readonly SeenSeal[]): { first: number; last: number }[] {
  const newest = new Map<string, { first: number; last: number }>()
  for (const { run, first, last } of seals)
    if (run.admitted && first !== undefined && last !== undefined) newest.set(run.suite, { first, last })
  return [...newest.values()]
}

/** Enough to see which folders were measured. */
const maxFiles = 5_000

async function readFiles(
  testType: string,
  repository: string,
  first: number,
  last: number,
  asking: Asking,
): Promise<SeenFile[]> {
  const files: SeenFile[] = []
  for await (const record of readFeed(testType, { repository, after: first - 1, kind: 'coverage' }, asking)) {
    const { seq, path, blob } = record as unknown as SeenFile & { seq: number } // as coverage records are
    if (seq > last || files.length === maxFiles) break
    files.push({ path, blob })
  }
  return files
}

type FeedQuery = Readonly<Record<string, string | number>>

/** Records from a start up to what is published now. */
async function* readFeed(testType: string, query: FeedQuery, asking: Asking): AsyncGenerator<Seen> {
  let start: FeedQuery = query
  for (;;) {
    const page = (await ask(withQuery(`/v1/feed/${testType}`, { limit: 1_000, ...start }), asking)) as {
      records: Seen[]
      next_cursor: string
      has_more?: boolean
    } // the feed's own shape (api/records.ts)
    yield* page.records
    if (page.has_more === false) return
    const { since: _since, after: _after, ...filters } = query
    start = { ...filters, cursor: page.next_cursor }
  }
}
