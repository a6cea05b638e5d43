import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createJudge } from '../../src/admission/judge.ts'
import { partSubmission } from '../../src/admission/part-record.ts'
import { createProduction } from '../../src/admission/production.ts'
import { runPayload } from '../../src/admission/run-record.ts'
import { digestOf, keys } from '../../src/admission/run.ts'
import { createRunsStore } from '../../src/admission/runs-store.ts'
import { type RunFields, sealSubmission } from '../../src/admission/submissions.ts'
import { createEvidenceWatch } from '../../src/service/evidence-watch.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import type { Finding } from '../../src/watch/alerts.ts'
import { aPrincipal, type ContractService, openContracts } from '../admission/contract-service.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { createMemorySigner, openNode, type TestNode } from '../support/ledger.ts'

const ledger = 'main/unit'
const main = 'refs/heads/main'
const tests = { total: 1, passed: 1, failed: 0, skipped: 0 }
const link = { chain: 7n, index: 0, dictionary: undefined }
const hour = 3_600_000

let database: TestDatabase
let unit: TestNode
let changes: TestNode
let contracts: ContractService
beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  const signer = await createMemorySigner()
  unit = await openNode(database.db, signer)
  changes = await openNode(database.db, signer, 'a', 'main/changes')
  contracts = openContracts(database.db, changes)
})
afterAll(async () => {
  await Promise.all([unit.book.close(), changes.book.close()])
  await database.drop()
})

/** As a process that starts now and lives `hours` later. */
const watchAfter = (hours = 0) =>
  createEvidenceWatch({
    db: database.db,
    reader: unit.reader,
    ofRuns: [ledger],
    changes: 'main/changes',
    runs: createRunsStore(database.db, unit.reader),
    contracts: contracts.contracts,
    everyMs: 1_000,
    unsealedMs: 6 * hour,
    now: () => new Date(Date.now() + hours * hour),
  })
async function find(repository: string, hours = 0): Promise<Pick<Finding, 'code' | 'subject' | 'detail'>[]> {
  const findings = await watchAfter(hours).findings()
  return findings.filter(({ subject }) => subject.split(' ').includes(repository)).map(({ code, subject, detail }) => ({ code, subject, detail })) // oxfmt-ignore
}

const register = (repository: string, parent: number, text: string) =>
  contracts.register(aPrincipal(['operate']), { repository, parent, text: `version: 1\nrefs: [${main}]\n${text}` })

async function declare(repository: string, name: string, { tool = 'nyc', ref = main } = {}): Promise<RunFields> {
  const run = `local.${repository}-${name}.api.unit`
  const body = { repository, test_type: 'unit', suite: 'api', commit: 'c'.repeat(40), ref } as const
  const { fields, payload } = runPayload(ledger, run, body, undefined, { method: 'token', subject: 'token:1' })
  const totals = { files: 1, lines: { found: 10, covered: 5, partial: 0, missed: 5 } }
  const summary = {
    sha256: 'a'.repeat(64), bytes: 1, format: 'lcov', metric: 'line' as const, definition: 'lcov.da@1', tool: { name: tool }, incomplete: null,
    filesDigest: undefined, totals: { recomputed: totals, declared: null }, refused: { count: 0, first: [] }, unresolved: { count: 0, first: [] },
  } // oxfmt-ignore
  await unit.book.appender.submit([
    { key: keys.run(run), digest: digestOf(run), run, conflict: 'run_conflict', segments: [packSegment('run', [payload])] },
    partSubmission({ id: fields, part: 'p', digest: digestOf(run), parameters: {}, summary }, link, async () => {}),
  ]) // oxfmt-ignore
  return fields
}

async function seal(run: RunFields): Promise<void> {
  const production = createProduction(createRunsStore(database.db, unit.reader).inventoryOf)
  const { judge } = createJudge({ contracts: contracts.contracts, production })
  await unit.book.appender.submit([sealSubmission(run, { outcome: 'completed', tests }, link, async () => {}, judge)])
}

describe('the evidence watch', () => {
  it('tells a run without seal after six hours, or after the cadence of its suite, until it has one', async () => {
    const slow = await declare('slow', '1')
    await register('quick', 0, 'suites: [{name: api, test_type: unit, cadence: 2h, required: false}]\n')
    await declare('quick', '1')
    expect(await find('slow', 5)).toEqual([])
    expect(await find('quick', 1)).toEqual([])
    expect(await find('quick', 3)).toMatchObject([{ code: 'run_unsealed', subject: 'main/unit quick api' }])
    expect(await find('slow', 7)).toEqual([{ code: 'run_unsealed', subject: 'main/unit slow api', detail: `${slow.run} has no seal after 7 h` }]) // oxfmt-ignore
    await declare('slow', '2')
    expect(await find('slow', 7)).toMatchObject([{ detail: `${slow.run} has no seal after 7 h, and 1 more` }])
    await seal(slow)
    expect(await find('slow', 7)).toMatchObject([{ detail: expect.stringContaining('slow-2') as string }])
  })

  it('tells a suite without a counting run on a tracked ref for longer than its cadence', async () => {
    await register('regular', 0, 'suites: [{name: api, test_type: unit, cadence: 24h, owner: team a}, {name: other, test_type: unit}]\n') // oxfmt-ignore
    expect(await find('regular', 23)).toEqual([])
    expect(await find('regular', 25)).toEqual([{ code: 'evidence_missing', subject: 'main/unit regular api', detail: 'no run counted ever; the contract wants one every 24h; owner: team a' }]) // oxfmt-ignore
    await seal(await declare('regular', 'branch', { ref: 'refs/heads/topic' }))
    expect(await find('regular', 25)).toMatchObject([{ code: 'evidence_missing' }])
    await seal(await declare('regular', 'main'))
    expect(await find('regular', 23)).toEqual([])
    expect(await find('regular', 50)).toMatchObject([{ code: 'evidence_missing', detail: expect.stringMatching(/no run counted for 2 days/) as string }]) // oxfmt-ignore
  })

  it('tells what changed of a suite without a reason, on tracked refs, once it is published', async () => {
    await register('steady', 0, 'suites: [{name: api, test_type: unit}]\n')
    await seal(await declare('steady', '1'))
    await seal(await declare('steady', 'b1', { ref: 'refs/heads/topic' }))
    await seal(await declare('steady', 'b2', { ref: 'refs/heads/topic', tool: 'other' }))
    expect(await find('steady')).toEqual([])
    await seal(await declare('steady', '2', { tool: 'other' }))
    expect(await find('steady')).toEqual([{ code: 'unexplained_change', subject: `main/unit steady api ${main}`, detail: 'local.steady-2.api.unit: tool (line) nyc -> other' }]) // oxfmt-ignore
    await seal(await declare('steady', '3', { tool: 'other' }))
    expect(await find('steady')).toMatchObject([{ detail: expect.stringContaining('steady-2') as string }])
  })

  it('tells a contract that was refused because another was registered meanwhile', async () => {
    await register('torn', 0, 'suites: [{name: api, test_type: unit}]\n')
    await expect(register('torn', 0, 'suites: [{name: web, test_type: unit}]\n')).rejects.toMatchObject({ code: 'contract_conflict' }) // oxfmt-ignore
    expect(await find('torn')).toMatchObject([{ code: 'contract_conflict', subject: 'torn', detail: expect.stringContaining('version 1') as string }]) // oxfmt-ignore
  })

  it('looks at what is new since the look before, and keeps its answer until the next is due', async () => {
    let hours = 0
    const watch = createEvidenceWatch({
      db: database.db, reader: unit.reader, ofRuns: [ledger], changes: 'main/changes', runs: createRunsStore(database.db, unit.reader),
      contracts: contracts.contracts, everyMs: hour, unsealedMs: 6 * hour, now: () => new Date(Date.now() + hours * hour),
    }) // oxfmt-ignore
    const of = async () => (await watch.findings()).filter(({ subject }) => subject.includes(' later '))
    expect(await of()).toEqual([])
    await seal(await declare('later', '1'))
    await seal(await declare('later', '2', { tool: 'other' }))
    expect(await of()).toEqual([])
    hours = 2
    expect(await of()).toMatchObject([{ code: 'unexplained_change' }])
  })
})
