import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type HistoryAnswers, createHistoryAnswers } from '../../src/answers/history.ts'
import type { LinesAnswer } from '../../src/answers/lines.ts'
import { createProjection } from '../../src/history/projection.ts'
import type { Submission } from '../../src/ledger/decide.ts'
import { Problem } from '../../src/record/problem.ts'
import { type LedgerName, testTypes } from '../../src/record/record.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'
import { inventorySubmissions, mapSubmissions, runSubmissions } from '../support/record-runs.ts'
import { type ModelRecord, askModel } from './model.ts'
import { lineOfModel, lineOfPicture } from './picture-model.ts'
import { type History, createRandom, makeHistory } from './random-history.ts'

/**
 * Random histories, recorded through the real appender, projected, and asked: each answer must be what the model says of the same records, as
 * of now and as of earlier sizes. Every history is recorded twice, in two orders of arrival. PROOFLINE_HISTORIES sets how many (3,000 for a
 * long run), PROOFLINE_SEED where they begin.
 */
const histories = Number(process.env['PROOFLINE_HISTORIES'] ?? 40)
/** A busy machine takes its time. */
const patienceMs = 60_000 + histories * 3_000
const firstSeed = Number(process.env['PROOFLINE_SEED'] ?? 1)
const ledgers: LedgerName[] = testTypes.map((type) => `main/${type}` as const)

let database: TestDatabase
let nodes: TestNode[]
let answers: HistoryAnswers
const made: History[] = []
const records: ModelRecord[] = []
const byRepository = new Map<string, ModelRecord[]>()

/** All of a ledger in one append, in this order. */
async function record(history: History, repository: string, order: readonly number[]): Promise<void> {
  for (const [ledger, { book }] of nodes.entries()) {
    const submissions: Submission[] = []
    for (const index of order) {
      const event = history.events[index]!
      if (event.ledger !== ledger) continue
      if (event.kind === 'run')
        submissions.push(
          ...(await runSubmissions(book, { ...event.run, run: event.run.run.replace('NAME', repository), repository })),
        )
      else if (event.kind === 'inventory')
        submissions.push(...(await inventorySubmissions(book, repository, event.commit, event.files)))
      else
        submissions.push(
          ...mapSubmissions(book, repository, { from: event.from, to: event.to, run: 'local.1.api.unit' }, event.maps),
        )
    }
    if (submissions.length > 0) await book.appender.submit(submissions)
  }
}

beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  const signer = await createMemorySigner()
  nodes = [
    await openNode(database.db, signer, 'a', 'main/unit'),
    await openNode(database.db, signer, 'a', 'main/integration'),
  ]
  for (let i = 0; i < histories; i++) made.push(makeHistory(firstSeed + i))
  const waiting = made.flatMap((history, i) => {
    const plain = history.events.map((_, at) => at)
    const random = createRandom(firstSeed + i + 1_000_000)
    const shuffled = plain
      .map((at) => [random(1_000_000), at] as const)
      .sort((a, b) => a[0] - b[0] || a[1] - b[1])
      .map(([, at]) => at)
    return [() => record(history, `h${i}a`, plain), () => record(history, `h${i}b`, shuffled)]
  })
  // Many at once: then they share appends, as pushes do.
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await next()
    }),
  )
  for (const [i, { reader }] of nodes.entries()) {
    const ledger = ledgers[i]!
    const size = (await reader.published(ledger))?.size ?? 0
    await createProjection({ db: database.db, reader, readList: async () => undefined }, ledger).catchUp(
      size,
      new AbortController().signal,
    )
    for (let next = 0; next < size;) {
      const batch = await reader.readBatch(ledger, next)
      for (const { seq, recordedAt, id, bytes } of batch.records)
        records.push({
          ledger,
          seq,
          recordedAt,
          id,
          fields: JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>,
        })
      next = batch.next
    }
  }
  for (const [name, own] of Map.groupBy(records, ({ fields }) => fields['repository'] as string))
    byRepository.set(name, own)
  answers = createHistoryAnswers(database.db, nodes[0]!.reader)
}, patienceMs)
afterAll(async () => {
  for (const { book } of nodes) await book.close()
  await database.drop()
})

interface Asked {
  path: string
  line: number
}

/** In the form of the model; an answer to nothing is 'nothing'. */
async function ask(repository: string, { path, line }: Asked, sizes: readonly number[]): Promise<unknown> {
  const asOf = sizes.map((size, i) => `${testTypes[i]}:${size}`).join(',')
  try {
    const answer = await answers.lines(ledgers, {
      repository,
      path,
      first: line,
      last: line,
      ref: 'refs/heads/main',
      asOf,
    })
    expect(answer.as_of).toBe(asOf)
    return Object.fromEntries(
      answer.lines[0]!.series.map(({ test_type, suite, definition, intervals, ...more }) => [
        `main/${test_type} ${suite} ${definition}`,
        { intervals: intervals.map(printInterval), rewritten: (more.rewritten ?? []).map(printInterval) },
      ]),
    )
  } catch (error) {
    if (error instanceof Problem && error.code === 'not_found') return 'nothing'
    throw error
  }
}

function toNothing(error: unknown): undefined {
  if (error instanceof Problem && error.code === 'not_found') return undefined
  throw error
}

type Interval = LinesAnswer['lines'][number]['series'][number]['intervals'][number]

function printInterval({ state, by_number: byNumber, runs, late, first, last }: Interval) {
  const end = ({ recorded_at: _at, ...rest }: Interval['first']) => ({ ...rest, records: rest.records.toSorted() })
  return { key: `${state} ${byNumber ?? false}`, runs, late: late ?? 0, first: end(first), last: end(last) }
}

/** Without what two orders of arrival differ in: ids, and who came late. */
function withoutArrival(answer: unknown): unknown {
  return JSON.parse(
    JSON.stringify(answer, (key, value: unknown) =>
      ['seal', 'records', 'late'].includes(key)
        ? undefined
        : key === 'run'
          ? String(value).replace(/h\d+[ab]/, 'NAME')
          : value,
    ),
  )
}

describe('random histories', () => {
  it(
    'are answered as the model answers them, as of now and as of earlier sizes',
    async () => {
      const sizes = await Promise.all(
        nodes.map(async ({ reader }, i) => (await reader.published(ledgers[i]!))?.size ?? 0),
      )
      let intervals = 0
      for (const [i, { asked, seed }] of made.entries())
        for (const name of [`h${i}a`, `h${i}b`]) {
          const own = byRepository.get(name) ?? []
          const random = createRandom(seed + 7)
          const earlier = ledgers
            .map((ledger) => own.filter((one) => one.ledger === ledger))
            .map((some) => (some.length === 0 ? 0 : some[random(some.length)]!.seq + 1))
          for (const [n, question] of asked.entries())
            for (const asOf of n === 0 ? [sizes, earlier] : [sizes]) {
              const seen = own.filter((one) => one.seq < asOf[ledgers.indexOf(one.ledger as LedgerName)]!)
              const expected = askModel(seen, { repository: name, ref: 'refs/heads/main', ...question })
              const said = await ask(name, question, asOf)
              expect(said, `seed ${seed}, ${name}, ${JSON.stringify(question)} as of ${asOf.join()}`).toEqual(expected)
              intervals += JSON.stringify(said).split('"key"').length - 1
            }
        }
      expect(intervals).toBeGreaterThan(histories * 5)
    },
    patienceMs,
  )

  it(
    'are drawn as the model answers line by line',
    async () => {
      let lines = 0
      for (const [i, { asked, seed }] of made.entries()) {
        const repository = `h${i}${i % 2 === 0 ? 'a' : 'b'}`
        const { path } = asked[0]!
        const ref = 'refs/heads/main'
        const modelOf = (line: number) => askModel(byRepository.get(repository) ?? [], { repository, ref, path, line })
        const picture = await answers.files(ledgers, { repository, path, ref }).catch(toNothing)
        if (picture === undefined || modelOf(1) === 'nothing') {
          expect([picture, modelOf(1)], `seed ${seed}, ${path}`).toEqual([undefined, 'nothing'])
          continue
        }
        for (let line = 1; line <= picture.lines; line++) {
          const where = `seed ${seed}, ${repository}, ${path}:${line}`
          expect(lineOfPicture(picture, line), where).toEqual(lineOfModel(modelOf(line)))
          lines += 1
        }
      }
      expect(lines).toBeGreaterThan(histories)
    },
    patienceMs,
  )

  it(
    'are answered alike in whatever order their records came',
    async () => {
      const sizes = await Promise.all(
        nodes.map(async ({ reader }, i) => (await reader.published(ledgers[i]!))?.size ?? 0),
      )
      let compared = 0
      for (const [i, { asked, seed, isDated }] of made.entries()) {
        if (!isDated) continue // what claims no time stands by when it came
        compared += 1
        for (const question of asked) {
          const [a, b] = [await ask(`h${i}a`, question, sizes), await ask(`h${i}b`, question, sizes)]
          expect(withoutArrival(b), `seed ${seed}, ${JSON.stringify(question)}`).toEqual(withoutArrival(a))
        }
      }
      expect(compared).toBeGreaterThan(histories / 2)
    },
    patienceMs,
  )
})
