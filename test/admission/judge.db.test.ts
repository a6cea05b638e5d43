import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createJudge } from '../../src/admission/judge.ts'
import { partSubmission } from '../../src/admission/part-record.ts'
import { createProduction } from '../../src/admission/production.ts'
import { runPayload } from '../../src/admission/run-record.ts'
import { digestOf, keys } from '../../src/admission/run.ts'
import { createRunsStore } from '../../src/admission/runs-store.ts'
import { type RunFields, sealSubmission } from '../../src/admission/submissions.ts'
import type { Submission } from '../../src/ledger/decide.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import { inventoryPayloads } from '../../src/record/run.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'
import { type ContractService, aPrincipal, openContracts } from './contract-service.ts'

/** Seals are judged at the head that they extend: by the contract published then, against the counting seal before them. */

const ledger = 'main/unit'
const link = { chain: 7n, index: 0, dictionary: undefined }
const tests = { total: 1, passed: 1, failed: 0, skipped: 0 }

let database: TestDatabase
let nodes: TestNode[]
let changes: TestNode
let contracts: ContractService
beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  const signer = await createMemorySigner()
  nodes = [await openNode(database.db, signer, 'a'), await openNode(database.db, signer, 'b')]
  changes = await openNode(database.db, signer, 'a', 'main/changes')
  contracts = openContracts(database.db, changes)
})
afterAll(async () => {
  for (const { book } of [...nodes, changes]) await book.close()
  await database.drop()
})

const nodeOf = (i: number): TestNode => nodes[i] ?? changes
const judgeOf = (node: TestNode) =>
  createJudge({
    contracts: contracts.contracts,
    production: createProduction(createRunsStore(database.db, node.reader).inventoryOf),
  })

interface Pushed {
  found?: number
  commit?: string
  repository?: string
  filesDigest?: string
  tool?: string
  node?: number
}

/** A run with one part, all but sealed. */
async function push(
  name: string,
  { found = 10, commit = 'c'.repeat(40), repository = 'r', filesDigest, tool, node = 0 }: Pushed,
): Promise<RunFields> {
  const run = `local.${name}.api.unit`
  const body = { repository, test_type: 'unit', suite: 's', commit, ref: 'refs/heads/main' } as const
  const { fields, payload } = runPayload(ledger, run, body, undefined, { method: 'token', subject: 'token:1' })
  const totals = { files: 1, lines: { found, covered: 5, partial: 0, missed: found - 5 } }
  const summary = {
    sha256: 'a'.repeat(64), bytes: 1, format: 'lcov', metric: 'line' as const, definition: 'lcov.da@1', tool: tool === undefined ? null : { name: tool }, incomplete: null,
    filesDigest, totals: { recomputed: totals, declared: null }, refused: { count: 0, first: [] }, unresolved: { count: 0, first: [] },
  } // oxfmt-ignore
  await nodeOf(node).book.appender.submit([
    {
      key: keys.run(run),
      digest: digestOf(run),
      run,
      conflict: 'run_conflict',
      segments: [packSegment('run', [payload])],
    },
    partSubmission({ id: fields, part: 'p', digest: digestOf(run), parameters: {}, summary }, link, async () => {}),
  ])
  return fields
}
const sealOf = (run: RunFields, node = 0): Submission =>
  sealSubmission(run, { outcome: 'completed', tests }, link, async () => {}, judgeOf(nodeOf(node)).judge)
const seal = async (run: RunFields, node = 0) => {
  const [recorded] = await nodeOf(node).book.appender.submit([sealOf(run, node)])
  if (recorded === undefined) throw new Error('nothing was recorded')
  return {
    recorded,
    fields: JSON.parse((await nodeOf(0).reader.payload(ledger, recorded.firstSeq)).toString()) as Record<
      string,
      unknown
    >,
  }
}
const register = (repository: string, parent: number, text: string) =>
  contracts.register(aPrincipal(['operate']), {
    repository,
    parent,
    text: `version: 1\nrefs: [refs/heads/main]\n${text}`,
  })
const inventory = async (commit: string, files: Record<string, string>, repository = 'r'): Promise<void> => {
  const list = Object.entries(files).map(([path, blob]) => ({ path, blob }))
  const segments = [packSegment('inventory', inventoryPayloads(ledger, repository, commit, list))]
  const key = keys.inventory(repository, commit)
  await nodeOf(0).book.appender.submit([
    { key, digest: digestOf(key), firstWins: true, conflict: 'internal', segments },
  ])
}

describe('a seal', () => {
  it('is compared with the counting seal before it, also when both come with one append', async () => {
    const repository = 'r/together'
    const runs = await Promise.all(
      ['t1', 't2', 't3'].map((name, i) => push(name, { repository, filesDigest: 'f', found: 10 + i })),
    )
    const recorded = await nodeOf(0).book.appender.submit(runs.map((run) => sealOf(run)))
    expect(recorded.map(({ firstSeq }) => firstSeq - (recorded[0]?.firstSeq ?? 0))).toEqual([0, 1, 2])
    const seals = await Promise.all(
      recorded.map(
        async ({ firstSeq }) =>
          JSON.parse((await nodeOf(0).reader.payload(ledger, firstSeq)).toString()) as Record<string, unknown>,
      ),
    )
    expect(seals.map((one) => one['unexplained_change'])).toEqual([
      undefined,
      {
        run: 'local.t1.api.unit',
        seq: recorded[0]?.firstSeq,
        count: 1,
        changes: [{ what: 'found', measure: 'line lcov.da@1', from: '10', to: '11' }],
      },
      {
        run: 'local.t2.api.unit',
        seq: recorded[1]?.firstSeq,
        count: 1,
        changes: [{ what: 'found', measure: 'line lcov.da@1', from: '11', to: '12' }],
      },
    ])
  })

  it('passes over seals that do not count, other suites and other refs', async () => {
    const repository = 'r/passes'
    await register(repository, 0, 'suites: [{ name: s, test_type: unit, tool: nyc }]')
    const first = await seal(await push('p1', { repository, tool: 'nyc' }))
    expect(first.fields).toMatchObject({ admitted: true, contract_version: 1 })
    const refused = await seal(await push('p2', { repository, tool: 'c8' }))
    expect(refused.fields).toMatchObject({
      admitted: false,
      reasons: ['tool_differs'],
      unexplained_change: { run: 'local.p1.api.unit', changes: [{ what: 'tool', from: 'nyc', to: 'c8' }] },
    })
    expect((await seal(await push('p3', { repository, tool: 'nyc' }))).fields['unexplained_change']).toBeUndefined()
    const { fields } = await seal({ ...(await push('p4', { repository, tool: 'other' })), ref: 'refs/heads/topic' })
    expect(fields['unexplained_change']).toBeUndefined()
  })

  it('on two nodes at once says what stands before it in the ledger, whoever lost the fence', async () => {
    const repository = 'r/two'
    const runs = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        push(`two${i}`, { repository, filesDigest: 'f', found: 10 + i, node: i % 2 }),
      ),
    )
    const sealed = await Promise.all(runs.map((run, i) => seal(run, i % 2)))
    const ordered = sealed.toSorted((a, b) => a.recorded.firstSeq - b.recorded.firstSeq)
    for (const [i, { fields }] of ordered.entries()) {
      const before = ordered[i - 1]
      const against = before && { run: before.fields['run'], seq: before.recorded.firstSeq }
      expect(fields['unexplained_change']).toEqual(against && expect.objectContaining(against))
    }
  })

  it('is judged by the contract that stands when it is recorded, and never again', async () => {
    const repository = 'r/then'
    const run = await push('then', { repository })
    const before = await seal(await push('before', { repository }))
    expect(before.fields).not.toHaveProperty('contract')
    const { registered } = await register(repository, 0, 'suites: [{ name: other, test_type: unit }]')
    const judged = await seal(run)
    expect(judged.fields).toMatchObject({
      admitted: false,
      reasons: ['suite_not_named'],
      contract: registered.contract,
    })
    await register(repository, 1, 'mode: observe\nsuites: [{ name: other, test_type: unit }]')
    const again = await seal(run, 1)
    expect(again.recorded).toMatchObject({ firstSeq: judged.recorded.firstSeq, repeated: true })
    expect(again.fields).toEqual(judged.fields)
    expect((await seal(await push('later', { repository }))).fields).toMatchObject({
      admitted: true,
      observed: ['suite_not_named'],
      contract_version: 2,
    })
  })

  it('takes production files from the inventory of the commit, whatever the report mentions', async () => {
    const repository = 'r/production'
    await register(repository, 0, 'production: { include: [src/**], exclude: [{ glob: src/gen/**, reason: made }] }')
    const commits = ['1', '2', '3', '4'].map((digit) => digit.repeat(40))
    const blob = (digit: string): string => digit.repeat(40)
    await inventory(
      commits[0] ?? '',
      { 'src/a.ts': blob('a'), 'src/gen/x.ts': blob('b'), 'test/a.ts': blob('c') },
      repository,
    )
    await inventory(
      commits[1] ?? '',
      { 'src/a.ts': blob('a'), 'src/gen/x.ts': blob('d'), 'test/b.ts': blob('e') },
      repository,
    )
    await inventory(
      commits[2] ?? '',
      { 'src/a.ts': blob('f'), 'src/gen/x.ts': blob('b'), 'test/a.ts': blob('c') },
      repository,
    )
    const digests: unknown[] = []
    for (const [i, commit] of commits.entries())
      digests.push(
        (await seal(await push(`prod${i}`, { repository, commit, filesDigest: `f${i}` }))).fields['production_digest'],
      )
    expect(digests[0]).toMatch(/^[0-9a-f]{64}$/)
    expect(digests[1]).toBe(digests[0])
    expect(digests[2]).not.toBe(digests[0])
    expect(digests[3]).toBeUndefined() // no inventory: it is not known
  })
})
