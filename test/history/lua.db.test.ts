import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LinesAnswer } from '../../src/answers/lines.ts'
import { type HistoryAnswers, createHistoryAnswers } from '../../src/answers/history.ts'
import { createProjection } from '../../src/history/projection.ts'
import type { LineCoverage } from '../../src/record/coverage.ts'
import { parseHunks } from '../../src/record/hunks.ts'
import { type LedgerName, testTypes } from '../../src/record/record.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { read } from '../formats/read.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'
import { recordInventory, recordMaps, recordRun } from '../support/record-runs.ts'

/**
 * A real year: 28 commits of Lua with the reports of two suites each (../shared/corpus, or PROOFLINE_CORPUS), and 84 lines of which the
 * corpus knows from their texts where they stand at each commit and how often they ran. lua-versions.json has what git says of the files:
 * blobs, and the numbers of `git diff -U0`.
 */
const corpus = process.env['PROOFLINE_CORPUS'] ?? fileURLToPath(new URL('../../../shared/corpus', import.meta.url))
const isHere = existsSync(`${corpus}/history-lua/EVENTS.tsv`)
if (!isHere) console.log('skipped: the corpus of real reports is not here (../shared/corpus, or PROOFLINE_CORPUS)')

const repository = 'github.com/lua/lua'
const ledgers: LedgerName[] = testTypes.map((type) => `main/${type}` as const)

interface Versions {
  commits: { commit: string; committed_at: string; first_parents: string[]; blobs: Record<string, string> }[]
  maps: [path: string, from: string, to: string, hunks: string][]
}
const versions = JSON.parse(readFileSync(new URL('./lua-versions.json', import.meta.url), 'utf8')) as Versions

function readTable(name: string): Record<string, string>[] {
  const [head = '', ...rows] = readFileSync(`${corpus}/history-lua/${name}`, 'utf8').trimEnd().split('\n')
  const columns = head.split('\t')
  return rows.map((row) => Object.fromEntries(row.split('\t').map((cell, i) => [columns[i] ?? '', cell])))
}

let database: TestDatabase
let nodes: TestNode[]
let answers: HistoryAnswers

beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  const signer = await createMemorySigner()
  nodes = [
    await openNode(database.db, signer, 'a', 'main/unit'),
    await openNode(database.db, signer, 'a', 'main/integration'),
  ]
  if (!isHere) return
  const blobs: Record<string, string> = {}
  for (const [seq, one] of versions.commits.entries()) {
    const before = { ...blobs }
    Object.assign(blobs, one.blobs)
    const maps = versions.maps
      .filter(([path, from, to]) => before[path] === from && blobs[path] === to)
      .map(([path, from, to, hunks]) => ({
        from: { path, blob: from },
        to: { path, blob: to },
        hunks: parseHunks(hunks),
      }))
    for (const [i, { book }] of nodes.entries()) {
      const type = testTypes[i] ?? 'unit'
      const event = readTable('EVENTS.tsv').find(({ commit, test_type }) => commit === one.commit && test_type === type)
      const report = gunzipSync(readFileSync(`${corpus}/history-lua/${event?.['file']}`))
      const { files } = await read(report, { root: '/home/ci/workspace/hist/w' })
      const run = `github.${seq}.lua.${type}`
      const covered = [...files].map((file) => ({ ...file, blob: blobs[file.path] }) as LineCoverage)
      await recordInventory(book, repository, one.commit, blobs)
      const [previous] = versions.commits.slice(seq - 1, seq)
      if (previous !== undefined)
        await recordMaps(book, repository, { from: previous.commit, to: one.commit, run }, maps)
      await recordRun(book, {
        run, repository, suite: 'lua', commit: one.commit, ref: 'refs/heads/master', parents: one.first_parents, committedAt: one.committed_at,
        parts: [{ name: 'coverage.info', files: covered }],
      }) // oxfmt-ignore
    }
  }
  answers = createHistoryAnswers(database.db, nodes[0]!.reader)
  for (const [i, { reader }] of nodes.entries()) {
    const ledger = ledgers[i]!
    const size = (await reader.published(ledger))?.size ?? 0
    await createProjection({ db: database.db, reader, readList: async () => undefined }, ledger).catchUp(
      size,
      new AbortController().signal,
    )
  }
}, 120_000)
afterAll(async () => {
  for (const { book } of nodes) await book.close()
  await database.drop()
})

/** The state at each commit, and the number where an interval begins or ends. */
function unfold(answer: LinesAnswer, type: string): { state: string; line: number | null | undefined }[] {
  const series = answer.lines[0]?.series.find(({ test_type }) => test_type === type)
  return (series?.intervals ?? []).flatMap(({ state, runs, first, last }) =>
    Array.from({ length: runs }, (_, i) => ({
      state,
      line: i === 0 ? first.line : i === runs - 1 ? last.line : undefined,
    })),
  )
}

describe.runIf(isHere)('a year of Lua', () => {
  it('follows 83 of the 84 lines by their numbers, and the 84th to where its text changed places', async () => {
    const wrong: string[] = []
    const tracked = Map.groupBy(readTable('TRACKED_LINES.tsv'), (row) => row['line_id'] ?? '')
    expect(tracked.size).toBe(84)
    for (const [id, rows] of tracked) {
      const last = rows.at(-1)!
      const answer = await answers.lines(ledgers, {
        repository,
        path: last['file']!,
        first: Number(last['line_number']),
        last: Number(last['line_number']),
      })
      expect(answer.order).toEqual({ by: 'ancestry', commits: 28, undecided: 0, left: 0 })
      for (const type of testTypes) {
        const said = unfold(answer, type)
        const isRight = rows.every((row, i) => {
          const { state, line } = said[i] ?? {}
          const isExecuted = state === 'covered' || state === 'partial'
          const isSame = line === undefined || line === Number(row['line_number'])
          return isSame && (Number(row[`${type}_hits`]) > 0 ? isExecuted : state === 'missed')
        })
        if (!isRight || said.length !== 28)
          wrong.push(`${id} ${type}: ${said.map(({ state, line }) => `${state} ${line ?? ''}`).join(', ')}`)
      }
    }
    expect(wrong.length).toBe(2) // one line, of both suites
    expect(wrong.every((line) => line.includes('line absent'))).toBe(true) // never a line that is another
  })

  it('says the same as of a size, whatever came later', async () => {
    const question = { repository, path: 'lvm.c', first: 700, last: 720, asOf: undefined }
    const now = await answers.lines(ledgers, question)
    const early = await answers.lines(ledgers, { ...question, asOf: 'unit:500,integration:400' })
    expect(early.as_of).toBe('unit:500,integration:400')
    expect(JSON.stringify(await answers.lines(ledgers, { ...question, asOf: now.as_of }))).toBe(JSON.stringify(now))
    const fresh = createHistoryAnswers(database.db, nodes[0]!.reader)
    expect(JSON.stringify(await fresh.lines(ledgers, { ...question, asOf: early.as_of }))).toBe(JSON.stringify(early))
  })
})
