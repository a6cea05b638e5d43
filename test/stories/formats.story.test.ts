import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestDatabase, createTestDatabase } from '../support/database.ts'
import { type RunningService, aDeclaration, ask, readLedger, startServe, temporaryFolder } from '../support/service.ts'

/** Uploads that are more than a file of one suite, through the running service: what is recorded of them, and how they are asked about. */

let database: TestDatabase
let folder: { path: string; remove(): Promise<void> }
let service: RunningService

beforeAll(async () => {
  database = await createTestDatabase()
  folder = await temporaryFolder('formats')
  service = await startServe({ dataDir: folder.path, databaseUrl: database.url })
})

afterAll(async () => {
  service.signal('SIGTERM')
  await service.ended
  await database.drop()
  await folder.remove()
})

let runs = 0
async function declare(): Promise<string> {
  const run = `local.formats-${runs++}.api.unit`
  const { status } = await ask(service, `/v1/runs/${run}`, { method: 'PUT', body: aDeclaration({ test_type: 'unit' }) })
  expect(status).toBe(201)
  return run
}

const putPart = (run: string, query: Record<string, string>, body: string, headers: Record<string, string> = {}) =>
  ask(service, `/v1/runs/${run}/parts?${new URLSearchParams(query).toString()}`, { method: 'PUT', body, headers })

const recordsOf = async (run: string, kind: string): Promise<Record<string, unknown>[]> =>
  (await readLedger(service, 'unit')).filter((record) => record['run'] === run && record['kind'] === kind)

const resultset = readFileSync(new URL('../fixtures/stamp/resultset.json', import.meta.url), 'utf8')
const events = [
  { event: 'producer', schema: 'proofline.events.v1', tool: { name: 'probe' }, rule: 'acme.statement@1' },
  { event: 'file', path: 'src/a.c', covered: '1-3', missed: '7' },
  { event: 'end', files: 1 },
]
const stream = (list: object[]): string => list.map((event) => `${JSON.stringify(event)}\n`).join('')

describe('what is uploaded', () => {
  it('are coverage events when the content type says so, and their mistakes are told by line', async () => {
    const run = await declare()
    const type = { 'content-type': 'application/x-ndjson; charset=utf-8' }
    const bad = await putPart(run, { name: 'probe' }, stream(events.slice(1)), type)
    expect(bad).toMatchObject({ status: 422, body: { code: 'report_invalid' } })
    expect((bad.body as { detail: string }).detail).toMatch(/line 1: the first event is not the producer event/)

    const other = await putPart(run, { name: 'probe', format: 'lcov' }, stream(events), type)
    expect(other).toMatchObject({ status: 400, body: { code: 'request_invalid' } })

    const taken = await putPart(run, { name: 'probe' }, stream(events), type)
    expect(taken).toMatchObject({
      status: 201,
      body: {
        format: 'events',
        definition: 'events.acme.statement@1',
        totals: { recomputed: { lines: { found: 4 } } },
      },
    })
    expect((await recordsOf(run, 'part'))[0]?.['parameters']).toEqual({ format: 'events' })
    expect((await recordsOf(run, 'rejection')).map(({ reason }) => reason)).toEqual([
      'report_invalid',
      'request_invalid',
    ])
  })

  it('is one suite of a report that has several, named by whoever sends it', async () => {
    const run = await declare()
    const asked = await putPart(run, { name: '.resultset.json' }, resultset)
    expect(asked).toMatchObject({ status: 422, body: { code: 'report_ambiguous' } })
    expect((asked.body as { detail: string }).detail).toContain('"Unit", "Integration"')

    const query = { name: '.resultset.json', section: 'Unit' }
    expect((await putPart(run, query, resultset)).status).toBe(201)
    expect((await putPart(run, query, resultset)).status).toBe(200)
    expect((await recordsOf(run, 'part'))[0]?.['parameters']).toEqual({ section: 'Unit' })
    // The same bytes mean something else with another section.
    const conflict = await putPart(run, { ...query, section: '*' }, resultset)
    expect(conflict).toMatchObject({ status: 409, body: { code: 'part_conflict' } })
    const sections = await putPart(run, { name: 'x', section: 'Unit' }, 'SF:a\nDA:1,1\nend_of_record\n')
    expect(sections).toMatchObject({ status: 400, body: { code: 'request_invalid' } })
  })

  it('may be a Go profile in which nothing was to be measured; statements are in the records of one that has some', async () => {
    const run = await declare()
    const empty = await putPart(run, { name: 'empty.out' }, 'mode: set\n')
    expect(empty).toMatchObject({ status: 201, body: { format: 'go', files: 0, records: null } })
    const some = 'mode: set\nacme.com/app/x.go:1.1,3.2 2 1\nacme.com/app/x.go:3.2,4.2 5 0\n'
    expect((await putPart(run, { name: 'cover.out' }, some)).status).toBe(201)
    expect(await recordsOf(run, 'coverage')).toMatchObject([
      {
        definition: 'go.block@1',
        lines: { found: 4, covered: 2, partial: 1, missed: 1 },
        statements: { found: 7, covered: 2 },
        ranges: { covered: '1-2', partial: '3', missed: '4' },
      },
    ])
    const mixed = await putPart(run, { name: 'mixed.out' }, `${some}acme.com/app/x.go:3.1,5.2 5 0\n`)
    expect(mixed).toMatchObject({ status: 422, body: { code: 'report_contradictory' } })
    const sealed = await ask(service, `/v1/runs/${run}/seal`, {
      method: 'PUT',
      body: { outcome: 'completed', tests: { total: 1, passed: 1, failed: 0, skipped: 0 } },
    })
    expect(sealed).toMatchObject({ status: 201, body: { parts: 2, admitted: true } })
  })
})
