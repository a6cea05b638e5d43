import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ListQuestion, listDecisions } from '../../src/answers/decision-lists.ts'
import { createInventories } from '../../src/answers/inventories.ts'
import { findStart } from '../../src/answers/lineage-start.ts'
import { catchUpDecisions } from '../../src/history/decisions.ts'
import { createHistories } from '../../src/history/ledger-history.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import { type RecordKind, printTime } from '../../src/record/record.ts'
import { printPayload } from '../../src/record/run.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { createRandom } from '../history/random-history.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'

/** Lists over random decisions must be what plain loops over all records say, whatever is asked for and as of any size. */

const ledger = 'main/changes'
let database: TestDatabase
let node: TestNode
type Row = Record<string, unknown> & { id: string; seq: number; kind: string; recorded_at: string; repository: string }
const records: Row[] = []

async function submit(many: { kind: RecordKind; fields: object }[]): Promise<void> {
  const submissions = many.map(({ kind, fields }, i) => ({
    key: `test:${records.length}:${i}`, digest: Buffer.alloc(32), firstWins: true, conflict: 'internal' as const, segments: [packSegment(kind, [printPayload(kind, ledger, fields)])],
  })) // oxfmt-ignore
  await node.book.appender.submit(submissions)
  const size = (await node.reader.published(ledger))?.size ?? 0
  for (let next = records.length; next < size;) {
    const batch = await node.reader.readBatch(ledger, next)
    for (const { bytes } of batch.records) records.push(JSON.parse(Buffer.from(bytes).toString()) as Row)
    next = batch.next
  }
}

const random = createRandom(7)
const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T // not empty
const commits = Array.from({ length: 6 }, (_, i) => `${i % 3}${'0123456789abcdef'[i]}`.repeat(20))
const repositories = ['r1', 'r2', 'r3', '*']

function someDecision(): { kind: RecordKind; fields: object } {
  const repository = pick(repositories.slice(0, 3))
  const by = { method: 'token', subject: 't' }
  const [commit, build] = [pick(commits), random(2) === 0 ? `b${random(4)}` : undefined]
  const gates = records.filter(({ kind, verdict }) => kind === 'gate' && verdict !== 'overridden')
  switch (random(6)) {
    case 0:
      return { kind: 'build', fields: { repository, build: `b${random(4)}`, commit } }
    case 1:
    case 2: {
      // A build may be called like a gate.
      const named = random(6) === 0 && gates.length > 0 ? pick(gates).id : build
      return { kind: 'gate', fields: { repository, commit, build: named, verdict: pick(['pass', 'fail', 'incomplete']), by } }
    }
    case 3: {
      const gate = gates.length === 0 ? undefined : pick(gates)
      if (gate === undefined) return someDecision()
      return { kind: 'gate', fields: { repository: gate.repository, commit: gate['commit'], build: gate['build'], verdict: 'overridden', overrides: gate.id, reason: 'r', ticket: 't', by } }
    }
    case 4:
      return { kind: 'deployment', fields: { repository, deployment: `d${random(9)}`, environment: pick(['prod', 'stage']), commit, build, decision: pick(['pass', 'none']), by } }
    default: {
      const target = pick([{ kind: 'file', path: 'a' }, { kind: 'deployment', id: `d${random(9)}` }, ...(gates.length === 0 ? [] : [{ kind: 'gate', id: pick(gates).id }])])
      return { kind: 'disposition', fields: { repository, target, subject: `${target.kind}:${'id' in target ? target.id : 'path' in target ? target.path : ''}`, note: 'n', by } }
    }
  }
} // oxfmt-ignore

beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  node = await openNode(database.db, await createMemorySigner(), 'test', ledger)
  for (let i = 0; i < 40; i++) await submit(Array.from({ length: 1 + random(8) }, someDecision))
  // One name in very many repositories, of which a caller may see the last.
  await submit(Array.from({ length: 450 }, (_, i) => ({ kind: 'build' as const, fields: { repository: `many/${String(i).padStart(3, '0')}`, build: 'release-1', commit: 'e'.repeat(40) } }))) // oxfmt-ignore
  await catchUpDecisions({ db: database.db, reader: node.reader }, ledger, records.length, new AbortController().signal)
}, 120_000)
afterAll(async () => {
  await node.book.close()
  await database.drop()
})

const list = (kind: 'gate' | 'deployment' | 'disposition', question: Partial<ListQuestion>) => {
  const { db } = database
  const deps = { db, reader: node.reader, histories: createHistories(db), inventories: createInventories(node.reader) }
  return listDecisions(deps, { history: [ledger], operations: [] }, kind, { isVisible: undefined, limit: 50, ...question }) // oxfmt-ignore
}

/** The ids of a list, by a look at every record. */
function byLoop(kind: string, size: number, question: Partial<ListQuestion>): string[] {
  const { repository, isVisible, commit, build, environment, verdict, from, to, before } = question
  return records
    .slice(0, size)
    .filter((row) => {
      const decision = row['verdict'] ?? row['decision']
      return (
        row.kind === kind && row['overrides'] === undefined &&
        (repository === undefined || row.repository === repository) && (isVisible === undefined || isVisible(row.repository)) &&
        (commit === undefined || kind === 'disposition' || String(row['commit']).startsWith(commit)) &&
        (build === undefined || row['build'] === build) && (environment === undefined || row['environment'] === environment) &&
        (verdict === undefined || decision === verdict) &&
        (question.kind === undefined || (row['target'] as { kind: string }).kind === question.kind) &&
        (from === undefined || row.recorded_at >= from) && (to === undefined || row.recorded_at < to)
      ) // oxfmt-ignore
    })
    .map(({ id }) => id)
    .toReversed()
    .filter((_, i, ids) => before === undefined || i > ids.indexOf(before))
}

describe('lists of decisions', () => {
  it('are what a look at every record finds: by any filter, page by page, as of any size', async () => {
    let shown = 0
    for (let i = 0; i < 150; i++) {
      const kind = pick(['gate', 'deployment', 'disposition'] as const)
      const size = random(3) === 0 ? records.length : 1 + random(records.length)
      const some = <T>(value: T): T | undefined => (random(3) === 0 ? value : undefined)
      const timeAt = (): string => records[random(records.length)]!.recorded_at
      const question: Partial<ListQuestion> = {
        repository: some(pick(repositories)),
        isVisible: some((name: string) => name !== 'r2'),
        build: kind === 'disposition' ? undefined : some(`b${random(4)}`),
        commit: some(pick(commits).slice(0, pick([1, 7, 40]))),
        environment: kind === 'deployment' ? some('prod') : undefined,
        verdict: kind === 'disposition' ? undefined : some(kind === 'gate' ? pick(['pass', 'fail']) : 'none'),
        kind: kind === 'disposition' ? some(pick(['gate', 'file'])) : undefined,
        from: some(timeAt()),
        to: some(timeAt()),
      }
      const all = byLoop(kind, size, question)
      const first = await list(kind, { ...question, asOf: `changes:${size}`, limit: 1 + random(9) })
      const ids = first.rows.map((row) => row['id'])
      const where = JSON.stringify({ i, size, ...question, isVisible: question.isVisible !== undefined })
      expect({ where, ids, more: first.has_more }).toEqual({ where, ids: all.slice(0, ids.length), more: all.length > ids.length }) // oxfmt-ignore
      shown += ids.length
      if (!first.has_more) continue
      const then = { ...question, before: String(ids.at(-1)) }
      const next = await list(kind, { ...then, asOf: `changes:${size}` })
      expect(next.rows.map((row) => row['id'])).toEqual(byLoop(kind, size, then).slice(0, 50))
    }
    expect(shown).toBeGreaterThan(150)
  })

  it('show beside a gate what overrides it by its own words, and notes on it', async () => {
    const { rows } = await list('gate', { limit: 200 })
    let overridden = 0
    let noted = 0
    for (const row of rows) {
      const override = records.findLast((one) => one['overrides'] === row['id'])
      expect((row['override'] as Row | null)?.id).toBe(override?.id)
      const notes = records.filter((one) => one.kind === 'disposition' && one['subject'] === `gate:${String(row['id'])}` && one.repository === row['repository']) // oxfmt-ignore
      expect((row['dispositions'] as Row[]).map(({ id }) => id)).toEqual(notes.map(({ id }) => id))
      overridden += override === undefined ? 0 : 1
      noted += notes.length
    }
    expect(Math.min(overridden, noted)).toBeGreaterThan(3)
    // Among them are gates that a build of another gate is named like.
    expect(rows.some((row) => records.some((one) => one['build'] === row['id']))).toBe(true)
  })

  it('refuse to begin behind what is not there as of the asked sizes', async () => {
    const last = records.at(-1)!
    const unknown = last.id.replace(/[0-9a-f]{16}$/, '0'.repeat(16))
    for (const [before, asOf] of [
      [unknown],
      ['main.changes-999999-0000000000000000'],
      ['main.unit-0-0000000000000000'],
      [last.id, `changes:${last.seq}`],
    ])
      // oxfmt-ignore
      await expect(list('gate', { before, asOf })).rejects.toMatchObject({ code: 'request_invalid' })
    expect((await list('gate', { before: last.id })).rows.length).toBeGreaterThan(0)
    await expect(list('gate', { from: printTime(0).slice(1) })).rejects.toMatchObject({ code: 'request_invalid' })
  })
})

describe('a name that very many repositories have', () => {
  const find = (ask: { repository?: string; isVisible?: (name: string | undefined) => boolean }) =>
    findStart({ db: database.db, reader: node.reader }, [{ ledger, size: records.length }], {
      kind: 'build', id: 'release-1', repository: undefined, isVisible: () => true, ...ask,
    }) // oxfmt-ignore

  it('is found in the one that is told, and in the only one that the caller sees', async () => {
    expect(await find({ repository: 'many/440' })).toMatchObject({ repository: 'many/440' })
    expect(await find({ isVisible: (name) => name === 'many/449' })).toMatchObject({ repository: 'many/449' })
    await expect(find({})).rejects.toMatchObject({ code: 'request_invalid' })
    await expect(find({ isVisible: () => false })).rejects.toMatchObject({ code: 'not_found' })
    await expect(find({ repository: 'many/999' })).rejects.toMatchObject({ code: 'not_found' })
  })
})
