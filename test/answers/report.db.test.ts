import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createInventories } from '../../src/answers/inventories.ts'
import { answerPeriod } from '../../src/answers/period.ts'
import { type ReportAnswer, type ReportQuestion, answerReport } from '../../src/answers/report.ts'
import { createRunEvidences } from '../../src/answers/run-evidence.ts'
import type { HeldContract, SubjectDeps } from '../../src/answers/subject.ts'
import { parseContract } from '../../src/contract/contract.ts'
import { catchUpDecisions } from '../../src/history/decisions.ts'
import { viewOf } from '../../src/history/file-facts.ts'
import { createHistories } from '../../src/history/ledger-history.ts'
import { createProjection } from '../../src/history/projection.ts'
import { packSegment } from '../../src/ledger/segments.ts'
import type { LineCoverage } from '../../src/record/coverage.ts'
import { fromSorted } from '../../src/record/lines.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { printPayload } from '../../src/record/run.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'
import { type RunToRecord, recordInventory, recordRun } from '../support/record-runs.ts'

const ledgers: LedgerName[] = ['main/unit', 'main/integration', 'main/changes']
const going = new AbortController().signal
let database: TestDatabase
let nodes: { unit: TestNode; integration: TestNode; changes: TestNode }
let deps: SubjectDeps
let repository = ''
let contract: string | undefined
let count = 0

beforeAll(async () => {
  database = await createTestDatabase()
  await ensurePartitions(database.db)
  const signer = await createMemorySigner()
  const open = (ledger: LedgerName) => openNode(database.db, signer, 'a', ledger)
  nodes = { unit: await open('main/unit'), integration: await open('main/integration'), changes: await open('main/changes') }
  const { reader } = nodes.unit
  deps = {
    db: database.db,
    reader,
    histories: createHistories(database.db),
    evidences: createRunEvidences({ db: database.db, reader, readList: async () => undefined }),
    inventories: createInventories(reader),
    contractAt: async (): Promise<HeldContract> => {
      if (contract === undefined) return { own: undefined, org: undefined, effective: undefined }
      return { own: { contract: 'c'.repeat(64), contract_version: 1 }, org: undefined, effective: parseContract(contract) }
    },
  }
}) // oxfmt-ignore
afterAll(async () => {
  for (const { book } of Object.values(nodes)) await book.close()
  await database.drop()
})
beforeEach(() => {
  repository = `github.com/acme/pay${count++}`
  contract = undefined
})

const id = (name: string): string => Buffer.from(name).toString('hex').padEnd(40, '0').slice(0, 40)
/** `cpm.`: what each line is, from line 1; a dot is no code. */
const file = (path: string, states: string, more: Partial<LineCoverage> = {}): LineCoverage => {
  const of = (letter: string) => fromSorted(Array.from(states).flatMap((state, i) => (state === letter ? [i + 1] : [])))
  return { path, blob: id(path), metric: 'line', definition: 'lcov.da@1', covered: of('c'), partial: of('p'), missed: of('m'), ...more } // oxfmt-ignore
}

type Suite = 'unit' | 'integration'
async function push(
  type: Suite,
  commit: string,
  files: LineCoverage[],
  more: Partial<RunToRecord> = {},
): Promise<void> {
  await recordRun(nodes[type].book, {
    run: `ci.${count++}.${more.suite ?? 'api'}.${type}`, repository, suite: 'api', ref: 'refs/heads/main', commit: id(commit), parts: [{ name: 'lcov.info', files }], ...more,
  }) // oxfmt-ignore
}

async function decide(kind: 'build' | 'deployment', key: string, fields: object): Promise<void> {
  const payload = printPayload(kind, 'main/changes', { repository, ...fields })
  await nodes.changes.book.appender.submit([
    { key: `${kind}:${repository}/${key}`, digest: Buffer.alloc(32, 1), conflict: 'run_conflict', segments: [packSegment(kind, [payload])] },
  ]) // oxfmt-ignore
}

async function report(asked: Omit<ReportQuestion, 'repository'>): Promise<ReportAnswer> {
  await catchUp()
  return answerReport(deps, ledgers, { repository, ...asked })
}

async function catchUp(): Promise<void> {
  const { db } = database
  for (const type of ['unit', 'integration'] as const) {
    const { reader } = nodes[type]
    const size = (await reader.published(`main/${type}`))?.size ?? 0
    await createProjection({ db, reader, readList: async () => undefined }, `main/${type}`).catchUp(size, going)
  }
  const { reader } = nodes.changes
  await catchUpDecisions({ db, reader }, 'main/changes', (await reader.published('main/changes'))?.size ?? 0, going)
}

const twoSuites = `
version: 1
production:
  include: [src/**]
  exclude: [{ glob: src/gen/**, reason: generated }]
suites:
  - { name: api, test_type: unit, owner: team-pay }
  - { name: e2e, test_type: integration, owner: team-web }
  - { name: slow, test_type: integration, required: false }
`

describe('the report of a commit', () => {
  it('unites runs line by line and tells what each test type executed', async () => {
    await push('unit', 'one', [file('src/a.ts', 'ccmm.m'), file('src/b.ts', 'mm')])
    await push('unit', 'one', [file('src/a.ts', 'mcpm.m'), file('src/b.ts', 'mm')])
    await push('integration', 'one', [file('src/a.ts', 'mmmc.m'), file('src/b.ts', 'cm')], { suite: 'e2e' })
    const { complete, reason, figures, hidden, files, runs } = await report({ commit: id('one') })
    expect({ complete, reason, runs: runs.length }).toEqual({ complete: false, reason: 'no_contract', runs: 3 })
    expect(figures).toEqual([
      {
        definition: 'lcov.da@1',
        unit: { files: 2, found: 7, covered: 2, partial: 1, missed: 4, executed: 3 },
        integration: { files: 2, found: 7, covered: 2, partial: 0, missed: 5, executed: 2 },
        both: { files: 2, found: 7, executed: 5, only_unit: 3, only_integration: 2, both: 0, none: 2 },
        not_comparable: { files: 0, unit: null, integration: null },
        suites: [
          { test_type: 'unit', suite: 'api', files: 2, found: 7, covered: 2, partial: 1, missed: 4, executed: 3 },
          {
            test_type: 'integration',
            suite: 'e2e',
            files: 2,
            found: 7,
            covered: 2,
            partial: 0,
            missed: 5,
            executed: 2,
          },
        ],
      },
    ])
    expect(hidden).toEqual([
      { path: 'src/a.ts', definition: 'lcov.da@1', lines: 1, unit: 'missed', ranges: '4' },
      { path: 'src/b.ts', definition: 'lcov.da@1', lines: 1, unit: 'missed', ranges: '1' },
    ])
    expect(files.map(({ path }) => path)).toEqual(['src/a.ts', 'src/b.ts'])
  })

  it('leaves out by name what does not count, and names missing suites with why', async () => {
    contract = twoSuites
    await push('unit', 'one', [file('src/a.ts', 'cm')])
    await push('integration', 'one', [file('src/a.ts', 'cc')], { suite: 'e2e', reasons: ['outcome_failed', 'no_tests'] })
    const told = await report({ commit: id('one').slice(0, 9) })
    expect(told.subject.commit).toBe(id('one'))
    expect(told.complete).toBe(false)
    expect(told.missing).toEqual([{ test_type: 'integration', suite: 'e2e', owner: 'team-web', reasons: ['no_tests', 'outcome_failed'] }])
    expect(told.left_out.map(({ suite, reasons }) => ({ suite, reasons }))).toEqual([{ suite: 'e2e', reasons: ['outcome_failed', 'no_tests'] }])
    expect(told.figures[0]?.integration).toBeNull()
    const nothing = await report({ commit: id('two') })
    expect(nothing.missing.map(({ suite, reasons }) => [suite, reasons])).toEqual([['api', ['no_run']], ['e2e', ['no_run']]])
    expect(nothing.figures).toEqual([])
    await push('integration', 'one', [file('src/a.ts', 'cc')], { suite: 'e2e' })
    expect(await report({ commit: id('one') })).toMatchObject({ complete: true, missing: [] })
  }) // oxfmt-ignore

  it('counts production files only, names those that nobody measured, and keeps the others apart', async () => {
    contract = twoSuites
    const inventory = { 'src/a.ts': id('a'), 'src/b.ts': id('b'), 'src/gen/x.ts': id('x'), 'test/t.ts': id('t'), 'src/c.ts': id('c') }
    await recordInventory(nodes.unit.book, repository, id('one'), inventory)
    await push('unit', 'one', [file('src/a.ts', 'cm'), file('src/gen/x.ts', 'mmm'), file('test/t.ts', 'c')])
    await push('integration', 'one', [file('src/c.ts', 'ppm')], { suite: 'e2e' })
    const { production, inventory: told, not_measured, not_measured_by, not_production, figures, hidden } = await report({ commit: id('one') })
    expect({ production, told }).toEqual({ production: 'contract', told: { files: 5, production_files: 3 } })
    expect({ not_measured, not_measured_by }).toEqual({ not_measured: ['src/b.ts'], not_measured_by: { unit: ['src/c.ts'], integration: ['src/a.ts'] } })
    expect(not_production).toEqual([{ definition: 'lcov.da@1', unit: { files: 2, found: 4, covered: 1, partial: 0, missed: 3, executed: 1 }, integration: null }])
    expect(figures[0]?.both).toEqual({ files: 2, found: 5, executed: 3, only_unit: 1, only_integration: 2, both: 0, none: 2 })
    expect(hidden).toEqual([{ path: 'src/c.ts', definition: 'lcov.da@1', lines: 2, unit: 'not_measured', ranges: '1-2' }])
  }) // oxfmt-ignore

  it('adds up nothing of two definitions', async () => {
    await push('unit', 'one', [file('a.c', 'cm'), file('b.c', 'c')])
    await push('integration', 'one', [file('a.c', 'mcc', { definition: 'llvm.line@1' })], { suite: 'e2e' })
    const { figures, not_comparable, hidden } = await report({ commit: id('one') })
    expect(not_comparable).toEqual([{ path: 'a.c', unit: ['lcov.da@1'], integration: ['llvm.line@1'] }])
    expect(hidden).toEqual([])
    expect(figures.map(({ definition, both, not_comparable: apart }) => [definition, both.files, both.found, apart.files, apart.unit?.found, apart.integration?.found])).toEqual([
      ['lcov.da@1', 1, 1, 1, 2, undefined],
      ['llvm.line@1', 0, 0, 1, undefined, 3],
    ])
  }) // oxfmt-ignore

  it('is answered from a commit with the same production files, and says so', async () => {
    contract = twoSuites
    const files = { 'src/a.ts': id('a'), 'README.md': id('first') }
    for (const commit of ['one', 'docs', 'code'])
      await recordInventory(nodes.unit.book, repository, id(commit), { ...files, 'README.md': id(commit), ...(commit === 'code' ? { 'src/a.ts': id('other') } : {}) })
    expect((await report({ commit: id('one') })).inventory).toEqual({ files: 2, production_files: 1 })
    const digest = createHash('sha256').update(`src/a.ts\0${id('a')}\n`).digest('hex')
    await push('unit', 'one', [file('src/a.ts', 'cm')], { production: digest })
    expect(await report({ commit: id('docs') })).toMatchObject({ answered_from: null, figures: [] })
    await push('integration', 'one', [file('src/a.ts', 'mc')], { suite: 'e2e', production: digest })
    const docs = await report({ commit: id('docs') })
    expect(docs).toMatchObject({
      subject: { commit: id('docs') },
      complete: true,
      answered_from: { commit: id('one'), production_digest: digest },
    })
    expect(docs.runs.map(({ commit }) => commit)).toEqual([id('one'), id('one')])
    expect(await report({ commit: id('code') })).toMatchObject({ answered_from: null, complete: false })
  }) // oxfmt-ignore

  it('says what changed since the nearest first parent that was measured', async () => {
    const parents = { parents: [id('one')] }
    await push('unit', 'one', [file('a.ts', 'ccmm')])
    await push('unit', 'two', [file('a.ts', 'ccmm')], { ...parents, reasons: ['no_tests'] })
    await push('unit', 'three', [file('a.ts', 'cccm'), file('b.ts', 'm')], { parents: [id('two'), id('one')] })
    await push('integration', 'three', [file('a.ts', 'cccm')], { suite: 'e2e', parents: [id('two'), id('one')] })
    const { changed } = await report({ commit: id('three') })
    expect(changed).toEqual({
      against: { why: 'first_parent', commit: id('one') },
      suites: [{ test_type: 'integration', suite: 'e2e', changes: [{ what: 'suite', from: null, to: 'measured' }] }],
      figures: [{ definition: 'lcov.da@1', unit: { files: 1, found: 1, executed: 1 }, integration: null, both: { files: 1, found: 1, executed: 1 } }],
    })
    expect((await report({ commit: id('one') })).changed).toBeNull()
  }) // oxfmt-ignore

  it('is the same byte by byte as of the same sizes, whatever was recorded since', async () => {
    await push('unit', 'one', [file('a.ts', 'ccmm')])
    const before = await report({ commit: id('one') })
    await push('unit', 'one', [file('a.ts', 'cccc')])
    await push('integration', 'one', [file('b.ts', 'c')])
    expect(JSON.stringify(await report({ commit: id('one'), asOf: before.as_of }))).toBe(JSON.stringify(before))
    expect((await report({ commit: id('one') })).runs).toHaveLength(3)
  })

  it('is none as of sizes at which nothing of the repository was recorded, also when something is by now', async () => {
    await push('unit', 'one', [file('a.ts', 'c')])
    const asOf = (await report({ commit: id('one') })).as_of
    repository = `github.com/acme/later${count}`
    await push('unit', 'one', [file('a.ts', 'c')])
    expect((await report({ commit: id('one') })).runs).toHaveLength(1)
    await expect(report({ commit: id('one'), asOf })).rejects.toMatchObject({ code: 'not_found' })
    // A contract is something that is known of it.
    contract = twoSuites
    expect((await report({ commit: id('one'), asOf })).missing).toHaveLength(2)
  })
})

describe('the report of a build and of a deployment', () => {
  it('is that of its commit, and tells which runs name the build', async () => {
    await push('unit', 'one', [file('a.ts', 'ccmm')])
    await decide('build', '7', { build: 'pay-7', commit: id('one'), ref: 'refs/heads/main' })
    const { subject, of_build, runs } = await report({ build: 'pay-7' })
    expect(subject).toMatchObject({ commit: id('one'), build: { build: 'pay-7' } })
    expect({ of_build, builds: runs.map(({ build }) => build) }).toEqual({ of_build: 0, builds: [null] })
    await expect(report({ build: 'pay-8' })).rejects.toMatchObject({ code: 'not_found' })
  })

  it('leaves out what was recorded after the deployment', async () => {
    await push('unit', 'one', [file('a.ts', 'ccmm')])
    await decide('deployment', 'd1', { deployment: 'd1', environment: 'production', commit: id('one') })
    await push('unit', 'one', [file('a.ts', 'cccc')])
    await push('unit', 'two', [file('a.ts', 'cccm')])
    await decide('deployment', 'd2', { deployment: 'd2', environment: 'staging', commit: id('one') })
    await decide('deployment', 'd3', { deployment: 'd3', environment: 'production', commit: id('two') })
    const first = await report({ deployment: 'd1' })
    expect(first.figures[0]?.unit).toMatchObject({ found: 4, executed: 2 })
    expect(first.left_out.map(({ reasons }) => reasons)).toEqual([['after_deployment']])
    const third = await report({ deployment: 'd3' })
    expect(third.changed).toMatchObject({
      against: { why: 'previous_deployment', deployment: 'd1', commit: id('one') },
      figures: [{ unit: { found: 0, executed: 1 } }],
    })
  })
})

describe('the report of a period', () => {
  const period = async (asked: { from?: string; to?: string; asOf?: string; after?: string } = {}) => {
    await catchUp()
    return answerPeriod(deps, ledgers, { repository, ref: 'refs/heads/main', ...asked })
  }
  const child = (commit: string) => ({ parents: [id(commit)] })

  it('sets the end beside the beginning, names days and suites without evidence, and has a row for each deployment', async () => {
    contract = twoSuites
    await push('unit', 'one', [file('src/a.ts', 'ccmm')])
    await decide('deployment', 'd0', { deployment: 'd0', environment: 'production', commit: id('one') })
    await catchUp()
    const from = (await report({ commit: id('one') })).runs[0]!.recorded_at
    await push('unit', 'two', [file('src/a.ts', 'cccm')], child('one'))
    await push('unit', 'two', [file('src/a.ts', 'cccc')], { ...child('one'), reasons: ['outcome_failed', 'no_tests'] })
    await push('unit', 'topic', [file('src/a.ts', 'mmmm')], { ...child('one'), ref: 'refs/heads/topic' })
    await decide('deployment', 'd1', { deployment: 'd1', environment: 'production', commit: id('two'), decision: 'incomplete' })
    const to = (await report({ deployment: 'd1' })).subject.deployment!.recorded_at
    await push('unit', 'two', [file('src/a.ts', 'cccc')], child('one'))
    const after = new Date(Date.parse(to) + 1).toISOString()
    const told = await period({ from: new Date(Date.parse(from) + 1).toISOString(), to: after })
    const lines = (executed: number) => ({ definition: 'lcov.da@1', both: { found: 4, executed, only_unit: executed } })
    expect(told.start).toMatchObject({ commit: id('one'), complete: false, figures: [lines(2)] })
    expect(told.end).toMatchObject({ commit: id('two'), figures: [lines(3)], missing: [{ suite: 'e2e', reasons: ['no_run'] }] })
    expect(told.changed?.figures).toEqual([{ definition: 'lcov.da@1', unit: { files: 0, found: 0, executed: 1 }, integration: null, both: { files: 0, found: 0, executed: 1 } }])
    expect(told.runs).toEqual({ counted: 1, left_out: 1, reasons: { no_tests: 1, outcome_failed: 1 } })
    expect(told.suites.map(({ test_type, suite, runs, no_evidence }) => [test_type, suite, runs, no_evidence.length > 0])).toEqual([
      ['unit', 'api', 1, false],
      ['integration', 'e2e', 0, true],
    ])
    // The run after the deployment is none of it, and the one before the period has its own row elsewhere.
    const rows = told.deployments.filter(({ deployment }) => deployment !== 'd0')
    expect(rows).toMatchObject([{ deployment: 'd1', decision: 'incomplete', complete: false, figures: [lines(3)] }])
    await push('integration', 'two', [file('src/a.ts', 'cccc')], { ...child('one'), suite: 'e2e' })
    expect(JSON.stringify(await period({ from: new Date(Date.parse(from) + 1).toISOString(), to: after, asOf: told.as_of }))).toBe(JSON.stringify(told))
  }) // oxfmt-ignore

  it('lists deployments page by page, each once', async () => {
    await push('unit', 'one', [file('a.ts', 'cm')])
    for (let i = 0; i < 103; i++) await decide('deployment', `d${i}`, { deployment: `d${i}`, environment: 'test', commit: id('one') }) // oxfmt-ignore
    const first = await period()
    expect({ shown: first.deployments.length, next: first.next }).toEqual({ shown: 100, next: first.deployments.at(-1)?.id }) // oxfmt-ignore
    const { deployments, next } = await period({ after: first.next ?? '' })
    expect({ next, names: deployments.map(({ deployment }) => deployment) }).toEqual({ next: null, names: ['d100', 'd101', 'd102'] }) // oxfmt-ignore
    // What follows a deployment that is not there cannot be said.
    await expect(period({ after: 'main.changes-0-0000000000000000' })).rejects.toMatchObject({
      code: 'request_invalid',
    })
  })
})

describe('createInventories', () => {
  it('keeps what was read as long as it takes no more bytes than it may, and the newest whatever it takes', async () => {
    const small = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`f${i}.ts`, id(`f${i}`)]))
    const large = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}.ts`, id(`f${i}`)]))
    for (const [commit, files] of [['s1', small], ['s2', small], ['big', large]] as const) await recordInventory(nodes.unit.book, repository, id(commit), files) // oxfmt-ignore
    await catchUp()
    const size = (await deps.reader.published('main/unit'))?.size ?? 0
    const history = await deps.histories.open('main/unit', repository, 0, size)
    let reads = 0
    const reader = { readBatch: (...args: Parameters<typeof deps.reader.readBatch>) => ((reads += 1), deps.reader.readBatch(...args)) } // oxfmt-ignore
    const inventories = createInventories(reader, 6_000)
    const isRead = async (commit: string): Promise<boolean> => {
      const before = reads
      expect((await inventories.of([viewOf(history!, size)], id(commit)))?.files.size).toBe(commit === 'big' ? 40 : 10)
      return reads > before
    }
    const asked: [string, boolean][] = [['s1', true], ['s2', true], ['s1', false], ['s2', false], ['big', true], ['big', false], ['s1', true], ['s1', false], ['big', true]] // oxfmt-ignore
    for (const [i, [commit, expected]] of asked.entries()) expect([i, await isRead(commit)]).toEqual([i, expected])
  })
})
