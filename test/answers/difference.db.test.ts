import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type DifferenceAnswer, answerDifference } from '../../src/answers/difference.ts'
import { createInventories } from '../../src/answers/inventories.ts'
import { createRunEvidences } from '../../src/answers/run-evidence.ts'
import type { HeldContract, SubjectDeps } from '../../src/answers/subject.ts'
import { parseContract } from '../../src/contract/contract.ts'
import { catchUpDecisions } from '../../src/history/decisions.ts'
import { createHistories } from '../../src/history/ledger-history.ts'
import { createProjection } from '../../src/history/projection.ts'
import type { LineCoverage } from '../../src/record/coverage.ts'
import { fromSorted } from '../../src/record/lines.ts'
import type { LedgerName } from '../../src/record/record.ts'
import { ensurePartitions } from '../../src/service/storage.ts'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type TestNode, createMemorySigner, openNode } from '../support/ledger.ts'
import { type RunToRecord, recordInventory, recordMaps, recordRun } from '../support/record-runs.ts'

const ledgers: LedgerName[] = ['main/unit', 'main/integration', 'main/changes']
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

/** Answers the id of the run. */
async function push(
  type: 'unit' | 'integration',
  commit: string,
  files: LineCoverage[],
  more: Partial<RunToRecord> = {},
) {
  const run = `ci.${count++}.${more.suite ?? 'api'}.${type}`
  await recordRun(nodes[type].book, { run, repository, suite: 'api', commit: id(commit), parts: [{ name: 'lcov.info', files }], ...more }) // oxfmt-ignore
  return run
}

async function difference(a: string, b: string, asOf?: string): Promise<DifferenceAnswer> {
  const { db } = database
  for (const type of ['unit', 'integration'] as const) {
    const { reader } = nodes[type]
    const size = (await reader.published(`main/${type}`))?.size ?? 0
    await createProjection({ db, reader, readList: async () => undefined }, `main/${type}`).catchUp(size, new AbortController().signal) // oxfmt-ignore
  }
  const { reader } = nodes.changes
  await catchUpDecisions({ db, reader }, 'main/changes', (await reader.published('main/changes'))?.size ?? 0, new AbortController().signal) // oxfmt-ignore
  return answerDifference(deps, ledgers, { repository, a, b, asOf })
}

const told = ({ steps }: DifferenceAnswer) =>
  steps.map(({ kind, side, reason, found, executed, files }) => [kind, side, ...(reason === undefined ? [] : [reason]), found, executed, files]) // oxfmt-ignore
const numbers = ({ a, b, difference: { found, executed } }: DifferenceAnswer) => [`${a.executed}/${a.found}`, `${b.executed}/${b.found}`, found, executed] // oxfmt-ignore

describe('the difference of two numbers', () => {
  it('between what a tool prints of a run and what a report says of its commit: exclusions, suites, test types', async () => {
    contract = `
version: 1
production:
  include: [src/**]
  exclude: [{ glob: 'src/gen/**', reason: generated }, { glob: 'src/old.ts', reason: to be removed }]
`
    await recordInventory(nodes.unit.book, repository, id('one'), { 'src/a.ts': id('src/a.ts'), 'src/gen/x.ts': id('x'), 'src/old.ts': id('o'), 'test/t.ts': id('t') }) // oxfmt-ignore
    const run = await push('unit', 'one', [file('src/a.ts', 'ccmm'), file('src/gen/x.ts', 'cc'), file('src/old.ts', 'm'), file('test/t.ts', 'ccc')]) // oxfmt-ignore
    await push('integration', 'one', [file('src/a.ts', 'cmcm'), file('src/b.ts', 'm')], { suite: 'e2e' })
    const answer = await difference(`run:${run}`, `commit:${id('one')}`)
    expect(numbers(answer)).toEqual(['7/10', '3/5', -5, -4])
    expect(told(answer)).toEqual([
      ['file_only', 'a', 'excluded', -6, -5, 3],
      ['file_only', 'b', 'not_in_commit', 1, 0, 1],
      ['executed_by_other_suite', 'b', 0, 1, 1],
    ])
    expect(answer.steps[0]?.exclusions).toEqual([
      { glob: null, reason: null, files: 1, found: -3, executed: -3 },
      { glob: 'src/gen/**', reason: 'generated', files: 1, found: -2, executed: -2 },
      { glob: 'src/old.ts', reason: 'to be removed', files: 1, found: -1, executed: 0 },
    ])
    expect(answer.steps[2]?.by).toMatchObject([{ test_type: 'integration', suite: 'e2e', lines: 1 }])
    expect(answer.only_b.suites).toEqual([{ test_type: 'integration', suite: 'e2e' }])
    expect(answer.same).toBe(3)
    const ofType = await difference(`run:${run};files=production`, `commit:${id('one')};test_type=unit`)
    expect(numbers(ofType)).toEqual(['2/4', '2/4', 0, 0])
    expect(ofType.steps).toEqual([])
  })

  it('between two commits: lines and files that came, went, were changed, renamed, or cannot be followed', async () => {
    const blobs = (of: Record<string, string>) => Object.fromEntries(Object.entries(of).map(([path, name]) => [path, id(name)])) // oxfmt-ignore
    const { book } = nodes.unit
    await recordInventory(book, repository, id('one'), blobs({ 'a.ts': 'a1', 'b.ts': 'b1', 'c.ts': 'c1', 'd.ts': 'd1', 'e.ts': 'e1', 'same.ts': 's' })) // oxfmt-ignore
    await recordInventory(book, repository, id('two'), blobs({ 'a.ts': 'a3', 'b2.ts': 'b2', 'moved/c.ts': 'c1', 'e.ts': 'e2', 'f.ts': 'f', 'same.ts': 's' })) // oxfmt-ignore
    await push('unit', 'one', [
      file('a.ts', 'cmc', { blob: id('a1') }),
      file('b.ts', 'cc', { blob: id('b1') }),
      file('c.ts', 'cm', { blob: id('c1') }),
      file('d.ts', 'c', { blob: id('d1') }),
      file('e.ts', 'ccc', { blob: id('e1') }),
      file('same.ts', 'cm', { blob: id('s') }),
    ])
    await push('unit', 'two', [
      file('a.ts', 'c.mc', { blob: id('a3') }),
      file('b2.ts', '.mc', { blob: id('b2') }),
      file('moved/c.ts', 'cm', { blob: id('c1') }),
      file('e.ts', 'mm', { blob: id('e2') }),
      file('f.ts', 'cm', { blob: id('f') }),
      file('same.ts', 'cc', { blob: id('s') }),
    ])
    // Over a version that lies between the two: line 1 goes, then a line comes in front, and one behind it.
    await recordMaps(book, repository, { from: id('one'), to: id('two'), run: 'local.1.api.unit' }, [
      { from: { path: 'a.ts', blob: id('a1') }, to: { path: 'a.ts', blob: id('a2') }, hunks: [1, 1, 0, 0] },
      { from: { path: 'a.ts', blob: id('a2') }, to: { path: 'a.ts', blob: id('a3') }, hunks: [0, 0, 1, 2] },
      { from: { path: 'b.ts', blob: id('b1') }, to: { path: 'b2.ts', blob: id('b2') }, hunks: [0, 0, 1, 1] },
    ])
    const answer = await difference(`commit:${id('one')}`, `commit:${id('two')}`)
    expect(numbers(answer)).toEqual(['10/13', '7/13', 0, -3])
    expect(told(answer)).toEqual([
      ['file_only', 'a', 'not_in_commit', -1, -1, 1], // d.ts
      ['file_only', 'b', 'not_in_commit', 2, 1, 1], // f.ts
      ['changed_line', 'a', -1, -1, 1], // a.ts:1
      ['changed_line', 'b', 1, 1, 1], // a.ts:1, another one
      ['changed_file', null, -1, -3, 1], // e.ts
      ['executed_only', 'a', 0, -1, 1], // b.ts:1, now b2.ts:2
      ['executed_only', 'b', 0, 1, 1], // same.ts:2
    ])
    expect(answer.steps.find(({ kind, side }) => kind === 'executed_only' && side === 'a')?.largest).toEqual([{ path: 'b2.ts', found: 0, executed: -1 }]) // oxfmt-ignore
    // There and back again is the same way with other signs.
    const back = await difference(`commit:${id('two')}`, `commit:${id('one')}`)
    expect(back.difference).toEqual({ found: 0, executed: 3 })
    expect(back.same).toBe(answer.same)
  })

  it('between definitions: lines that only one of them counts; which one is meant has to be said', async () => {
    const other = { definition: 'llvm-cov.segment@1' }
    const run = await push('unit', 'one', [file('a.c', 'c.mm'), file('u.c', 'c')])
    const clang = await push('unit', 'one', [file('a.c', 'ccc.', other)], { suite: 'clang' })
    await push('integration', 'one', [file('a.c', 'cmmm'), file('u.c', 'm', other)], { suite: 'e2e' })
    const answer = await difference(`run:${run}`, `run:${clang}`)
    expect(told(answer)).toEqual([
      ['file_only', 'a', 'no_inventory', -1, -1, 1],
      ['line_only', 'a', -1, 0, 1],
      ['line_only', 'b', 1, 1, 1],
      ['executed_by_other_suite', 'b', 0, 1, 1],
    ])
    await expect(difference(`commit:${id('one')}`, `run:${run}`)).rejects.toMatchObject({ code: 'request_invalid', message: expect.stringContaining('there are lcov.da@1, llvm-cov.segment@1') }) // oxfmt-ignore
    const lcov = await difference(`commit:${id('one')};definition=lcov.da@1`, `run:${run}`)
    // u.c was measured by another definition in integration: a report has it in no figure of both.
    expect(told(lcov)).toEqual([['file_only', 'b', 'not_comparable', 1, 1, 1], ['line_only', 'a', -1, 0, 1]]) // oxfmt-ignore
    const suites = await difference(`suite:${id('one')}/unit/clang`, `suite:${id('one')}/integration/e2e;definition=lcov.da@1`) // oxfmt-ignore
    expect(numbers(suites)).toEqual(['3/3', '1/4', 1, -2])
  })

  it('of a run that does not count can be asked, of one that is not there or nobody sealed not', async () => {
    const run = await push('unit', 'one', [file('a.c', 'cm')], { reasons: ['no_tests'] })
    const good = await push('unit', 'one', [file('a.c', 'cc')])
    const answer = await difference(`run:${run}`, `run:${good}`)
    expect(told(answer)).toEqual([['executed_only', 'b', 0, 1, 1]])
    expect([answer.a.runs[0]?.admitted, answer.b.runs[0]?.admitted]).toEqual([false, true])
    for (const [text, code] of [
      ['run:ci.none.api.unit', 'not_found'],
      [`commit:${id('none')}`, 'not_found'],
      [`suite:${id('one')}/unit/none`, 'not_found'],
      [`commit:${id('one')};definition=go@1`, 'not_found'],
      [`suite:${id('one')}/other/api`, 'request_invalid'],
      [`commit:${id('one')};test_type=none`, 'request_invalid'],
      [`run:${run};test_type=unit`, 'request_invalid'],
      [`commit:${id('one')};files=some`, 'request_invalid'],
      [`commit:${id('one')};colour=red`, 'request_invalid'],
      ['branch:main', 'request_invalid'],
    ])
      await expect(difference(text!, `run:${good}`)).rejects.toMatchObject({ code })
  })

  it('is the same answer as of the same sizes, whatever was recorded since', async () => {
    const run = await push('unit', 'one', [file('a.c', 'cm')])
    await push('unit', 'two', [file('a.c', 'cc')])
    const first = await difference(`run:${run}`, `commit:${id('two')}`)
    await push('unit', 'two', [file('a.c', 'cc'), file('b.c', 'c')])
    expect((await difference(`run:${run}`, `commit:${id('two')}`)).difference).toEqual({ found: 1, executed: 2 })
    expect(JSON.stringify(await difference(`run:${run}`, `commit:${id('two')}`, first.as_of))).toBe(JSON.stringify(first)) // oxfmt-ignore
  })
})
